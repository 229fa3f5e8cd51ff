//! Who proves who somebody is: issuers, SAML providers, SPIFFE trust domains, and what is taken from their claims.
//!
//! Lives here: the shape of these tables in the file. Never: meaning, or values that only make sense together.

use super::RawTlsFiles;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// An identity provider.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawIssuer {
    /// The issuer, exactly as its tokens say in `iss`.
    #[schemars(required)]
    pub url: Option<String>,
    /// The audiences that mean this gateway; a token names at least one of them in `aud`.
    #[schemars(required)]
    pub audiences: Option<Vec<String>>,
    /// Other audiences that may stand beside ours. A token with any further one is refused.
    #[serde(default)]
    pub audiences_beside: Vec<String>,
    /// Signature algorithms that are accepted. Default: `["RS256", "ES256"]`.
    pub algorithms: Option<Vec<RawAlgorithm>>,
    /// Where its keys are. Default: found by the provider's discovery document.
    pub jwks_uri: Option<String>,
    /// PEM file with the certificates that the provider's own must lead to. Default: the system's.
    pub ca: Option<String>,
    /// The only clients whose tokens are accepted (`azp`, `client_id`). Default: all.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Refuse tokens whose header does not say `at+jwt` (RFC 9068). Default: `false`.
    #[serde(default)]
    pub access_token_type_required: bool,
    /// Who its tokens stand for where neither `claims.agent_when` nor `claims.user_when` tells. Default: `refuse`.
    pub principals: Option<RawPrincipals>,
    /// Which claims say what.
    #[serde(default)]
    pub claims: RawClaims,
    /// Most nested `act` claims (agent for agent for user); 0 refuses delegated tokens. Default: 4.
    #[schemars(range(max = 8))]
    pub delegation_depth_max: Option<u8>,
    /// A token that is valid for longer is refused. Default: `1h`.
    pub token_lifetime_max: Option<String>,
    /// How far clocks may be apart, at most `60s`. Default: `30s`.
    pub leeway: Option<String>,
    /// Keys older than this are fetched again before they are used. Default: `5m`.
    pub keys_refresh: Option<String>,
    /// How old keys may become while the provider does not answer. Default: `1h`.
    pub keys_stale_max: Option<String>,
    /// A provider for trying out, over plain http on this machine. Taken only where every listener is on a loopback
    /// address. Default: `false`.
    #[serde(default)]
    pub development: bool,
    /// Take tokens for its people and workloads in the hands alone that they are bound to (`cnf`: a client certificate or a
    /// DPoP key), the gateway's own tokens for them, too. Default: `false`.
    #[serde(default)]
    pub binding_required: bool,
    /// People sign in by it: `brattice login`. The provider must know `PUBLIC_URL/oauth/callback/NAME` as a redirect URI.
    pub sign_in: Option<RawSignIn>,
}

/// What the gateway is to a provider by whom people sign in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSignIn {
    /// The gateway's `client_id` there.
    #[schemars(required)]
    pub client_id: Option<String>,
    /// Where its secret comes from: `env:NAME` or `file:PATH`. Without it the gateway is a public client.
    #[schemars(extend("writeOnly" = true))]
    pub client_secret: Option<String>,
    /// What is asked for beside `openid`. With `offline_access` the provider can be asked again at every renewal; without,
    /// a sign-in ends after `recheck_max`. Default: `["profile", "offline_access"]`.
    pub scopes: Option<Vec<String>>,
    /// How long a sign-in may go on without the provider's word, at most `12h`. Default: `1h`.
    pub recheck_max: Option<String>,
}

/// An identity provider that speaks SAML 2.0. Whoever it authenticates is a person.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSaml {
    /// File with the provider's metadata. Its signing certificates are the trust: who can change the file can be anybody.
    #[schemars(required)]
    pub metadata: Option<String>,
    /// Of which format a `NameID` must be to name somebody. Default: `persistent`.
    pub name_id: Option<RawNameId>,
    /// The attribute that names somebody, instead of the `NameID`.
    pub subject_attribute: Option<String>,
    /// The attribute that lists the groups. An assertion without it is refused: absent is not empty. Default: `groups`.
    pub groups: Option<String>,
    /// This provider knows no groups; its people are in none. Default: `false`.
    #[serde(default)]
    pub no_groups: bool,
    /// Values of `AuthnContextClassRef` that mean a second factor was used. Default: none.
    #[serde(default)]
    pub mfa_when: Vec<String>,
    /// How far clocks may be apart, at most `60s`. Default: `30s`.
    pub leeway: Option<String>,
    /// How long ago a person may have authenticated at the provider. Default: any time.
    pub authentication_age_max: Option<String>,
    /// How long a sign-in goes on, at most; it cannot be renewed without the person. At most `24h`. Default: `8h`.
    pub sign_in_max: Option<String>,
    /// The key that the provider may encrypt assertions to: RSA, in PKCS #8. Default: none.
    pub encryption: Option<RawTlsFiles>,
    /// The key that signs requests, where the provider wants them signed: RSA, in PKCS #8. Default: none.
    pub signing: Option<RawTlsFiles>,
    /// Take the gateway's tokens for its people in the hands alone that they are bound to. Default: `false`.
    #[serde(default)]
    pub binding_required: bool,
}

/// A SPIFFE trust domain. Whoever its certificates name is a workload.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSpiffe {
    /// Its name, as in `prod.example.com`.
    #[schemars(required)]
    pub trust_domain: Option<String>,
    /// PEM file with its authorities. Who can change it can be any workload of the trust domain. It is read again when it
    /// changes.
    #[schemars(required)]
    pub bundle: Option<String>,
    /// What SPIFFE IDs say.
    #[serde(default)]
    pub claims: RawSpiffeClaims,
    /// A certificate that is valid for longer is refused, at most `168h`. Default: `24h`.
    pub svid_lifetime_max: Option<String>,
}

/// What SPIFFE IDs say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSpiffeClaims {
    /// Groups that SPIFFE IDs tell: a workload is in one when all that is listed for it holds, as for an issuer. The claim is
    /// `sub`. As in `{ payments = ["sub=spiffe://prod.example.com/ns/payments/sa/*"] }`.
    #[serde(default)]
    pub group_when: BTreeMap<String, Vec<String>>,
}

/// Formats of a `NameID` (SAML Core, section 8.3) that may name somebody. `transient` names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawNameId {
    /// For ever one person's.
    Persistent,
    /// An address: providers give one to somebody else when people leave.
    Email,
    /// Whatever the provider likes.
    Unspecified,
}

/// Signature algorithms of tokens. Symmetric ones and `none` do not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum RawAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256.
    ES256,
    /// ECDSA on P-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

/// Who a provider's tokens stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawPrincipals {
    /// Workloads.
    Agent,
    /// People.
    User,
    /// Nobody: such a token is refused.
    Refuse,
}

/// Which claims say what. A claim is named by its name, or by a path that begins with a slash: `/realm_access/roles`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawClaims {
    /// The subject. Default: `sub`.
    pub subject: Option<String>,
    /// The groups: a list of texts. A token without it is refused: absent is not empty. Default: `groups`.
    pub groups: Option<String>,
    /// This provider lists no groups; its principals are in none but those of `group_when`. Default: `false`.
    #[serde(default)]
    pub no_groups: bool,
    /// Groups that other claims tell: a principal is in one when all that is listed for it holds, each as `claim=value`. A
    /// `*` in a value stands for one or more characters, never for `/` or `:`. As in
    /// `{ deployers = ["repository=acme/shop", "ref=refs/heads/main"] }`.
    #[serde(default)]
    pub group_when: BTreeMap<String, Vec<String>>,
    /// Claims of which any makes an agent, each as `claim=value`.
    #[serde(default)]
    pub agent_when: Vec<String>,
    /// Claims of which any makes a user, each as `claim=value`.
    #[serde(default)]
    pub user_when: Vec<String>,
    /// Values of `amr` that mean a second factor was used. Default: `["mfa"]`.
    pub mfa_when: Option<Vec<String>>,
}
