//! The configuration as it is written: one type for each table of `brattice.toml`, and the JSON Schema made from them.
//!
//! Lives here: names of keys, their documentation, which are required. Never: defaults that depend on other keys, rules
//! about values (`check`). Every key is optional to serde, so that one mistake never hides another; what is required is
//! said to the schema, and `shape` holds documents to it.

mod providers;
mod sources;

pub use providers::{
    RawAlgorithm, RawClaims, RawIssuer, RawNameId, RawPrincipals, RawSaml, RawSignIn, RawSpiffe,
    RawSpiffeClaims,
};
pub use sources::{
    RawAppRole, RawAws, RawAwsEndpoints, RawAwsInstance, RawAwsKeys, RawAwsWebIdentity, RawVault,
    RawVaultJwt,
};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The JSON Schema of `brattice.toml`, draft 2020-12, without references.
pub fn schema() -> Json {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings
        .into_generator()
        .into_root_schema_for::<RawConfig>()
        .to_value();
    without_null(&mut schema);
    if let Some(own) = schema.as_object_mut() {
        own.insert("title".to_owned(), "brattice.toml".into());
    }
    schema
}

/// TOML has no null, and defaults are told in words: takes both out of what serde's `Option` and `default` left.
fn without_null(schema: &mut Json) {
    if let Some(alternatives) = schema.get("anyOf").and_then(Json::as_array) {
        let real = alternatives
            .iter()
            .find(|s| s.get("type").and_then(Json::as_str) != Some("null"))
            .cloned();
        if let (Some(Json::Object(real)), Some(own)) = (real, schema.as_object_mut()) {
            own.remove("anyOf");
            for (key, value) in real {
                own.entry(key).or_insert(value);
            }
        }
    }
    match schema {
        Json::Object(own) => {
            own.remove("default");
            if let Some(Json::Array(types)) = own.get("type")
                && let Some(real) = types.iter().find(|t| t.as_str() != Some("null")).cloned()
            {
                own.insert("type".to_owned(), real);
            }
            own.values_mut().for_each(without_null);
        }
        Json::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// The configuration of one gateway. Paths are relative to the directory that holds this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawConfig {
    /// The time zone in which rules read `context.clock`, as in `Europe/Paris`. Default: `UTC`.
    pub time_zone: Option<String>,
    /// Where the gateway listens.
    #[schemars(required)]
    pub listen: Option<RawListen>,
    /// Where the gateway keeps its state, its audit log and its recordings.
    #[schemars(required)]
    pub store: Option<RawStore>,
    /// How sessions are recorded.
    #[schemars(required)]
    pub recording: Option<RawRecording>,
    /// Identity providers by the short name that policies use: `okta` in `Group::"okta/dba"`.
    #[schemars(required)]
    pub issuers: Option<BTreeMap<String, RawIssuer>>,
    /// Identity providers that speak SAML 2.0, by the short name that policies use. People sign in by them: `brattice login`.
    #[serde(default)]
    pub saml: BTreeMap<String, RawSaml>,
    /// SPIFFE trust domains whose workloads show X.509-SVIDs, by the short name that policies use. One that has the name of an
    /// issuer means the same workloads as its JWT-SVIDs do.
    #[serde(default)]
    pub spiffe: BTreeMap<String, RawSpiffe>,
    /// Who answers for an agent: `"okta/etl-7" = "okta/alice"`. Rules read it as `principal.owner`.
    #[serde(default)]
    pub owners: BTreeMap<String, String>,
    /// Where secrets of targets come from besides the environment, files and the sealed store, by name.
    #[serde(default)]
    pub vaults: BTreeMap<String, RawVault>,
    /// Regions of AWS that secrets and logins of targets come from, by name, and who the gateway is there.
    #[serde(default)]
    pub aws: BTreeMap<String, RawAws>,
    /// What is reached through the gateway, by name.
    #[serde(default)]
    pub targets: BTreeMap<String, RawTarget>,
    /// Kinds of sensitive data, by name: `email` in `Class::"email"`. One with the name of a built-in class changes it.
    #[serde(default)]
    pub classes: BTreeMap<String, RawClass>,
    /// How long a held command waits.
    #[serde(default)]
    pub holds: RawHolds,
    /// Where questions to people are announced: signed webhooks, by name.
    #[serde(default)]
    pub routes: BTreeMap<String, RawRoute>,
    /// Upper bounds.
    #[serde(default)]
    pub limits: RawLimits,
}

/// The listeners.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawListen {
    /// Where agents connect with PostgreSQL's protocol.
    pub postgres: Option<RawListener>,
    /// Where agents connect with SSH.
    pub ssh: Option<RawSshListener>,
    /// Where the REST API answers.
    #[schemars(required)]
    pub admin: Option<RawAdminListener>,
    /// Ask clients of the listeners with TLS for a certificate, so that tokens can be bound to it. Nobody needs one, and
    /// anybody's will do: it names nobody by itself. Default: `true` where there is a table `spiffe`, else `false`.
    pub client_certificates: Option<bool>,
    /// Where `/metrics`, `/healthz` and `/readyz` answer, without authentication.
    pub metrics: Option<RawMetricsListener>,
}

/// A listener for a target's protocol.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawListener {
    /// Address and port, as in `0.0.0.0:5432` or `[::]:5432`.
    #[schemars(required)]
    pub address: Option<String>,
    /// The certificate that callers see. Without it, only a loopback address may be listened on.
    pub tls: Option<RawTlsFiles>,
    /// Take connections without TLS, on a loopback address only. Default: `false`.
    #[serde(default)]
    pub allow_plaintext_loopback: bool,
    /// The host name that callers are told to connect to. Default: that of the address.
    pub public_host: Option<String>,
}

/// The REST API's listener.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAdminListener {
    /// Address and port, as in `127.0.0.1:8443`.
    #[schemars(required)]
    pub address: Option<String>,
    /// The certificate that clients see. Without it, only a loopback address may be listened on.
    pub tls: Option<RawTlsFiles>,
    /// Take connections without TLS, on a loopback address only. Default: `false`.
    #[serde(default)]
    pub allow_plaintext_loopback: bool,
    /// The address under which people reach the API; approval links begin with it. Default: made of the address.
    pub public_url: Option<String>,
}

/// The listener for SSH.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSshListener {
    /// Address and port, as in `0.0.0.0:2222`.
    #[schemars(required)]
    pub address: Option<String>,
    /// The private key by which callers know the gateway, as `ssh-keygen -t ed25519` writes it, without a passphrase.
    /// Default: one that the gateway makes at its first start and keeps in the store's directory.
    pub host_key: Option<String>,
    /// The private key that signs the listener's certificate, so that clients need to know one authority and no gateway's
    /// key; in the same form, with the same default. Gateways that clients know by one line share it.
    pub host_ca: Option<String>,
    /// The private key that signs callers' certificates; in the same form, with the same default. None but this gateway has
    /// to trust it: a certificate counts for what the credential behind it says.
    pub user_ca: Option<String>,
    /// The private key that signs the gateway's logins at hosts with `certificate = "gateway"`; in the same form, with the
    /// same default. Its public half belongs into the hosts' `TrustedUserCAKeys`.
    pub target_ca: Option<String>,
    /// The host name that callers are told to connect to. Default: that of the address.
    pub public_host: Option<String>,
}

/// The listener for machines that watch the gateway.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMetricsListener {
    /// Address and port, as in `127.0.0.1:9464`.
    #[schemars(required)]
    pub address: Option<String>,
}

/// A certificate with its private key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTlsFiles {
    /// PEM file with the certificate chain, the leaf first.
    #[schemars(required)]
    pub cert: Option<String>,
    /// PEM file with the private key.
    #[schemars(required)]
    pub key: Option<String>,
}

/// Where state is kept.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawStore {
    /// A directory on a durable local disk, for the audit log, recordings and the database. Made if it is missing.
    #[schemars(required)]
    pub directory: Option<String>,
    /// The database, as `sqlite:PATH`. Default: `brattice.db` in the directory.
    pub url: Option<String>,
    /// Where the key comes from that opens the sealed store: 32 bytes, as 64 hexadecimal digits or in base64.
    /// `env:NAME` or `file:PATH`. Required when a target's credential is `sealed`.
    #[schemars(extend("writeOnly" = true))]
    pub sealing_key: Option<String>,
    /// Accept a directory that does not outlive the machine or the pod (tmpfs, an emptyDir). Default: `false`.
    #[serde(default)]
    pub allow_volatile: bool,
}

/// How sessions are recorded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRecording {
    /// Where the key comes from that encrypts the recordings' keys: 32 bytes, as 64 hexadecimal digits or in base64.
    /// `env:NAME` or `file:PATH`.
    #[schemars(required, extend("writeOnly" = true))]
    pub master_key: Option<String>,
}

/// What is reached.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTarget {
    /// What it speaks.
    #[schemars(required)]
    pub protocol: Option<RawProtocol>,
    /// Its host name or address.
    #[schemars(required)]
    pub host: Option<String>,
    /// Its port. Default: the protocol's own.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Labels; policies see `Label::"key=value"`. `env` is required.
    #[schemars(required)]
    pub labels: Option<BTreeMap<String, String>>,
    /// How the connection to it is protected.
    #[serde(default)]
    pub tls: RawTargetTls,
    /// The role the gateway logs in with. Required, unless a vault makes a user for each session or a secret of AWS names
    /// it.
    pub user: Option<String>,
    /// Where that role's password comes from: `env:NAME`, `file:PATH`, `sealed`, `vault:VAULT/MOUNT/PATH#FIELD` for a value
    /// that a vault keeps, or `aws:AWS/SECRET#KEY` for a value of a secret that AWS Secrets Manager keeps (by its name or
    /// its ARN; without `#KEY` the whole of its text). `vault:VAULT/MOUNT/creds/ROLE` has a vault make user and password
    /// for each session; `aws:AWS/SECRET#KEY,KEY` takes user and password from one secret, by the keys `username` and
    /// `password` if none are given and there is no `user`. `rds-iam:AWS` signs a login for RDS with the keys of AWS, and
    /// needs `tls.mode = "verify-full"`. Never the password itself.
    #[schemars(extend("writeOnly" = true))]
    pub password: Option<String>,
    /// The certificate the gateway logs in with, instead of a password or beside it.
    pub client_certificate: Option<RawTlsFiles>,
    /// Where the private key comes from that the gateway logs in to a host with, as `password` says: `env:NAME`,
    /// `file:PATH`, `sealed`, or a value of a vault or of AWS. As `ssh-keygen` writes it, without a passphrase; Ed25519 or
    /// ECDSA.
    #[schemars(extend("writeOnly" = true))]
    pub private_key: Option<String>,
    /// Whose certificate the gateway logs in to a host with, instead of `private_key` or `password`. Each session has a key
    /// of its own, and a certificate that is good for minutes, whose name tells the host's log the agent and the session.
    /// With `gateway` the gateway signs it itself: the host needs `TrustedUserCAKeys` with the key that `brattice ssh ca`
    /// prints. With `vault:VAULT/MOUNT/sign/ROLE` the SSH secrets engine of a vault signs it, whose key the host needs.
    #[schemars(extend("pattern" = "^(gateway|vault:.+/.+/sign/.+)$"))]
    pub certificate: Option<String>,
    /// The keys of a host, as in `ssh-ed25519 AAAA…`: it must prove to hold one of them. This or `host_authorities` is
    /// required for `ssh`, since a key that is taken at first sight may be anybody's: `ssh-keyscan` on the host itself tells them.
    #[serde(default)]
    pub host_keys: Vec<String>,
    /// The keys of those who certify a host's key, as in `ssh-ed25519 AAAA…`: a host that shows a host certificate of one of
    /// them, good now and with the target's `host` among its names, is that host.
    #[serde(default)]
    pub host_authorities: Vec<String>,
    /// Accounts of a host that may be asked for besides `user`, which is the one where none is named.
    #[serde(default)]
    pub accounts: Vec<String>,
    /// The shell that the accounts of a host log in with. Required for `ssh`: it decides how command lines are read.
    pub shell: Option<RawShell>,
    /// Mask what the value detectors find in files that are read from a host by SFTP, as scp and sftp do, for whoever no rule
    /// permits `ssh.reveal` on them. Values are written over in place; what is no text is not shown, and programs that send
    /// files in a form of their own (`scp -O`, rsync, git) may read none. Default: `false`.
    pub mask_files: Option<bool>,
    /// Give each session a role of its own, made by `user` and dropped when the session ends.
    pub ephemeral: Option<RawEphemeral>,
    /// The database when the caller names only the target.
    pub database: Option<String>,
    /// Databases that may be reached. Default: `database` alone, or any if that is not given either.
    #[serde(default)]
    pub databases: Vec<String>,
    /// Schemas that a session's `search_path` may name. Default: `["public"]`.
    pub search_path: Option<Vec<String>>,
    /// Functions outside `pg_catalog` that are known to be harmless: `schema.name(argument types)`, or
    /// `schema.name(*)` for every overload.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Connections to the target at once, over all sessions. Default: 50.
    #[schemars(range(min = 1, max = 100000))]
    pub connections_max: Option<u32>,
    /// How long a held command waits on this target, where that differs.
    #[serde(default)]
    pub holds: RawHolds,
    /// Judge and record, refuse nothing for want of a rule. Announced loudly, for finding out what rules would do. Default:
    /// `false`.
    #[serde(default)]
    pub observe: bool,
}

/// A role of its own for each session.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawEphemeral {
    /// The role whose rights every session has. `user` must be a member of it with the admin option.
    #[schemars(required)]
    pub template: Option<String>,
}

/// The protocols that targets can speak in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawProtocol {
    /// PostgreSQL 13 to 18.
    Postgres,
    /// SSH, version 2.
    Ssh,
}

/// The shell that an account of a host logs in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawShell {
    /// dash, or another POSIX shell.
    Sh,
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// A command of the account's own, whatever is asked for: nothing that is asked for is understood.
    Forced,
}

/// How the connection to a target is protected.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawTargetTls {
    /// What is checked. Default: `verify-full`.
    pub mode: Option<RawTlsMode>,
    /// PEM file with the certificates that the target's own must lead to. Required by the modes that verify.
    pub ca: Option<String>,
    /// Accept `mode = "disable"` for a target that is not on this machine. Default: `false`.
    #[serde(default)]
    pub allow_plaintext: bool,
}

/// What is checked of a target's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawTlsMode {
    /// No TLS.
    Disable,
    /// TLS with any certificate: safe against listening, not against impostors.
    Require,
    /// TLS with a certificate that leads to `ca`.
    VerifyCa,
    /// The same, and the certificate names `host`.
    VerifyFull,
}

/// A kind of sensitive data.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawClass {
    /// Classes it belongs to: a rule about one of these reaches it. Default: none, or those of the built-in class.
    pub parents: Option<Vec<String>>,
    /// Columns that hold it: `target/database/schema.table.column`; `*` stands for every database of the target, every
    /// schema, or every table that has the column.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Look for its pattern in everything that leaves, too, where there is one. Default: `true`.
    pub detect: Option<bool>,
}

/// How long a held command waits.
#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawHolds {
    /// How long the connection is kept waiting before the caller gets a ticket instead. Default: `2m`.
    pub wait_max: Option<String>,
    /// How long a question stays open, and how long a ticket can be used once approved. Default: `1h`.
    pub ticket_lifetime: Option<String>,
    /// How often a waiting caller is told that it waits. Default: `15s`.
    pub notice_every: Option<String>,
}

/// A signed webhook that announces questions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRoute {
    /// Where to send.
    #[schemars(required)]
    pub url: Option<String>,
    /// Where the signing secret comes from: `env:NAME` or `file:PATH`; at least 32 bytes.
    #[schemars(required, extend("writeOnly" = true))]
    pub secret: Option<String>,
    /// PEM file with the certificates that the receiver's own must lead to. Default: the system's.
    pub ca: Option<String>,
    /// Which questions. Everything given must match; default: all.
    #[serde(rename = "match")]
    #[serde(default)]
    pub matching: RawMatch,
    /// Take decisions signed with the same secret back on the API. They name a person, whom policy judges as always.
    /// Default: `false`.
    #[serde(default)]
    pub decisions: bool,
}

/// Which questions a route announces.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawMatch {
    /// Any of these rules, by `@id`.
    #[serde(default)]
    pub rules: Vec<String>,
    /// Any of these targets.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Any of these labels, as `key=value`.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Any of these effects.
    #[serde(default)]
    pub effects: Vec<RawEffect>,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RawEffect {
    /// Looks.
    Read,
    /// Changes data within bounds.
    Write,
    /// Changes structure, settings or rights.
    Administer,
    /// Destroys data or structure.
    Destroy,
    /// Runs code that cannot be judged from outside.
    Execute,
    /// Could not be told.
    Unknown,
}

/// Upper bounds.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLimits {
    /// Callers' connections at once, on each listener. Who has yet to say who they are takes at most a quarter of them from one
    /// address, and makes room. Default: 1000.
    #[schemars(range(min = 1, max = 1000000))]
    pub connections_max: Option<u32>,
    /// How many of these one agent or person may have. Default: half of them.
    #[schemars(range(min = 1, max = 1000000))]
    pub connections_of_one_max: Option<u32>,
    /// Connections to the API at once, a quarter of them from one address; idle ones make room. Default: 256.
    #[schemars(range(min = 4, max = 1000000))]
    pub api_connections_max: Option<u32>,
    /// People who look on at open sessions at once (`brattice sessions watch`). Default: 64.
    #[schemars(range(min = 1, max = 10000))]
    pub watchers_max: Option<u32>,
    /// The same at one session. Default: 8.
    #[schemars(range(min = 1, max = 10000))]
    pub session_watchers_max: Option<u32>,
    /// Bytes of one statement with its parameters. Default: 1048576.
    #[schemars(range(min = 1024, max = 1073741824))]
    pub statement_bytes_max: Option<u32>,
    /// How long a caller may take to log in. A person who has begun to sign in by a code over SSH may take as long as the
    /// code is good. Default: `10s`.
    pub login_max: Option<String>,
    /// How long a session may go on after its identity expired, when it is busy. Default: `60s`.
    pub expiry_grace: Option<String>,
    /// How old the picture of a target's catalogue may be. Default: `1s`.
    pub catalogue_age_max: Option<String>,
    /// How long open sessions may take to finish at shutdown. Default: `30s`.
    pub drain_max: Option<String>,
    /// Questions one chain may put to people in a minute. Default: 10.
    #[schemars(range(min = 1, max = 10000))]
    pub questions_per_minute_max: Option<u32>,
    /// How long a minted credential may be valid. Default: `1h`.
    pub credential_lifetime_max: Option<String>,
    /// The longest life of a token that the gateway gives for another (`/oauth/token`), at most `60m`. Default: `15m`.
    pub own_token_lifetime_max: Option<String>,
    /// How long a person stays signed in (`brattice login`), at most `7d`. Default: `12h`.
    pub sign_in_max: Option<String>,
    /// How long an agent may act for a person by a delegation (`brattice delegate`), at most. Default: `24h`.
    pub delegation_lifetime_max: Option<String>,
    /// How old a person's last proof of who they are may be when an agent gets a token to act for them. Default: `24h`.
    pub delegation_proof_age_max: Option<String>,
}
