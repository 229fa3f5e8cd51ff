//! Requests to AWS and to what stands in for it on its machines.
//!
//! Lives here: sending one, and what came. Never: what it means.

use super::AwsError;
use crate::lend::web::{self, NoAnswer};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use reqwest::header::{DATE, HeaderValue};
use reqwest::{Client, Method};
use zeroize::Zeroizing;

/// What came.
pub(super) struct Reply {
    pub status: u16,
    /// The other's own clock.
    pub date: Option<Timestamp>,
    /// Wiped when dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Reply {
    pub(super) fn is_good(&self) -> bool {
        self.status == 200
    }
}

/// Sends a request. Headers are not for any log.
pub(super) async fn send(
    client: &Client,
    method: Method,
    url: &str,
    headers: &[(&'static str, Secret)],
    body: Zeroizing<Vec<u8>>,
) -> Result<Reply, AwsError> {
    let mut request = client.request(method, url).body(body.to_vec());
    for (name, value) in headers {
        let mut value = HeaderValue::from_bytes(value.expose())
            .map_err(|_| AwsError::Unexpected("the request cannot be written"))?;
        value.set_sensitive(true);
        request = request.header(*name, value);
    }
    let answer = request
        .send()
        .await
        .map_err(|e| AwsError::NoAnswer(web::why(e)))?;
    let date = answer.headers().get(DATE).and_then(|d| d.to_str().ok());
    let date = date.and_then(|d| jiff::fmt::rfc2822::parse(d).ok());
    let (status, date) = (
        answer.status().as_u16(),
        date.map(|d| Timestamp(d.timestamp().as_microsecond())),
    );
    match web::whole(answer).await {
        Ok(body) => Ok(Reply { status, date, body }),
        Err(NoAnswer::Broken(why)) => Err(AwsError::NoAnswer(why)),
        Err(NoAnswer::TooLarge) => Err(AwsError::TooLarge),
    }
}
