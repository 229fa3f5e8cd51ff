//! The options of a COPY, as far as they shape its data.
//!
//! Lives here: reading them from the statement. Never: the data.

use pg_query::NodeEnum;
use pg_query::protobuf::{CopyStmt, Node};

/// How the data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyFormat {
    /// Lines of fields with backslash escapes.
    #[default]
    Text,
    /// Comma-separated values.
    Csv,
    /// `PGCOPY`.
    Binary,
}

/// What shapes the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    /// The format.
    pub format: CopyFormat,
    /// Between fields.
    pub delimiter: u8,
    /// What stands for NULL.
    pub null: Vec<u8>,
    /// The first row holds names.
    pub header: bool,
    /// Around CSV values.
    pub quote: u8,
    /// Before a quote inside a CSV value.
    pub escape: u8,
}

/// An option that we do not model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("COPY option {0} is not understood")]
pub struct OptionsRefused(pub String);

impl CopyOptions {
    /// The defaults of a format.
    pub fn of_format(format: CopyFormat) -> Self {
        let csv = format == CopyFormat::Csv;
        Self {
            format,
            delimiter: if csv { b',' } else { b'\t' },
            null: if csv { Vec::new() } else { b"\\N".to_vec() },
            header: false,
            quote: b'"',
            escape: b'"',
        }
    }

    /// Reads them from the statement.
    pub fn of(statement: &CopyStmt) -> Result<Self, OptionsRefused> {
        let options: Vec<(&str, Option<&Node>)> = statement
            .options
            .iter()
            .map(|n| match n.node.as_ref() {
                Some(NodeEnum::DefElem(e)) => Ok((e.defname.as_str(), e.arg.as_deref())),
                _ => Err(OptionsRefused("(not an option)".into())),
            })
            .collect::<Result<_, _>>()?;
        let mut format = CopyFormat::Text;
        for (_, arg) in options.iter().filter(|(n, _)| *n == "format") {
            format = match text(*arg) {
                Some("text") => CopyFormat::Text,
                Some("csv") => CopyFormat::Csv,
                Some("binary") => CopyFormat::Binary,
                _ => return Err(OptionsRefused("format".into())),
            };
        }
        let mut out = Self::of_format(format);
        let mut escape = None;
        for (name, arg) in options {
            match name {
                // What FORCE_QUOTE does is seen in the data; the others concern COPY FROM.
                "format" | "force_quote" | "force_not_null" | "force_null" | "freeze"
                | "on_error" | "log_verbosity" | "reject_limit" | "default" => {}
                "delimiter" => out.delimiter = byte(name, arg)?,
                "quote" => out.quote = byte(name, arg)?,
                "escape" => escape = Some(byte(name, arg)?),
                "null" => {
                    out.null = text(arg)
                        .ok_or_else(|| OptionsRefused(name.into()))?
                        .as_bytes()
                        .to_vec()
                }
                "header" => out.header = header(arg)?,
                "encoding" if text(arg).is_some_and(is_utf8) => {}
                _ => return Err(OptionsRefused(name.to_owned())),
            }
        }
        // ESCAPE is the quote unless it is given.
        out.escape = escape.unwrap_or(out.quote);
        Ok(out)
    }
}

fn text(arg: Option<&Node>) -> Option<&str> {
    match arg?.node.as_ref()? {
        NodeEnum::String(s) => Some(&s.sval),
        _ => None,
    }
}

fn byte(name: &str, arg: Option<&Node>) -> Result<u8, OptionsRefused> {
    match text(arg).map(str::as_bytes) {
        Some([b]) if b.is_ascii() && !matches!(b, b'\n' | b'\r') => Ok(*b),
        _ => Err(OptionsRefused(name.to_owned())),
    }
}

fn is_utf8(name: &str) -> bool {
    name.eq_ignore_ascii_case("utf8")
        || name.eq_ignore_ascii_case("utf-8")
        || name.eq_ignore_ascii_case("unicode")
}

/// A boolean as `defGetBoolean` reads it.
fn header(arg: Option<&Node>) -> Result<bool, OptionsRefused> {
    let Some(arg) = arg else { return Ok(true) };
    let refused = || OptionsRefused("header".into());
    match arg.node.as_ref() {
        Some(NodeEnum::Boolean(b)) => Ok(b.boolval),
        Some(NodeEnum::Integer(i)) if i.ival == 0 || i.ival == 1 => Ok(i.ival == 1),
        Some(NodeEnum::String(s)) => match s.sval.to_ascii_lowercase().as_str() {
            "true" | "on" => Ok(true),
            "false" | "off" => Ok(false),
            _ => Err(refused()),
        },
        _ => Err(refused()),
    }
}
