//! What a start-up message may ask for: parameters that name things, and settings in their classes
//! (fixed, tracked, free; all others refused). Decides form, never permission: who may use which
//! search path is the policy's business. The class of a setting comes from a function passed in;
//! [`classify`] is the default.

use super::options::{self, OptionsUnread};
use super::search_path;
use super::startup::StartupMessage;

/// How a setting is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Its value is ours: the same value passes and changes nothing, any other is refused.
    Fixed(Fixed),
    /// The search path: a literal list passes on to be judged.
    Tracked,
    /// Passed on as it is.
    Free,
    /// Not to be set at start-up.
    Refused,
}

/// The only value of a fixed setting, and how values of it are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fixed {
    /// The encoding UTF8 under any of its spellings.
    Utf8,
    /// A boolean under any of its spellings.
    Bool(bool),
    /// A word, without regard to case.
    Word(&'static str),
}

/// A start-up message whose every parameter was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Startup {
    /// Who the client says it is.
    pub user: String,
    /// The database it names, if any.
    pub database: Option<String>,
    /// What it calls itself.
    pub application_name: Option<String>,
    /// Its free settings, names in lower case, none twice.
    pub settings: Vec<(String, String)>,
    /// The search path it wants, element by element.
    pub search_path: Option<Vec<String>>,
    /// The minor version that will be spoken.
    pub minor: u16,
    /// Whether it came through TLS.
    pub encrypted: bool,
}

/// Why a start-up message is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartupRefused {
    /// No user name.
    #[error("no user name is given")]
    NoUser,
    /// A replication connection.
    #[error("replication connections are not forwarded")]
    Replication,
    /// The options string holds something other than settings.
    #[error("the options parameter cannot be accepted")]
    Options(#[source] OptionsUnread),
    /// A fixed setting with another value.
    #[error("the setting {name} is fixed on this gateway and cannot be changed")]
    Fixed {
        /// The setting, in lower case.
        name: String,
    },
    /// A search path that is not a plain list of names.
    #[error("the search path is not a plain list of schema names")]
    SearchPath,
    /// A setting, or another parameter, that is on no list.
    #[error("the parameter {name} is not accepted at start-up")]
    Unlisted {
        /// The parameter, in lower case.
        name: String,
    },
}

impl StartupRefused {
    /// The name of the rule that refused, for records and for the client's DETAIL.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::NoUser => "startup.user",
            Self::Replication => "startup.replication",
            Self::Options(_) => "startup.options",
            Self::Fixed { .. } => "setting.fixed",
            Self::SearchPath => "setting.search_path",
            Self::Unlisted { .. } => "setting.unlisted",
        }
    }

    /// The SQLSTATE to refuse with.
    #[must_use]
    pub const fn sqlstate(&self) -> &'static str {
        match self {
            Self::NoUser => "28000",
            Self::Replication => "0A000",
            Self::Options(_) => "08P01",
            Self::Fixed { .. } | Self::Unlisted { .. } => "55P02",
            Self::SearchPath => "22023",
        }
    }

    /// What the client can do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoUser => "Give a user name.",
            Self::Replication => "Connect without the replication parameter.",
            Self::Options(_) => "Use only -c name=value in options (PGOPTIONS).",
            Self::Fixed { .. } => {
                "Leave the setting out, or say PGCLIENTENCODING=UTF8: the gateway keeps client_encoding at UTF8 \
                 and the string syntax at the standard's."
            }
            Self::SearchPath => "Give schema names separated by commas, quoted where needed.",
            Self::Unlisted { .. } => "Leave the parameter out of the connection string.",
        }
    }
}

/// The class of a setting, by its name in lower case.
#[must_use]
pub fn classify(name: &str) -> Class {
    match name {
        "client_encoding" => Class::Fixed(Fixed::Utf8),
        "standard_conforming_strings" => Class::Fixed(Fixed::Bool(true)),
        "transform_null_equals" => Class::Fixed(Fixed::Bool(false)),
        "backslash_quote" => Class::Fixed(Fixed::Word("safe_encoding")),
        "session_replication_role" => Class::Fixed(Fixed::Word("origin")),
        "search_path" => Class::Tracked,
        "application_name"
        | "bytea_output"
        | "client_connection_check_interval"
        | "client_min_messages"
        | "datestyle"
        | "default_transaction_deferrable"
        | "default_transaction_isolation"
        | "default_transaction_read_only"
        | "escape_string_warning"
        | "extra_float_digits"
        | "geqo"
        | "idle_in_transaction_session_timeout"
        | "idle_session_timeout"
        | "intervalstyle"
        | "jit"
        | "lock_timeout"
        | "plan_cache_mode"
        | "row_security"
        | "statement_timeout"
        | "tcp_keepalives_count"
        | "tcp_keepalives_idle"
        | "tcp_keepalives_interval"
        | "tcp_user_timeout"
        | "timezone"
        | "transaction_timeout" => Class::Free,
        _ => Class::Refused,
    }
}

/// Understands every parameter of a start-up message, or refuses it.
///
/// As at the server, settings in `options` come first and a parameter of the same name overrides
/// them; each is judged all the same.
///
/// # Errors
/// With the first parameter that cannot be accepted.
pub fn judge(
    message: StartupMessage,
    classify: impl Fn(&str) -> Class,
) -> Result<Startup, StartupRefused> {
    let mut startup = Startup {
        user: String::new(),
        database: None,
        application_name: None,
        settings: Vec::new(),
        search_path: None,
        minor: message.minor,
        encrypted: message.encrypted,
    };
    let mut asked = Vec::new();
    for (name, value) in message.parameters {
        match name.as_str() {
            "user" => startup.user = value,
            "database" => startup.database = Some(value).filter(|name| !name.is_empty()),
            "replication" if bool_value(&value) == Some(false) => {}
            "replication" => return Err(StartupRefused::Replication),
            "options" => {
                let settings = options::parse(&value).map_err(StartupRefused::Options)?;
                asked.splice(0..0, settings);
            }
            _ => asked.push((name.to_ascii_lowercase(), value)),
        }
    }
    if startup.user.is_empty() {
        return Err(StartupRefused::NoUser);
    }
    for (name, value) in asked {
        startup.setting(classify(&name), name, value)?;
    }
    Ok(startup)
}

impl Startup {
    fn setting(&mut self, class: Class, name: String, value: String) -> Result<(), StartupRefused> {
        match class {
            Class::Fixed(fixed) if fixed.is(&value) => {}
            Class::Fixed(_) => return Err(StartupRefused::Fixed { name }),
            Class::Tracked => {
                let path = search_path::parse(&value).ok_or(StartupRefused::SearchPath)?;
                self.search_path = Some(path);
            }
            Class::Free if name == "application_name" => self.application_name = Some(value),
            Class::Free => match self.settings.iter_mut().find(|(known, _)| *known == name) {
                Some((_, old)) => *old = value,
                None => self.settings.push((name, value)),
            },
            Class::Refused => {
                let name = name.chars().take(NAME_CHARACTERS_SHOWN).collect();
                return Err(StartupRefused::Unlisted { name });
            }
        }
        Ok(())
    }
}

/// How much of an unlisted name is repeated in the refusal.
const NAME_CHARACTERS_SHOWN: usize = 63;

impl Fixed {
    /// Whether `value` is another spelling of this one.
    #[must_use]
    pub fn is(self, value: &str) -> bool {
        match self {
            Self::Utf8 => is_utf8(value) || wants_none(value),
            Self::Bool(wanted) => bool_value(value) == Some(wanted),
            Self::Word(wanted) => value.eq_ignore_ascii_case(wanted),
        }
    }
}

/// SQL_ASCII asks for no conversion, which psql does where the locale names no encoding; what it gets then is UTF-8.
fn wants_none(value: &str) -> bool {
    value.eq_ignore_ascii_case("SQL_ASCII")
}

/// Encoding names are compared by their letters and digits alone.
fn is_utf8(value: &str) -> bool {
    let name: String = value
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect();
    value.is_ascii() && matches!(name.as_str(), "utf8" | "unicode")
}

/// A boolean as PostgreSQL reads it: any unambiguous beginning of true, false, yes, no, on, off.
#[must_use]
pub fn bool_value(value: &str) -> Option<bool> {
    let value = value.to_ascii_lowercase();
    match value.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        word if "true".starts_with(word) || "yes".starts_with(word) => Some(true),
        word if "false".starts_with(word) || "no".starts_with(word) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
#[path = "parameters_tests.rs"]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
mod tests;
