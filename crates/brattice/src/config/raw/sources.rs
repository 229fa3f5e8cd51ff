//! The tables about where targets' secrets come from: vaults, and AWS.
//!
//! Lives here: names of keys, their documentation, which are required. Never: rules about values (`check`).

use schemars::JsonSchema;
use serde::Deserialize;

/// A HashiCorp Vault or an OpenBao that secrets come from. Exactly one of `token`, `approle` and `jwt` is given.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawVault {
    /// Where it is: `https://vault.example.com:8200`, or plain http on this machine.
    #[schemars(required)]
    pub address: Option<String>,
    /// PEM file with the certificates that its own must lead to. Default: the system's.
    pub ca: Option<String>,
    /// The namespace that everything is in.
    pub namespace: Option<String>,
    /// Where a token for it comes from: `env:NAME` or `file:PATH`, as an agent of the vault keeps it.
    #[schemars(extend("writeOnly" = true))]
    pub token: Option<String>,
    /// Log in with an AppRole.
    pub approle: Option<RawAppRole>,
    /// Log in with a signed token of the platform: Kubernetes, or any JWT.
    pub jwt: Option<RawVaultJwt>,
}

/// An AppRole of a vault.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAppRole {
    /// Where the method is mounted. Default: `approle`.
    pub mount: Option<String>,
    /// Where the role's id comes from: `env:NAME` or `file:PATH`.
    #[schemars(required)]
    pub role_id: Option<String>,
    /// Where its secret id comes from: `env:NAME` or `file:PATH`.
    #[schemars(required, extend("writeOnly" = true))]
    pub secret_id: Option<String>,
}

/// A login at a vault by a signed token.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawVaultJwt {
    /// Where the method is mounted. Default: `kubernetes`.
    pub mount: Option<String>,
    /// The role at the vault.
    #[schemars(required)]
    pub role: Option<String>,
    /// The token's file, read anew at each login. Default: the pod's own,
    /// `file:/var/run/secrets/kubernetes.io/serviceaccount/token`.
    #[schemars(extend("writeOnly" = true))]
    pub token: Option<String>,
}

/// A region of AWS, and who the gateway is there: exactly one of `keys`, `web_identity`, `container` and `instance`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAws {
    /// The region, as in `eu-central-1`.
    #[schemars(required)]
    pub region: Option<String>,
    /// An access key.
    pub keys: Option<RawAwsKeys>,
    /// A role that is taken with a signed token of the platform (IRSA in EKS).
    pub web_identity: Option<RawAwsWebIdentity>,
    /// The role of the container that the gateway runs in: `container = {}`. ECS and EKS Pod Identity say in the
    /// environment where it is to be had.
    pub container: Option<RawAwsContainer>,
    /// The role of the EC2 instance that the gateway runs on: `instance = {}`.
    pub instance: Option<RawAwsInstance>,
    /// Addresses to ask instead of the services' own.
    #[serde(default)]
    pub endpoints: RawAwsEndpoints,
    /// PEM file with the certificates that the services' own must lead to. Default: the system's.
    pub ca: Option<String>,
    /// How long a secret is kept after it was read, at most `1h`; `0s` reads it for each session. A target that refuses it
    /// has it read anew at once. Default: `1m`.
    pub secret_age_max: Option<String>,
}

/// An access key of AWS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAwsKeys {
    /// Where its id comes from: `env:NAME` or `file:PATH`.
    #[schemars(required, extend("writeOnly" = true))]
    pub access_key_id: Option<String>,
    /// Where its secret comes from: `env:NAME` or `file:PATH`.
    #[schemars(required, extend("writeOnly" = true))]
    pub secret_access_key: Option<String>,
    /// Where the session token of a temporary one comes from: `env:NAME` or `file:PATH`.
    #[schemars(extend("writeOnly" = true))]
    pub session_token: Option<String>,
}

/// A role of AWS that is taken with a signed token.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAwsWebIdentity {
    /// The role's ARN.
    #[schemars(required)]
    pub role: Option<String>,
    /// The token's file, read anew each time. Default: the pod's own in EKS,
    /// `file:/var/run/secrets/eks.amazonaws.com/serviceaccount/token`.
    #[schemars(extend("writeOnly" = true))]
    pub token: Option<String>,
}

/// The role of this container.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAwsContainer {}

/// The role of this instance.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAwsInstance {
    /// Where its metadata service answers (version 2). Default: `http://169.254.169.254`; over IPv6 it is
    /// `http://[fd00:ec2::254]`.
    pub endpoint: Option<String>,
}

/// Addresses to ask instead of those that AWS has in the region: endpoints of a VPC, or of FIPS.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawAwsEndpoints {
    /// Secrets Manager's.
    pub secretsmanager: Option<String>,
    /// STS's, for `web_identity`.
    pub sts: Option<String>,
}
