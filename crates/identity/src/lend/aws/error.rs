//! Why AWS gave nothing, and what the operators do about it.
//!
//! Lives here: what each of its errors means. Never: a word of AWS's own beside the name of the error (its messages repeat
//! what they were sent), a secret.

use super::web::Reply;
use brattice_core::time::Timestamp;
use serde::Deserialize;

/// How far clocks may be apart before it is the clock that is wrong. AWS takes signatures that are five minutes off.
const SKEW_SECONDS_MAX: i64 = 240;
/// What of an error's name is repeated.
const CODE_CHARS_MAX: usize = 64;

/// Why there is nothing; for the operator. Each says what to do next where that can be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum AwsError {
    #[error("it did not answer: {0}")]
    NoAnswer(String),
    #[error(
        "there is no such secret with a value of the stage AWSCURRENT: compare its name with the region and the account that are asked"
    )]
    NoSecret,
    #[error(
        "the secret is marked for deletion, or is not to be read in its state: restore it, or name another"
    )]
    NotReadable,
    #[error(
        "it denied GetSecretValue: allow secretsmanager:GetSecretValue on the secret to whoever the gateway is there, and kms:Decrypt on its key if that is one of your own"
    )]
    Denied,
    #[error("the secret cannot be decrypted: enable its KMS key, and allow kms:Decrypt on it")]
    Undecryptable,
    #[error(
        "it has had too many requests: keep secrets longer (secret_age_max), or have the quota raised"
    )]
    Throttled,
    #[error(
        "it does not know the access key: it was deleted or switched off, or is a temporary one whose session token is missing"
    )]
    UnknownKey,
    #[error("the session token has expired: renew it where it is read from")]
    Expired,
    #[error("it gave keys that have expired already: compare this machine's clock with another")]
    Stale,
    #[error("it refuses the signature: the secret access key does not belong to the access key id")]
    Signature,
    #[error(
        "this machine's clock is {} seconds {} that of AWS, which takes signatures of five minutes around its own: set the clock", .0.unsigned_abs(), if *.0 < 0 { "behind" } else { "ahead of" }
    )]
    Clock(i64),
    #[error(
        "it does not let the web identity take the role: the role's trust policy must name the token's issuer, audience and subject"
    )]
    RoleDenied,
    #[error(
        "it does not accept the web identity token: it has expired, or its issuer is no identity provider of the account"
    )]
    WebToken,
    #[error("it answered {status} ({code}); CloudTrail says more")]
    Status { status: u16, code: String },
    #[error("its answer is too large")]
    TooLarge,
    #[error("its answer is not what it should be: {0}")]
    Unexpected(&'static str),
    #[error("the secret is binary: store it as a text")]
    Binary,
    #[error(
        "the secret is no JSON object, so it has no keys: name it without `#`, or store it as JSON"
    )]
    NoObject,
    #[error(
        "the secret is a JSON object: say which of its keys has the password, as in `#password`"
    )]
    NoKeyNamed,
    #[error("the secret has no key `{0}`: compare `#…` in the bundle with the secret")]
    NoSuchKey(String),
    #[error("the key `{0}` of the secret has no text, or an empty one")]
    NoText(String),
    #[error("{0}")]
    Keys(&'static str),
    #[error("{0}")]
    Source(String),
}

/// What a request was for: some errors mean another thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Secret,
    Role,
}

impl AwsError {
    /// What an answer that is an error means.
    pub(super) fn of(reply: &Reply, asked: Asked, now: Timestamp) -> Self {
        let code = code(reply);
        let clock = || {
            let off = now.seconds().saturating_sub(reply.date?.seconds());
            (off.abs() > SKEW_SECONDS_MAX).then_some(Self::Clock(off))
        };
        match code.as_str() {
            "ResourceNotFoundException" => Self::NoSecret,
            "InvalidRequestException" => Self::NotReadable,
            "DecryptionFailure" => Self::Undecryptable,
            "AccessDeniedException" | "AccessDenied" => match asked {
                Asked::Secret => Self::Denied,
                Asked::Role => Self::RoleDenied,
            },
            "ThrottlingException"
            | "Throttling"
            | "TooManyRequestsException"
            | "LimitExceededException" => Self::Throttled,
            "InvalidIdentityToken" | "IDPRejectedClaim" | "IDPCommunicationError" => Self::WebToken,
            "ExpiredTokenException" | "ExpiredToken" => match asked {
                Asked::Secret => clock().unwrap_or(Self::Expired),
                Asked::Role => clock().unwrap_or(Self::WebToken),
            },
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "MissingAuthenticationToken" => Self::UnknownKey,
            "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "IncompleteSignature"
            | "RequestTimeTooSkewed"
            | "RequestExpired" => clock().unwrap_or(Self::Signature),
            _ if reply.status == 429 => Self::Throttled,
            _ => Self::Status {
                status: reply.status,
                code,
            },
        }
    }

    /// Whether another try may do better: AWS was busy.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Throttled => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether it is about what signed, so that new keys may do better.
    pub(super) fn is_about_keys(&self) -> bool {
        matches!(self, Self::UnknownKey | Self::Expired | Self::Signature)
    }
}

#[derive(Deserialize)]
struct Told {
    #[serde(rename = "__type")]
    kind: String,
}

/// The error's name: `__type` of the JSON protocols, which may have a namespace before it, or `Code` of the XML ones.
fn code(reply: &Reply) -> String {
    let told = serde_json::from_slice::<Told>(&reply.body).ok();
    let code = match told {
        Some(told) => told.kind,
        None => super::sts::code(&reply.body).unwrap_or_default(),
    };
    let code = code.rsplit('#').next().unwrap_or_default();
    let code = code.split(':').next().unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match code
        .chars()
        .filter(plain)
        .take(CODE_CHARS_MAX)
        .collect::<String>()
    {
        none if none.is_empty() => "without a name".to_owned(),
        code => code,
    }
}
