//! What the operator says about a SAML provider.
//!
//! Lives here: the settings, their defaults and their bounds. Never: how configuration is written or read, messages.

use super::encryption::DecryptionKey;
use super::idp::Idp;
use super::keys::{KeyConfig, SigningKey};
use super::names::{EMAIL_ADDRESS, PERSISTENT, UNSPECIFIED};
use crate::oidc::ConfigProblem;
use crate::oidc::config::{Problems, checked_url, is_short_name};
use std::time::Duration;

/// Most difference between the provider's clock and ours that may be configured.
pub const SKEW_MAX: Duration = Duration::from_secs(60);
/// Longest session that may be configured.
pub const SESSION_MAX: Duration = Duration::from_secs(24 * 3600);
/// Most keys that assertions may be encrypted to: one, and its successor while they are rolled over.
pub const DECRYPTION_KEYS_MAX: usize = 4;
const ENTITY_ID_BYTES_MAX: usize = 1024;

/// What a `NameID` may be for its name to be somebody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameIdFormat {
    /// Opaque, for ever one person's, never given to another.
    Persistent,
    /// An address; providers give them to somebody else when people leave.
    EmailAddress,
    /// Whatever the provider likes. Only the operator can know whether that is for ever one person's.
    Unspecified,
}

impl NameIdFormat {
    /// Its identifier.
    pub fn uri(self) -> &'static str {
        match self {
            Self::Persistent => PERSISTENT,
            Self::EmailAddress => EMAIL_ADDRESS,
            Self::Unspecified => UNSPECIFIED,
        }
    }
}

/// Where the subject's name stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectFrom {
    /// In the `NameID`, when it is of this format. A transient one never names anybody.
    NameId(NameIdFormat),
    /// In the one value of the attribute of this `Name`.
    Attribute(String),
}

/// One provider. Whoever it authenticates is a person.
#[derive(Debug, Clone)]
pub struct SamlConfig {
    /// Its short name in the bundle: lower-case letters, digits and hyphens.
    pub name: String,
    /// Its metadata, as the operator got it from the provider in a way that is trusted: who can change this file can
    /// be anybody. All its certificates for signing are good, so that the provider can roll its key over.
    pub idp_metadata: Vec<u8>,
    /// Our entity id: the audience of its assertions.
    pub entity_id: String,
    /// Where the provider has browsers post responses to.
    pub acs_url: String,
    /// Keys that assertions may be encrypted to; our metadata shows the first. May be empty: over TLS little is gained.
    pub decryption: Vec<KeyConfig>,
    /// The key that signs requests; they are not signed when `None`, which is safe here, but some providers want it.
    pub signing: Option<KeyConfig>,
    /// Difference between the provider's clock and ours that is tolerated.
    pub clock_skew: Duration,
    /// Longest time since the person authenticated at the provider; unbounded when `None`.
    pub authentication_max_age: Option<Duration>,
    /// Longest time that a proof holds; less where the provider says less (`SessionNotOnOrAfter`).
    pub session_max: Duration,
    /// Where the subject's name stands.
    pub subject: SubjectFrom,
    /// The `Name` of the attribute with the groups. An assertion without it is refused, because absent is not empty.
    /// `None` declares that this provider knows no groups.
    pub groups: Option<String>,
    /// Values of `AuthnContextClassRef` that mean a second factor was used.
    pub mfa_when: Vec<String>,
    /// Allows plain HTTP to loopback addresses. For development alone.
    pub allow_loopback_http: bool,
}

impl SamlConfig {
    /// A provider with every other setting at its default: a persistent `NameID`, the attribute `groups`, 30 seconds
    /// between the clocks, sessions of 8 hours.
    pub fn new(name: &str, idp_metadata: &[u8], entity_id: &str, acs_url: &str) -> Self {
        Self {
            name: name.to_owned(),
            idp_metadata: idp_metadata.to_vec(),
            entity_id: entity_id.to_owned(),
            acs_url: acs_url.to_owned(),
            decryption: Vec::new(),
            signing: None,
            clock_skew: Duration::from_secs(30),
            authentication_max_age: None,
            session_max: Duration::from_secs(8 * 3600),
            subject: SubjectFrom::NameId(NameIdFormat::Persistent),
            groups: Some("groups".to_owned()),
            mfa_when: Vec::new(),
            allow_loopback_http: false,
        }
    }

    /// Everything that is wrong with these settings.
    pub fn problems(&self) -> Vec<ConfigProblem> {
        let mut out = Problems::of(&self.name);
        out.unless(
            is_short_name(&self.name),
            "name",
            "use 1 to 63 lower-case letters, digits and hyphens",
        );
        self.check_provider(&mut out);
        self.check_ours(&mut out);
        self.check_mapping(&mut out);
        self.check_times(&mut out);
        out.found
    }

    fn check_provider(&self, out: &mut Problems<'_>) {
        match Idp::read(&self.idp_metadata) {
            Err(why) => out.unless(false, "idp_metadata", why),
            Ok(idp) => {
                if checked_url(&idp.sso_url, self.allow_loopback_http).is_err() {
                    out.unless(
                        false,
                        "idp_metadata",
                        "its SingleSignOnService must be an https:// address",
                    );
                }
                out.unless(
                    idp.entity_id != self.entity_id,
                    "entity_id",
                    "this is the provider's own",
                );
            }
        }
    }

    fn check_ours(&self, out: &mut Problems<'_>) {
        let id = &self.entity_id;
        out.unless(
            (1..=ENTITY_ID_BYTES_MAX).contains(&id.len())
                && id.contains(':')
                && id.bytes().all(|b| b.is_ascii_graphic()),
            "entity_id",
            "use a URI of at most 1024 bytes, such as https://gateway.example/saml",
        );
        match checked_url(&self.acs_url, self.allow_loopback_http) {
            // It is compared as a text with what the provider writes, which got it from our metadata.
            Ok(url) => out.unless(
                url.as_str() == self.acs_url,
                "acs_url",
                "is not in its normal form",
            ),
            Err(why) => out.unless(false, "acs_url", why),
        }
        out.unless(
            self.decryption.len() <= DECRYPTION_KEYS_MAX,
            "decryption",
            "at most 4 keys",
        );
        for pair in &self.decryption {
            if let Err(why) = DecryptionKey::new(pair) {
                out.unless(false, "decryption", why);
            }
        }
        if let Some(Err(why)) = self.signing.as_ref().map(SigningKey::new) {
            out.unless(false, "signing", why);
        }
    }

    fn check_mapping(&self, out: &mut Problems<'_>) {
        let named = |name: &str| !name.trim().is_empty();
        if let SubjectFrom::Attribute(name) = &self.subject {
            out.unless(named(name), "subject", "name the attribute");
        }
        out.unless(
            self.groups.as_deref().is_none_or(named),
            "groups",
            "name the attribute, or declare that there are none",
        );
        out.unless(
            self.mfa_when.iter().all(|c| named(c)),
            "mfa_when",
            "a class of authentication is empty",
        );
    }

    fn check_times(&self, out: &mut Problems<'_>) {
        let second = Duration::from_secs(1);
        out.unless(
            self.clock_skew <= SKEW_MAX,
            "clock_skew",
            "at most 60 seconds",
        );
        out.unless(
            (second..=SESSION_MAX).contains(&self.session_max),
            "session_max",
            "between 1 second and 24 hours",
        );
        out.unless(
            self.authentication_max_age.is_none_or(|age| age >= second),
            "authentication_max_age",
            "at least 1 second",
        );
    }
}
