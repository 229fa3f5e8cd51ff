//! The configuration as the program uses it: every value is valid by its type or was checked once.
//!
//! Lives here: domain values. Never: optional-because-unchecked, text that still has to be parsed, secrets themselves
//! (only where they come from).

mod listen;
mod target;

use brattice_core::action::Effect;
use brattice_core::approval::HoldTimes;
use brattice_core::ids::Digest;
use brattice_core::mask::Classes;
use brattice_core::policy::{Rules, SourceFile};
use brattice_core::principal::PrincipalKind;
use brattice_identity::lend::{AwsSecret, VaultPath};
pub use listen::{AdminListener, Listen, PostgresListener, SshListener, TlsFiles};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
pub use target::{AllowedFunction, SshTarget, TargetConfig, TargetCredential, TargetTls, TlsMode};

/// A whole bundle, checked.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The directory of the bundle.
    pub root: PathBuf,
    /// Digest of the configuration's and the policies' text: what the audit log says came into force.
    pub digest: Digest,
    /// The IANA name of the time zone in which rules read the clock.
    pub time_zone: String,
    /// The listeners.
    pub listen: Listen,
    /// Where the audit log, recordings and the database are.
    pub data_dir: PathBuf,
    /// The database's file.
    pub database: PathBuf,
    /// Where the key comes from that opens the sealed store. There when any target's credential is sealed.
    pub sealing_key: Option<SecretSource>,
    /// How sessions are recorded.
    pub recording: RecordingConfig,
    /// Identity providers.
    pub issuers: Vec<Issuer>,
    /// Providers that speak SAML, by whom people sign in.
    pub saml: Vec<Saml>,
    /// SPIFFE trust domains.
    pub spiffe: Vec<Spiffe>,
    /// Who answers for an agent, each as `issuer/name`.
    pub owners: BTreeMap<String, String>,
    /// Vaults by name.
    pub vaults: BTreeMap<String, Vault>,
    /// What is known of AWS, by name.
    pub aws: BTreeMap<String, Aws>,
    /// Targets by name.
    pub targets: BTreeMap<String, TargetConfig>,
    /// Kinds of sensitive data that the bundle names.
    pub classes: Vec<ClassConfig>,
    /// The same with the built-in ones, as masking takes them.
    pub data_classes: Arc<Classes>,
    /// How long holds wait, where a target does not say otherwise.
    pub holds: HoldTimes,
    /// Webhooks.
    pub routes: Vec<Route>,
    /// The rules' files.
    pub policies: Vec<SourceFile>,
    /// The rules, ready to judge.
    pub rules: Arc<Rules>,
    /// Upper bounds.
    pub limits: Limits,
}

/// Where a secret comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file; one newline at its end is not part of the secret.
    File(PathBuf),
    /// The sealed store, under the target's name.
    Sealed,
    /// A value that a vault keeps.
    Vault(VaultPath),
    /// A secret that AWS keeps, or a value of it.
    Aws(AwsSecret),
}

/// A region of AWS, and who the gateway is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// The region.
    pub region: String,
    /// What requests are signed with.
    pub keys: AwsLogin,
    /// Where Secrets Manager answers, if not at its own address.
    pub secretsmanager: Option<String>,
    /// Where STS answers, if not at its own address.
    pub sts: Option<String>,
    /// Certificates that theirs must lead to.
    pub ca: Option<PathBuf>,
    /// How long a secret is kept.
    pub secret_age_max: Duration,
}

/// What requests to AWS are signed with. What is secret comes from the environment or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwsLogin {
    /// An access key.
    Keys {
        /// Its id.
        id: SecretSource,
        /// Its secret.
        secret: SecretSource,
        /// Its session token.
        token: Option<SecretSource>,
    },
    /// A role that is taken with a token.
    WebIdentity {
        /// The role's ARN.
        role: String,
        /// The token.
        token: SecretSource,
    },
    /// The container's role.
    Container,
    /// The instance's role.
    Instance {
        /// Where its metadata service answers, if not at its usual address.
        at: Option<String>,
    },
}

/// A vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// Where it is.
    pub address: String,
    /// Certificates that its own must lead to.
    pub ca: Option<PathBuf>,
    /// The namespace that everything is in.
    pub namespace: Option<String>,
    /// How the gateway proves itself to it.
    pub login: VaultLogin,
}

/// How the gateway proves itself to a vault. What is secret comes from the environment or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultLogin {
    /// With a token.
    Token(SecretSource),
    /// With an AppRole.
    AppRole {
        /// Where the method is mounted.
        mount: String,
        /// The role's id.
        role_id: SecretSource,
        /// Its secret.
        secret_id: SecretSource,
    },
    /// With a signed token of the platform.
    Jwt {
        /// Where the method is mounted.
        mount: String,
        /// The role.
        role: String,
        /// The token.
        token: SecretSource,
    },
}

/// How sessions are recorded.
#[derive(Debug, Clone)]
pub struct RecordingConfig {
    /// Where the key comes from under which recordings' keys are encrypted. Never [`SecretSource::Sealed`].
    pub master_key: SecretSource,
}

/// An identity provider.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// Its short name in policies.
    pub name: String,
    /// What its tokens say in `iss`.
    pub url: String,
    /// The audiences that mean this gateway; a token names one. Never empty.
    pub audiences: Vec<String>,
    /// Audiences that may stand beside.
    pub audiences_beside: Vec<String>,
    /// Accepted signature algorithms, by their JOSE names. Never symmetric, never `none`, never empty.
    pub algorithms: Vec<&'static str>,
    /// Where its keys are, when discovery is not to be used.
    pub jwks_uri: Option<String>,
    /// Certificates that its own must lead to.
    pub ca: Option<PathBuf>,
    /// The only clients whose tokens count; all when empty.
    pub clients: Vec<String>,
    /// Whether a token's header must say `at+jwt`.
    pub access_token_type_required: bool,
    /// Which claims say what.
    pub claims: Claims,
    /// Most nested `act` claims.
    pub delegation_depth_max: usize,
    /// The longest validity of a token.
    pub token_lifetime_max: Duration,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// When keys are fetched again.
    pub keys_refresh: Duration,
    /// How old keys may become while the provider is away.
    pub keys_stale_max: Duration,
    /// It is for trying out, and every listener is on loopback.
    pub development: bool,
    /// As what the gateway is known there, where people sign in by it.
    pub sign_in: Option<SignIn>,
    /// Whether tokens count in the hands alone that they are bound to.
    pub binding_required: bool,
}

/// A provider that speaks SAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saml {
    /// Its short name in policies.
    pub name: String,
    /// Its metadata.
    pub metadata: PathBuf,
    /// Where the subject's name stands.
    pub subject: SamlSubject,
    /// The attribute with the groups; `None` when the provider knows none.
    pub groups: Option<String>,
    /// Authentication contexts that mean a second factor.
    pub mfa_when: Vec<String>,
    /// How far clocks may be apart.
    pub leeway: Duration,
    /// How long ago a person may have authenticated there.
    pub authentication_age_max: Option<Duration>,
    /// How long a sign-in goes on.
    pub sign_in_max: Duration,
    /// Keys that assertions may be encrypted to, and that of requests.
    pub encryption: Option<TlsFiles>,
    /// The key that signs requests.
    pub signing: Option<TlsFiles>,
    /// Whether tokens count in the hands alone that they are bound to.
    pub binding_required: bool,
}

/// A SPIFFE trust domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spiffe {
    /// Its short name in policies.
    pub name: String,
    /// Its name in SPIFFE IDs.
    pub trust_domain: String,
    /// The file with its authorities.
    pub bundle: PathBuf,
    /// Groups that ids tell.
    pub group_when: Vec<(String, Vec<(String, String)>)>,
    /// Longest life of a certificate.
    pub svid_lifetime_max: Duration,
}

/// Where the name of a SAML subject stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SamlSubject {
    /// In a `NameID` of this format.
    NameId(&'static str),
    /// In an attribute.
    Attribute(String),
}

/// What the gateway is to a provider by whom people sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Its `client_id`.
    pub client_id: String,
    /// Where its secret comes from. Never [`SecretSource::Sealed`].
    pub client_secret: Option<SecretSource>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
    /// How long a sign-in may go on without the provider's word.
    pub recheck_max: Duration,
}

impl Checked {
    /// Whether there is a provider of this name, of whatever kind.
    pub fn has_provider(&self, name: &str) -> bool {
        self.issuers.iter().any(|i| i.name == name) || self.saml.iter().any(|s| s.name == name)
    }
}

impl Issuer {
    /// Whether it is reached without TLS, on this machine.
    pub fn is_loopback_http(&self) -> bool {
        self.url.starts_with("http://")
            || self
                .jwks_uri
                .as_ref()
                .is_some_and(|uri| uri.starts_with("http://"))
    }
}

/// Which claims say what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The subject.
    pub subject: String,
    /// The groups; `None` when the provider knows none.
    pub groups: Option<String>,
    /// Groups that other claims tell, each with the claims and patterns that must all hold. Never none.
    pub group_when: Vec<(String, Vec<(String, String)>)>,
    /// Claims with values of which any makes an agent.
    pub agent_when: Vec<(String, String)>,
    /// Claims with values of which any makes a user.
    pub user_when: Vec<(String, String)>,
    /// What it is when none of these holds; `None` refuses the token.
    pub otherwise: Option<PrincipalKind>,
    /// Values of `amr` that mean a second factor.
    pub mfa_when: Vec<String>,
}

/// A kind of sensitive data.
#[derive(Debug, Clone)]
pub struct ClassConfig {
    /// Its name.
    pub name: String,
    /// Classes it belongs to; `None` leaves those of the built-in class.
    pub parents: Option<Vec<String>>,
    /// Columns that hold it.
    pub columns: Vec<ColumnName>,
    /// Whether its pattern is looked for in everything that leaves.
    pub detect: bool,
}

/// A column of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ColumnName {
    /// The target.
    pub target: String,
    /// The database; `None` for every one.
    pub database: Option<String>,
    /// The schema.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The column.
    pub column: String,
}

/// A signed webhook.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Where to send.
    pub url: String,
    /// Where the signing secret comes from.
    pub secret: SecretSource,
    /// Certificates that the receiver's own must lead to.
    pub ca: Option<PathBuf>,
    /// Which questions.
    pub matching: Match,
    /// Whether decisions are taken back.
    pub decisions: bool,
}

/// Which questions a route announces: each list that is not empty must have a member in common with the question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Match {
    /// Rules by id.
    pub rules: Vec<String>,
    /// Targets.
    pub targets: Vec<String>,
    /// Labels as `key=value`.
    pub labels: Vec<String>,
    /// Effects.
    pub effects: Vec<Effect>,
}

/// Upper bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Callers' connections at once.
    pub connections_max: u32,
    /// How many of these one caller may have.
    pub connections_of_one_max: u32,
    /// Connections to the API at once.
    pub api_connections_max: u32,
    /// People who look on at open sessions at once.
    pub watchers_max: u32,
    /// The same at one session.
    pub session_watchers_max: u32,
    /// Bytes of one statement with its parameters.
    pub statement_bytes_max: u32,
    /// How long logging in may take.
    pub login_max: Duration,
    /// How long a busy session outlives its identity.
    pub expiry_grace: Duration,
    /// How old the picture of a catalogue may be.
    pub catalogue_age_max: Duration,
    /// How long shutting down waits for sessions.
    pub drain_max: Duration,
    /// Questions of one chain in a minute.
    pub questions_per_minute_max: u32,
    /// The longest life of a minted credential.
    pub credential_lifetime_max: Duration,
    /// The longest life of a token that is given for another.
    pub own_token_lifetime_max: Duration,
    /// How long a person stays signed in.
    pub sign_in_max: Duration,
    /// The longest time that an agent may act for a person by a delegation.
    pub delegation_lifetime_max: Duration,
    /// How old that person's last proof may be when the agent gets a token.
    pub delegation_proof_age_max: Duration,
}
