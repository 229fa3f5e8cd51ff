//! The fields of ErrorResponse and NoticeResponse (PostgreSQL documentation, "Error and Notice
//! Message Fields"): as they come from a target, and as the gateway writes its own.

use std::borrow::Cow;

use bytes::Bytes;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The command failed; the connection goes on.
    Error,
    /// The connection ends.
    Fatal,
    /// A warning beside a command that went through.
    Warning,
    /// Something worth knowing.
    Notice,
}

impl Severity {
    /// The word that stands for it in a frame.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
            Self::Warning => "WARNING",
            Self::Notice => "NOTICE",
        }
    }
}

/// What the gateway itself says to a client. NUL bytes in any of it are written as spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFields {
    /// How bad it is.
    pub severity: Severity,
    /// The SQLSTATE, five characters.
    pub sqlstate: Cow<'static, str>,
    /// One line: what happened.
    pub message: Cow<'static, str>,
    /// More of it: rule, reason, approval.
    pub detail: Option<Cow<'static, str>>,
    /// What to do instead.
    pub hint: Option<Cow<'static, str>>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
    /// The context in which it happened.
    pub context: Option<Cow<'static, str>>,
}

impl ErrorFields {
    /// Fields with nothing but the obligatory.
    pub fn new(
        severity: Severity,
        sqlstate: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            severity,
            sqlstate: sqlstate.into(),
            message: message.into(),
            detail: None,
            hint: None,
            position: None,
            context: None,
        }
    }

    /// With a DETAIL.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// With a HINT.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The fields of an error or notice from a target, in their order, unknown ones included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(u8, Bytes)>);

impl Fields {
    /// The localised severity, `S`.
    pub const SEVERITY: u8 = b'S';
    /// The severity that is never localised, `V`.
    pub const SEVERITY_PLAIN: u8 = b'V';
    /// The SQLSTATE, `C`.
    pub const SQLSTATE: u8 = b'C';
    /// The primary message, `M`.
    pub const MESSAGE: u8 = b'M';
    /// The detail, `D`.
    pub const DETAIL: u8 = b'D';
    /// The hint, `H`.
    pub const HINT: u8 = b'H';
    /// The call stack, `W`.
    pub const CONTEXT: u8 = b'W';
    /// The table that it is about.
    pub const TABLE: u8 = b't';

    /// The first field with this code.
    #[must_use]
    pub fn get(&self, code: u8) -> Option<&Bytes> {
        self.0
            .iter()
            .find_map(|(found, value)| (*found == code).then_some(value))
    }

    /// The SQLSTATE, or `XX000` (internal error) if the target gave none that can be read.
    #[must_use]
    pub fn sqlstate(&self) -> &str {
        self.get(Self::SQLSTATE)
            .and_then(|value| std::str::from_utf8(value).ok())
            .unwrap_or("XX000")
    }

    /// Whether the target ends the connection with it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.get(Self::SEVERITY_PLAIN)
            .or_else(|| self.get(Self::SEVERITY))
            .is_some_and(|word| matches!(word.as_ref(), b"FATAL" | b"PANIC"))
    }

    /// Replaces the first field with this code, or adds it.
    pub fn set(&mut self, code: u8, value: Bytes) {
        match self.0.iter_mut().find(|(found, _)| *found == code) {
            Some((_, old)) => *old = value,
            None => self.0.push((code, value)),
        }
    }

    /// Drops every field with this code.
    pub fn remove(&mut self, code: u8) {
        self.0.retain(|(found, _)| *found != code);
    }
}

/// Shows the SQLSTATE only: messages and details may quote data.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fields({}, {} fields)", self.sqlstate(), self.0.len())
    }
}
