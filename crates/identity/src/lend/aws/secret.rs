//! What AWS Secrets Manager keeps.
//!
//! Lives here: asking for a secret (GetSecretValue), and taking from it what the bundle names. Never: how long it is kept.

use super::error::Asked;
use super::path::AwsPart;
use super::sign::{self, Keys, Request, Scope};
use super::{AwsError, web};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

/// The form of requests: AWS's JSON protocol, version 1.1.
const FORM: (&str, &str) = ("content-type", "application/x-amz-json-1.1");
const ACTION: (&str, &str) = ("x-amz-target", "secretsmanager.GetSecretValue");
/// The version that is in force: rotation moves this stage when a new one works.
const STAGE: &str = "AWSCURRENT";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    secret_string: Option<String>,
    secret_binary: Option<String>,
}

/// Asks for a secret's text.
pub(super) async fn ask(
    client: &Client,
    address: &str,
    region: &str,
    keys: &Keys,
    now: Timestamp,
    id: &str,
) -> Result<Secret, AwsError> {
    let body = json!({ "SecretId": id, "VersionStage": STAGE }).to_string();
    let headers = [FORM, ACTION];
    let scope = Scope {
        region,
        service: "secretsmanager",
        at: now,
    };
    let request = Request {
        method: "POST",
        url: address,
        headers: &headers,
        body: body.as_bytes(),
    };
    let mut sent = sign::headers(keys, scope, &request)?;
    sent.extend(headers.map(|(name, value)| (name, Secret::new(value))));
    let body = Zeroizing::new(body.into_bytes());
    let reply = web::send(client, Method::POST, address, &sent, body).await?;
    if !reply.is_good() {
        return Err(AwsError::of(&reply, Asked::Secret, now));
    }
    let given: Given = serde_json::from_slice(&reply.body)
        .map_err(|_| AwsError::Unexpected("it holds no secret"))?;
    match (given.secret_string, given.secret_binary) {
        (Some(text), _) => Ok(Secret::new(text)),
        (None, Some(_)) => Err(AwsError::Binary),
        (None, None) => Err(AwsError::Unexpected("it holds no secret")),
    }
}

/// The user, where the secret names one, and the password.
pub(super) fn part(text: &Secret, part: &AwsPart) -> Result<(Option<String>, Secret), AwsError> {
    let object = serde_json::from_slice::<Map<String, Value>>(text.expose());
    let (user, password) = match (part, object) {
        (AwsPart::Whole, Ok(_)) => return Err(AwsError::NoKeyNamed),
        (AwsPart::Whole, Err(_)) => return Ok((None, text.clone())),
        (_, Err(_)) => return Err(AwsError::NoObject),
        (AwsPart::Password(key), Ok(mut object)) => (None, value(&mut object, key)?),
        (AwsPart::Both { user, password }, Ok(mut object)) => {
            let password = value(&mut object, password)?;
            (Some(value(&mut object, user)?), password)
        }
    };
    Ok((user, Secret::new(password)))
}

fn value(object: &mut Map<String, Value>, key: &str) -> Result<String, AwsError> {
    match object.remove(key) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        Some(_) => Err(AwsError::NoText(key.to_owned())),
        None => Err(AwsError::NoSuchKey(key.to_owned())),
    }
}
