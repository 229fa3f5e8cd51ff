//! Proof of identity by SAML 2.0 assertions: the service provider's side of the Web Browser SSO profile.
//!
//! Lives here: the request that sends a person to a provider, and the order in which its response is checked. Never:
//! HTTP, cookies, which request belongs to which browser; sessions, policy, storage; nor any part of a response in an
//! error or a log.
//!
//! # How it is safe
//!
//! XML signatures fail where what was verified is not what is read. Here a response is read once, by a reader that
//! refuses what readers differ about (`xml`); the bytes that a signature covers are written from the same tree; and
//! only the type that verification gives out (`signature::Signed`) can be read as an assertion. What does not stand
//! where the schema puts it is refused, and so is a document with a second assertion, response or signature anywhere.
//!
//! # What an operator needs to know
//!
//! - The provider's metadata is a file of yours. Its signing certificates are the trust; their dates and issuers are not
//!   looked at, `validUntil` is. To follow a key roll-over, replace the file and reload.
//! - The *assertion* must be signed, with RSA (2048 bits or more) or ECDSA (P-256, P-384) and SHA-2. A signed response
//!   around an unsigned assertion is refused: Keycloak has "Sign Assertions", Google Workspace must not have "Signed
//!   Response" alone, Entra ID must not sign the response only.
//! - Requests are signed when there is a key for it (`signing`), with RSA and SHA-256. What they ask for is checked in the
//!   response in any case. Keycloak's metadata always says that it wants them signed; its client setting "Client Signature
//!   Required" is what counts. Responses come by HTTP-POST.
//! - An assertion is good for at most [`ASSERTION_AGE_MAX`] after it was issued, whatever it says itself, and once.
//! - A `NameID` must be persistent, unless set otherwise; or the subject is the one value of an attribute. `transient`
//!   names nobody.
//! - The groups' attribute must be there, even if empty, unless the provider is declared to have none. It must be one
//!   attribute with many values; Keycloak calls that "Single Group Attribute".
//! - Encrypted assertions are accepted under AES-GCM with RSA-OAEP, and are signed inside. AES-CBC and RSA v1.5 are
//!   refused, since who sees us refuse could decrypt with our key; over TLS encryption adds little.
//! - Browsers bring responses by a POST from the provider's site: a cookie with `SameSite=Lax` does not come with it.
//! - `ForceAuthn` is sent when asked for (`again`); after [`SamlRefused::TooOld`] that is what to do.

mod assertion;
mod certificate;
mod config;
mod encryption;
mod idp;
mod keys;
mod names;
mod people;
mod refusal;
mod request;
mod response;
mod signature;
mod time;
mod used;
pub(crate) mod xml;

pub use assertion::ASSERTION_AGE_MAX;
pub use config::{NameIdFormat, SamlConfig, SubjectFrom};
pub use idp::SIGNING_KEYS_MAX;
pub use keys::KeyConfig;
pub use refusal::SamlRefused;
pub use request::{LoginRequest, RELAY_STATE_BYTES_MAX};
pub use used::{ASSERTIONS_MAX, UsedAssertions};

use crate::oidc::ConfigProblem;
use assertion::Assertion;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use brattice_core::ids::Hasher;
use brattice_core::principal::{Chain, Identity, LoginBy};
use brattice_core::scope::Scope;
use brattice_core::sender::Binding;
use brattice_core::time::Timestamp;
use encryption::DecryptionKey;
use idp::Idp;
use keys::SigningKey;
use response::Expected;
use std::sync::Arc;

/// Longest form value that is looked at, in base64.
pub const RESPONSE_BYTES_MAX: usize = 512 << 10;

const LIMITS: xml::Limits = xml::Limits {
    bytes_max: 384 << 10,
    depth_max: 24,
    elements_max: 5_000,
    attributes_max: 32,
    comments: false,
};

/// Why a [`SamlProvider`] could not be made: settings that cannot be; all of them.
#[derive(Debug, thiserror::Error)]
#[error("SAML: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SamlSettings(pub Vec<ConfigProblem>);

/// One provider that people sign in with.
#[derive(Debug)]
pub struct SamlProvider {
    config: SamlConfig,
    idp: Idp,
    decryption: Vec<DecryptionKey>,
    signing: Option<SigningKey>,
    used: Arc<UsedAssertions>,
}

/// What a response proved.
#[derive(Debug, Clone)]
pub struct SamlProof {
    /// Who signed in: a chain of one person.
    pub identity: Identity,
    /// The assertion's identifier at its provider.
    pub assertion_id: String,
    /// The assertion is used up here; gateways that share a store remember it there until then, where people may sign
    /// in without a request of ours.
    pub valid_until: Timestamp,
}

impl SamlProvider {
    /// Of these settings. `used` outlives the provider: it is given again when the bundle changes.
    pub fn new(config: SamlConfig, used: Arc<UsedAssertions>) -> Result<Self, SamlSettings> {
        let problems = config.problems();
        if !problems.is_empty() {
            return Err(SamlSettings(problems));
        }
        let problem = |setting, why| {
            let issuer = config.name.clone();
            SamlSettings(vec![ConfigProblem {
                issuer,
                setting,
                why,
            }])
        };
        let idp = Idp::read(&config.idp_metadata).map_err(|why| problem("idp_metadata", why))?;
        let decryption = config
            .decryption
            .iter()
            .map(DecryptionKey::new)
            .collect::<Result<_, _>>()
            .map_err(|why| problem("decryption", why))?;
        let signing = config
            .signing
            .as_ref()
            .map(SigningKey::new)
            .transpose()
            .map_err(|why| problem("signing", why))?;
        Ok(Self {
            config,
            idp,
            decryption,
            signing,
            used,
        })
    }

    /// The settings it was made of.
    pub fn config(&self) -> &SamlConfig {
        &self.config
    }

    /// Our metadata, for the provider's operator.
    pub fn metadata(&self) -> String {
        request::metadata(&self.config, &self.decryption, self.signing.as_ref())
    }

    /// The address to send a browser to, so that its person signs in (HTTP-Redirect binding).
    pub fn begin(&self, request: &LoginRequest<'_>, now: Timestamp) -> Result<String, SamlRefused> {
        self.check_current(now)?;
        request::redirect(
            &self.config,
            &self.idp.sso_url,
            self.signing.as_ref(),
            request,
            now,
        )
    }

    /// Checks what the browser posted as `SAMLResponse`, and uses it up.
    ///
    /// `request` is the id given to [`begin`](Self::begin) for this very browser, which the caller takes out of its
    /// store and never uses again. What a provider begins by itself is refused: it would let an attacker sign a person in
    /// as somebody else.
    pub fn finish(
        &self,
        saml_response: &str,
        request: &str,
        now: Timestamp,
    ) -> Result<SamlProof, SamlRefused> {
        self.check_current(now)?;
        let expected = Expected {
            issuer: &self.idp.entity_id,
            audience: &self.config.entity_id,
            acs_url: &self.config.acs_url,
            request,
            now,
            skew: self.config.clock_skew,
        };
        let root = xml::parse(&decoded(saml_response)?, &xml::Scope::default(), &LIMITS)?;
        let response = response::read(&root, &expected)?;
        let inner;
        let mut parts = vec![&root];
        let assertion = if response.holder.local() == "EncryptedAssertion" {
            let text = encryption::decrypted(response.holder, &self.decryption)?;
            inner = xml::parse(&text, response.holder.scope(), &LIMITS)?;
            parts.push(&inner);
            &inner
        } else {
            response.holder
        };
        let signature = assertion::signature_in(assertion)?;
        let of_response = response.signature;
        response::check_no_wrapping(&parts, of_response.iter().count().saturating_add(1))?;
        if let Some(of_response) = of_response {
            signature::signed(&root, of_response, &self.idp.keys)?;
        }
        let signed = signature::signed(assertion, signature, &self.idp.keys)?;
        let assertion = assertion::read(signed, &expected)?;
        self.proof(&assertion, &expected)
    }

    /// The proof that a checked assertion makes, which uses it up.
    fn proof(
        &self,
        assertion: &Assertion<'_>,
        expected: &Expected<'_>,
    ) -> Result<SamlProof, SamlRefused> {
        let now = expected.now;
        let principal = people::principal(&self.config, assertion, expected)?;
        let age = now.since(assertion.authenticated_at);
        let age_max = self.config.authentication_max_age;
        if age_max.is_some_and(|max| age > max.saturating_add(expected.skew)) {
            return Err(SamlRefused::TooOld);
        }
        let latest = now.plus(self.config.session_max);
        let expires_at = assertion.session_ends.map_or(latest, |end| end.min(latest));
        if expires_at <= now {
            return Err(SamlRefused::Expired);
        }
        let mut key = Hasher::new();
        key.field(expected.issuer.as_bytes())
            .field(assertion.id.as_bytes());
        self.used.use_up(key.finish(), assertion.valid_until, now)?;
        Ok(SamlProof {
            identity: Identity {
                chain: Chain::of(principal),
                by: LoginBy::Saml,
                mfa: people::has_second_factor(&self.config, assertion),
                binding: Binding::default(),
                authenticated_at: assertion.authenticated_at.min(now),
                expires_at,
                token_id: Some(assertion.id.to_owned()),
                credential: None,
                scope: Scope::whole(),
                lineage: Vec::new(),
                sign_in: None,
            },
            assertion_id: assertion.id.to_owned(),
            valid_until: assertion.valid_until,
        })
    }

    fn check_current(&self, now: Timestamp) -> Result<(), SamlRefused> {
        match self.idp.valid_until.is_none_or(|end| now < end) {
            true => Ok(()),
            false => Err(SamlRefused::Metadata),
        }
    }
}

/// The document in a form value. Lines are ended by some providers; nothing else is passed over.
fn decoded(saml_response: &str) -> Result<Vec<u8>, SamlRefused> {
    if saml_response.len() > RESPONSE_BYTES_MAX {
        return Err(SamlRefused::TooLong);
    }
    let text: String = saml_response
        .chars()
        .filter(|c| !matches!(c, '\r' | '\n'))
        .collect();
    STANDARD.decode(text).map_err(|_| SamlRefused::NotBase64)
}
