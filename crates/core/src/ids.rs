//! Identifiers: short, typed, printable, never secret.
//!
//! Lives here: their form and parsing. Never: randomness (the caller brings the bytes).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Crockford's base 32 in lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters after the prefix: ten random bytes.
const CHARS: usize = 16;

/// Text that is not an identifier of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: expected `{prefix}_` and 16 characters")]
pub struct NotAnId {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

fn encode(bytes: [u8; 10]) -> String {
    let mut out = String::with_capacity(CHARS);
    let mut acc: u32 = 0;
    let mut bits = 0;
    for byte in bytes {
        acc = (acc << 8) | u32::from(byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let index = ((acc >> bits) & 31) as usize;
            if let Some(c) = ALPHABET.get(index) {
                out.push(char::from(*c));
            }
        }
    }
    out
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Makes an identifier of ten random bytes.
            pub fn from_bytes(bytes: [u8; 10]) -> Self {
                Self(format!(concat!($prefix, "_{}"), encode(bytes)))
            }
            /// The identifier as printed.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(s: &str) -> Result<Self, NotAnId> {
                let ok = s
                    .strip_prefix(concat!($prefix, "_"))
                    .is_some_and(|rest| rest.len() == CHARS && rest.bytes().all(|b| ALPHABET.contains(&b)));
                if ok {
                    Ok(Self(s.to_owned()))
                } else {
                    Err(NotAnId { text: s.chars().take(40).collect(), kind: $kind, prefix: $prefix })
                }
            }
        }
        impl TryFrom<String> for $name {
            type Error = NotAnId;
            fn try_from(s: String) -> Result<Self, NotAnId> {
                s.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

id!(
    /// One principal's use of one target.
    SessionId, "ses", "a session id"
);
id!(
    /// One question put to people.
    ApprovalId, "apr", "an approval id"
);
id!(
    /// One yes that stands for a while.
    GrantId, "grt", "a grant id"
);
id!(
    /// One short-lived credential lent to a caller; also its user name.
    CredentialId, "crd", "a credential id"
);
id!(
    /// That an agent may act for a person.
    DelegationId, "dlg", "a delegation id"
);
id!(
    /// One stop of targets.
    FreezeId, "frz", "a freeze id"
);

/// The number of a bundle: every audit entry names the one it was judged under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision(pub u64);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut h = Hasher::new();
        h.raw(bytes);
        h.finish()
    }
}
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl From<Digest> for String {
    fn from(d: Digest) -> String {
        d.to_string()
    }
}
impl TryFrom<String> for Digest {
    type Error = String;
    fn try_from(s: String) -> Result<Self, String> {
        let mut out = [0; 32];
        hex::decode_to_slice(&s, &mut out).map_err(|_| "not 64 hexadecimal digits".to_owned())?;
        Ok(Digest(out))
    }
}

/// Hashes a sequence of fields so that no two different sequences run together: each is preceded by its length.
pub struct Hasher(aws_lc_rs::digest::Context);

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}
impl Hasher {
    /// An empty sequence.
    pub fn new() -> Self {
        Self(aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256))
    }
    /// Adds a field: its length as eight bytes big endian, then its bytes.
    pub fn field(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
        self
    }
    /// Adds bytes without a length.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }
    /// The digest of what was added.
    pub fn finish(self) -> Digest {
        let mut out = [0; 32];
        out.copy_from_slice(self.0.finish().as_ref());
        Digest(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints() {
        let id = ApprovalId::from_bytes([7; 10]);
        assert_eq!(id.as_str().parse::<ApprovalId>().unwrap(), id);
        assert_eq!(id.as_str().len(), 4 + CHARS);
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let id = ApprovalId::from_bytes([7; 10]);
        assert!(id.as_str().parse::<SessionId>().is_err());
        assert!("apr_".parse::<ApprovalId>().is_err());
    }

    #[test]
    fn fields_do_not_run_together() {
        let digest = |fields: &[&[u8]]| {
            let mut h = Hasher::new();
            fields.iter().for_each(|f| {
                h.field(f);
            });
            h.finish()
        };
        assert_ne!(digest(&[b"ab", b"c"]), digest(&[b"a", b"bc"]));
    }
}
