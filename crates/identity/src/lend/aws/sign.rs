//! Signatures of AWS (Signature Version 4), made by the library that AWS keeps.
//!
//! Lives here: what is signed, and the login at RDS that is nothing but a signed address. Never: where keys come from, a
//! clock, a request.

use super::AwsError;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};
use tracing::subscriber::{NoSubscriber, with_default};
use zeroize::Zeroizing;

/// How long a login at RDS may be used. RDS takes no other.
const DATABASE_LOGIN: Duration = Duration::from_secs(15 * 60);
/// Longest access key, secret or session token.
const KEY_BYTES_MAX: usize = 16 * 1024;

/// What signs: an access key with its secret, and a session token where AWS gave them for a while.
#[derive(Clone)]
pub(super) struct Keys {
    credentials: Credentials,
    /// When AWS takes them no longer; `None` for what the operators gave.
    pub expires: Option<Timestamp>,
}

impl Keys {
    /// From what they were read from. The error holds none of it.
    pub(super) fn new(
        id: &Secret,
        secret: &Secret,
        token: Option<&Secret>,
        expires: Option<Timestamp>,
    ) -> Result<Self, AwsError> {
        let is_id = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let id = text(id, is_id).ok_or(AwsError::Keys("the access key id is none"))?;
        let graphic = |b: u8| b.is_ascii_graphic();
        let secret =
            text(secret, graphic).ok_or(AwsError::Keys("the secret access key is none"))?;
        let token = match token {
            Some(token) => {
                Some(text(token, graphic).ok_or(AwsError::Keys("the session token is none"))?)
            }
            None => None,
        };
        Ok(Self {
            credentials: Credentials::new(id, secret, token, None, "brattice"),
            expires,
        })
    }
}

fn text(secret: &Secret, good: impl Fn(u8) -> bool) -> Option<String> {
    let bytes = secret.expose();
    let fits = !bytes.is_empty() && bytes.len() <= KEY_BYTES_MAX && bytes.iter().all(|b| good(*b));
    secret.expose_str().filter(|_| fits).map(str::to_owned)
}

/// A request that AWS is to answer.
pub(super) struct Request<'a> {
    pub method: &'a str,
    pub url: &'a str,
    /// Headers beside `host`, all of which are signed.
    pub headers: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

/// Where and when a signature is good.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub region: &'a str,
    pub service: &'a str,
    pub at: Timestamp,
}

/// The headers that prove who asks, to be sent beside those that were signed.
pub(super) fn headers(
    keys: &Keys,
    scope: Scope<'_>,
    request: &Request<'_>,
) -> Result<Vec<(&'static str, Secret)>, AwsError> {
    let signed = signed(keys, scope, request, SigningSettings::default())?;
    let (headers, _) = signed.into_parts();
    Ok(headers
        .iter()
        .map(|h| (h.name(), Secret::new(h.value())))
        .collect())
}

/// The password that logs `user` in at a server of RDS: an address, signed for a quarter of an hour, without its scheme.
/// Nobody is asked for it. RDS knows the server by the name of its own endpoint, and takes the token under no other.
pub(super) fn database_login(
    keys: &Keys,
    region: &str,
    at: Timestamp,
    (host, port): (&str, u16),
    user: &str,
) -> Result<Secret, AwsError> {
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(DATABASE_LOGIN);
    let host = host.to_ascii_lowercase();
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host
    };
    let place = format!("{host}:{port}/?Action=connect&DBUser={}", encoded(user));
    let request = Request {
        method: "GET",
        url: &format!("https://{place}"),
        headers: &[],
        body: &[],
    };
    let scope = Scope {
        region,
        service: "rds-db",
        at,
    };
    let (_, mut more) = signed(keys, scope, &request, settings)?.into_parts();
    // The signature stands last, as AWS's own tools put it; what is signed is sorted anyway.
    more.sort_by_key(|(name, _)| *name == "X-Amz-Signature");
    let mut login = Zeroizing::new(String::with_capacity(KEY_BYTES_MAX));
    login.push_str(&place);
    for (name, value) in &more {
        // Writing to a String cannot fail.
        let _ = write!(login, "&{name}={}", Zeroizing::new(encoded(value)).as_str());
    }
    Ok(Secret::new(login.as_bytes()))
}

fn signed(
    keys: &Keys,
    scope: Scope<'_>,
    request: &Request<'_>,
    settings: SigningSettings,
) -> Result<SigningInstructions, AwsError> {
    let cannot = || AwsError::Unexpected("the request cannot be signed");
    let identity = keys.credentials.clone().into();
    let micros =
        u64::try_from(scope.at.0).map_err(|_| AwsError::Unexpected("the clock is unset"))?;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_micros(micros))
        .settings(settings)
        .build()
        .map_err(|_| cannot())?
        .into();
    // What is signed holds the session token, and the library tells its log what it signs.
    with_default(NoSubscriber::default(), || {
        let body = SignableBody::Bytes(request.body);
        let headers = request.headers.iter().copied();
        let request = SignableRequest::new(request.method, request.url, headers, body)?;
        sign(request, &params)
    })
    .map(|done| done.into_parts().0)
    .map_err(|_| cannot())
}

/// A value in a query: all but the unreserved characters are escaped (RFC 3986, section 2.3).
pub(super) fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
