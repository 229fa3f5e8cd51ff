//! What of a vault is read: `vault:NAME/path`.
//!
//! Lives here: the written form. Never: an address, a request.

use std::fmt;
use std::str::FromStr;

/// The longest path.
const PATH_BYTES_MAX: usize = 512;

/// A place in a vault. With a field, one value of a secret that is kept there (KV, version 2: `vault:NAME/MOUNT/PATH#FIELD`);
/// without one, an endpoint that makes a user and a password at each reading (`vault:NAME/MOUNT/creds/ROLE`).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VaultPath {
    /// The vault, as the bundle calls it.
    pub vault: String,
    /// Where the engine is mounted.
    pub mount: String,
    /// Where in it.
    pub path: String,
    /// Which value, of a secret that is kept.
    pub field: Option<String>,
}

/// Text that is no place in a vault. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a place in a vault: expected `vault:NAME/MOUNT/PATH#FIELD` or `vault:NAME/MOUNT/creds/ROLE`"
)]
pub struct NotAVaultPath;

impl FromStr for VaultPath {
    type Err = NotAVaultPath;

    fn from_str(text: &str) -> Result<Self, NotAVaultPath> {
        let rest = text.strip_prefix("vault:").ok_or(NotAVaultPath)?;
        let (whole, field) = match rest.split_once('#') {
            Some((whole, field)) => (whole, Some(field)),
            None => (rest, None),
        };
        let segments: Vec<&str> = whole.split('/').collect();
        let plain = segments.iter().copied().chain(field).all(is_plain);
        let [vault, mount, path @ ..] = segments.as_slice() else {
            return Err(NotAVaultPath);
        };
        if !plain || path.is_empty() || whole.len() > PATH_BYTES_MAX {
            return Err(NotAVaultPath);
        }
        Ok(Self {
            vault: (*vault).to_owned(),
            mount: (*mount).to_owned(),
            path: path.join("/"),
            field: field.map(str::to_owned),
        })
    }
}

/// Whether this is one step of a path that means itself in a URL and leads nowhere else.
fn is_plain(segment: &str) -> bool {
    !segment.is_empty()
        && !segment.bytes().all(|b| b == b'.')
        && segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

impl fmt::Display for VaultPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "vault:{}/{}/{}", self.vault, self.mount, self.path)?;
        match &self.field {
            Some(field) => write!(f, "#{field}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        for text in [
            "vault:corp/secret/apps/orders#password",
            "vault:corp/database/creds/orders-agent",
        ] {
            assert_eq!(text.parse::<VaultPath>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn nothing_that_leads_elsewhere_is_a_place() {
        for text in [
            "vault:",
            "vault:corp",
            "vault:corp/secret",
            "vault:corp/secret/",
            "vault:corp//x",
            "vault:corp/secret/../../sys/raw#x",
            "vault:corp/secret/a%2fb#x",
            "vault:corp/secret/a?b#x",
            "vault:corp/secret/a#",
            "vault:corp/secret/a#b#c",
            "secret/a#b",
        ] {
            assert!(text.parse::<VaultPath>().is_err(), "{text}");
        }
    }
}
