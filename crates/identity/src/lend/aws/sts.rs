//! A role taken with a token of the platform (AssumeRoleWithWebIdentity): what pods in EKS do.
//!
//! Lives here: the request, which nobody signs, and reading the answer, which is XML. Never: how long it is kept.

use super::error::Asked;
use super::sign::{Keys, encoded};
use super::{AwsError, web};
use crate::saml::xml::{Element, Limits, parse};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use reqwest::{Client, Method};
use zeroize::Zeroizing;

/// What STS sends at most.
const LIMITS: Limits = Limits {
    bytes_max: 64 * 1024,
    depth_max: 8,
    elements_max: 64,
    attributes_max: 4,
    comments: false,
};

/// A role, and who takes it.
pub(super) struct Role<'a> {
    pub arn: &'a str,
    /// What CloudTrail calls who took it.
    pub session: &'a str,
    pub token: &'a Secret,
}

/// Takes the role.
pub(super) async fn assume(
    client: &Client,
    address: &str,
    role: Role<'_>,
    now: Timestamp,
) -> Result<Keys, AwsError> {
    let token = role.token.expose_str().ok_or(AwsError::WebToken)?;
    let token = Zeroizing::new(encoded(token));
    let body = Zeroizing::new(
        format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={}&RoleSessionName={}&WebIdentityToken={}",
            encoded(role.arn),
            encoded(role.session),
            token.as_str()
        )
        .into_bytes(),
    );
    let form = [(
        "content-type",
        Secret::new("application/x-www-form-urlencoded"),
    )];
    let reply = web::send(client, Method::POST, address, &form, body).await?;
    if !reply.is_good() {
        return Err(AwsError::of(&reply, Asked::Role, now));
    }
    keys(&reply.body).unwrap_or(Err(AwsError::Unexpected("it holds no credentials")))
}

fn keys(body: &[u8]) -> Option<Result<Keys, AwsError>> {
    let root = parse(body, &Default::default(), &LIMITS).ok()?;
    let given = child(
        child(&root, "AssumeRoleWithWebIdentityResult")?,
        "Credentials",
    )?;
    let text = |name: &str| child(given, name)?.text().ok();
    let secret = |name: &str| text(name).map(Secret::new);
    let expires: jiff::Timestamp = text("Expiration")?.parse().ok()?;
    Some(Keys::new(
        &secret("AccessKeyId")?,
        &secret("SecretAccessKey")?,
        Some(&secret("SessionToken")?),
        Some(Timestamp(expires.as_microsecond())),
    ))
}

/// The name of an error that is told in XML: `Error`, or `Errors` with one in it, below the root.
pub(super) fn code(body: &[u8]) -> Option<String> {
    let root = parse(body, &Default::default(), &LIMITS).ok()?;
    let error = child(&root, "Error").or_else(|| child(child(&root, "Errors")?, "Error"))?;
    Some(child(error, "Code")?.text().ok()?.to_owned())
}

fn child<'a>(parent: &'a Element, name: &str) -> Option<&'a Element> {
    let mut children = parent.children().ok()?;
    while let Some(child) = children.any() {
        if child.local() == name {
            return Some(child);
        }
    }
    None
}
