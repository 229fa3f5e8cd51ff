//! Keys that the machine or the container is given: by ECS and EKS Pod Identity at an address in the environment, by EC2
//! at its metadata service.
//!
//! Lives here: asking either. Never: how long the keys are kept, version 1 of the metadata service (whoever can make this
//! process send a plain request could read them).

use super::AwsError;
use super::sign::Keys;
use super::web::{self, Reply};
use crate::lend::source::{Plain, SecretFrom};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use std::net::IpAddr;
use url::Host;
use zeroize::Zeroizing;

/// Where ECS answers.
const ECS: &str = "http://169.254.170.2";
/// Hosts that an address in clear may name, besides this machine: those of ECS and of EKS.
const CONTAINER_HOSTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];
/// Where EC2 answers.
const EC2: &str = "http://169.254.169.254";
/// The metadata service's hosts.
const EC2_HOSTS: [&str; 2] = ["169.254.169.254", "fd00:ec2::254"];
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
/// How long a session with the metadata service may be used; a few requests are made in it.
const SESSION_SECONDS: &str = "60";

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    token: String,
    expiration: jiff::Timestamp,
}

/// What the container's role has.
pub(super) async fn container(client: &Client, plain: &Plain) -> Result<Keys, AwsError> {
    let variable = |name: &str| {
        let found = plain.0.variable(name)?;
        found.expose_str().map(str::to_owned)
    };
    let address = match (variable(RELATIVE), variable(FULL)) {
        (Some(path), _) => format!("{ECS}{path}"),
        (None, Some(address)) => address,
        (None, None) => {
            return Err(AwsError::Source(format!(
                "neither {RELATIVE} nor {FULL} is set: give the task a role, or the pod's service account an association of EKS Pod Identity"
            )));
        }
    };
    if !is_near(&address, &CONTAINER_HOSTS) {
        return Err(AwsError::Source(format!(
            "{FULL} leads neither to this machine nor to an address of ECS or EKS"
        )));
    }
    let token = match variable(TOKEN_FILE) {
        Some(path) => Some(SecretFrom::File(path.into())),
        None => variable(TOKEN).map(|_| SecretFrom::Env(TOKEN.to_owned())),
    };
    let headers = match token {
        Some(from) => vec![(
            "authorization",
            plain.line(&from).await.map_err(AwsError::Source)?,
        )],
        None => Vec::new(),
    };
    let reply = get(client, &address, &headers).await?;
    keys(&reply)
}

/// What the instance's role has.
pub(super) async fn instance(client: &Client, at: Option<&str>) -> Result<Keys, AwsError> {
    let at = at.unwrap_or(EC2).trim_end_matches('/');
    let lasts = [(
        "x-aws-ec2-metadata-token-ttl-seconds",
        Secret::new(SESSION_SECONDS),
    )];
    let url = format!("{at}/latest/api/token");
    let begun = web::send(client, Method::PUT, &url, &lasts, Zeroizing::default()).await;
    let begun = begun.map_err(|why| match why {
        AwsError::NoAnswer(why) => AwsError::NoAnswer(format!(
            "{why}; from a container on the instance its metadata service is reached with a hop limit of 2 or more"
        )),
        other => other,
    })?;
    if !begun.is_good() {
        return Err(status(&begun));
    }
    let session = [(
        "x-aws-ec2-metadata-token",
        Secret::new(begun.body.as_slice()),
    )];
    let roles = get(client, &format!("{at}{ROLES}"), &session).await?;
    let role = std::str::from_utf8(&roles.body)
        .ok()
        .and_then(|t| t.lines().next());
    // IAM: letters, digits and `+=,.@-_`.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+=,.@-_".contains(&b);
    let role = role
        .filter(|r| !r.is_empty() && r.bytes().all(plain))
        .ok_or(AwsError::Unexpected("it names no role"))?;
    keys(&get(client, &format!("{at}{ROLES}{role}"), &session).await?)
}

/// Whether an address of EC2's metadata service may be this.
pub fn is_metadata_address(address: &str) -> bool {
    is_near(address, &EC2_HOSTS)
}

/// Over TLS anything; in clear this machine and these.
fn is_near(address: &str, hosts: &[&str]) -> bool {
    let Ok(url) = Url::parse(address) else {
        return false;
    };
    let near = match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback() || is_one(IpAddr::V4(ip), hosts),
        Some(Host::Ipv6(ip)) => ip.is_loopback() || is_one(IpAddr::V6(ip), hosts),
        _ => false,
    };
    match url.scheme() {
        "http" => near,
        "https" => url.host().is_some(),
        _ => false,
    }
}

fn is_one(ip: IpAddr, hosts: &[&str]) -> bool {
    hosts.iter().any(|host| host.parse() == Ok(ip))
}

async fn get(
    client: &Client,
    url: &str,
    headers: &[(&'static str, Secret)],
) -> Result<Reply, AwsError> {
    let reply = web::send(client, Method::GET, url, headers, Zeroizing::default()).await?;
    if reply.is_good() {
        Ok(reply)
    } else {
        Err(status(&reply))
    }
}

fn status(reply: &Reply) -> AwsError {
    match reply.status {
        404 => AwsError::Keys("it has no role to give: attach one to the instance or the task"),
        401 | 403 => AwsError::Keys(
            "it refuses to give the role: on an instance, switch its metadata service on; in a container, look at its authorization token",
        ),
        429 => AwsError::Throttled,
        status => AwsError::Status {
            status,
            code: "no reason given".to_owned(),
        },
    }
}

fn keys(reply: &Reply) -> Result<Keys, AwsError> {
    let given: Given = serde_json::from_slice(&reply.body)
        .map_err(|_| AwsError::Unexpected("it holds no credentials"))?;
    Keys::new(
        &Secret::new(given.access_key_id),
        &Secret::new(given.secret_access_key),
        Some(&Secret::new(given.token)),
        Some(Timestamp(given.expiration.as_microsecond())),
    )
}
