//! Which secret of AWS Secrets Manager is read: `aws:NAME/SECRET#KEY`.
//!
//! Lives here: the written form. Never: an address, a request.

use std::fmt;
use std::str::FromStr;

/// The longest name of a secret, with what an ARN has around it.
const ID_BYTES_MAX: usize = 700;
/// The longest key in a secret.
const KEY_BYTES_MAX: usize = 128;

/// A secret that AWS Secrets Manager keeps, and which of its values are taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsSecret {
    /// Where, as the bundle calls it.
    pub aws: String,
    /// The secret's name or its ARN.
    pub id: String,
    /// What of it.
    pub part: AwsPart,
}

/// What of a secret is taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AwsPart {
    /// All of its text: it is the password. Written without a key.
    Whole,
    /// It is a JSON object, and this key has the password: `#KEY`.
    Password(String),
    /// It is a JSON object, and these keys have the user and the password: `#KEY,KEY`.
    Both {
        /// The user's.
        user: String,
        /// The password's.
        password: String,
    },
}

impl AwsPart {
    /// The keys that RDS and its rotation give such a secret.
    pub fn usual() -> Self {
        Self::Both {
            user: "username".to_owned(),
            password: "password".to_owned(),
        }
    }
}

/// Text that is no secret of AWS. The text is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a secret of AWS Secrets Manager: expected `aws:NAME/SECRET`, `aws:NAME/SECRET#KEY` or `aws:NAME/SECRET#KEY,KEY`"
)]
pub struct NotAnAwsSecret;

impl AwsSecret {
    /// The region that an ARN names; none for a name.
    pub fn region(&self) -> Option<&str> {
        self.id.strip_prefix("arn:")?.split(':').nth(2)
    }
}

impl FromStr for AwsSecret {
    type Err = NotAnAwsSecret;

    fn from_str(text: &str) -> Result<Self, NotAnAwsSecret> {
        let rest = text.strip_prefix("aws:").ok_or(NotAnAwsSecret)?;
        let (whole, keys) = match rest.split_once('#') {
            Some((whole, keys)) => (whole, Some(keys)),
            None => (rest, None),
        };
        let (aws, id) = whole.split_once('/').ok_or(NotAnAwsSecret)?;
        let named = !aws.is_empty()
            && aws
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !named || !is_id(id) {
            return Err(NotAnAwsSecret);
        }
        let part = match keys {
            None => AwsPart::Whole,
            Some(keys) => match keys.split_once(',') {
                None if is_key(keys) => AwsPart::Password(keys.to_owned()),
                Some((user, password)) if is_key(user) && is_key(password) => AwsPart::Both {
                    user: user.to_owned(),
                    password: password.to_owned(),
                },
                _ => return Err(NotAnAwsSecret),
            },
        };
        Ok(Self {
            aws: aws.to_owned(),
            id: id.to_owned(),
            part,
        })
    }
}

/// A name (CreateSecret: letters, digits and `/_+=.@-`; those that RDS makes have a `!`), or an ARN:
/// `arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME`.
fn is_id(id: &str) -> bool {
    let is_name = |name: &str| {
        let plain = |b: u8| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'/' | b'_' | b'+' | b'=' | b'.' | b'@' | b'-' | b'!')
        };
        !name.is_empty() && name.bytes().all(plain)
    };
    if id.len() > ID_BYTES_MAX {
        return false;
    }
    if !id.contains(':') {
        return is_name(id);
    }
    let parts: Vec<&str> = id.split(':').collect();
    matches!(
        parts.as_slice(),
        ["arn", partition, "secretsmanager", region, account, "secret", name]
            if [partition, region, account, name].into_iter().all(|p| is_name(p))
    )
}

fn is_key(key: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    !key.is_empty() && key.len() <= KEY_BYTES_MAX && key.bytes().all(plain)
}

impl fmt::Display for AwsSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "aws:{}/{}", self.aws, self.id)?;
        match &self.part {
            AwsPart::Whole => Ok(()),
            AwsPart::Password(key) => write!(f, "#{key}"),
            AwsPart::Both { user, password } => write!(f, "#{user},{password}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/orders-a1B2c3";

    #[test]
    fn secrets_are_read_as_they_are_written() {
        for id in [
            "orders",
            "prod/orders",
            "/prod/orders+=.@-_",
            "rds!db-1",
            ARN,
        ] {
            for keys in ["", "#password", "#username,password"] {
                let text = format!("aws:main/{id}{keys}");
                assert_eq!(text.parse::<AwsSecret>().unwrap().to_string(), text);
            }
        }
        let read: AwsSecret = format!("aws:main/{ARN}").parse().unwrap();
        assert_eq!(read.region(), Some("eu-central-1"));
        assert_eq!(
            "aws:main/orders".parse::<AwsSecret>().unwrap().region(),
            None
        );
    }

    #[test]
    fn nothing_else_is_a_secret() {
        for text in [
            "aws:",
            "aws:main",
            "aws:main/",
            "aws:/orders",
            "aws:main/a b",
            "aws:main/a\"b",
            "aws:main/a#",
            "aws:main/a#,",
            "aws:main/a#b,",
            "aws:main/a#b,c,d",
            "aws:main/a#b#c",
            "aws:main/arn:aws:secretsmanager:eu-central-1:123456789012:secret",
            "aws:main/arn:aws:rds:eu-central-1:123456789012:db:orders",
            "aws:main/a:b",
            "main/a",
        ] {
            assert!(text.parse::<AwsSecret>().is_err(), "{text}");
        }
    }
}
