//! What requests to sources of secrets have in common.
//!
//! Lives here: bounds in time and size, and an answer that is wiped. Never: what is asked, a word of an answer in an error.

use reqwest::{Certificate, Client, ClientBuilder, Response, redirect};
use std::time::Duration;
use zeroize::Zeroizing;

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);
/// Longest wait for a whole answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(6);

/// Why there is no answer; for the operator.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// None came, or not all of it.
    Broken(String),
    /// It is larger than any that is waited for.
    TooLarge,
}

/// A client that follows nobody elsewhere; `clear` lets it speak without TLS.
pub(super) fn client(ca: Option<&[u8]>, clear: bool) -> Result<Client, reqwest::Error> {
    let mut client: ClientBuilder = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(!clear)
        .connect_timeout(CONNECT_WAIT_MAX)
        .timeout(ANSWER_WAIT_MAX)
        .pool_max_idle_per_host(4)
        .user_agent("brattice");
    if let Some(pem) = ca {
        client = client.tls_certs_only(Certificate::from_pem_bundle(pem)?);
    }
    client.build()
}

/// The whole of an answer.
pub(super) async fn whole(mut answer: Response) -> Result<Zeroizing<Vec<u8>>, NoAnswer> {
    // Sized ahead, so that no half-read copy is left behind unwiped when the buffer grows.
    let mut body = Zeroizing::new(Vec::with_capacity(ANSWER_BYTES_MAX));
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(NoAnswer::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn broken(error: reqwest::Error) -> NoAnswer {
    NoAnswer::Broken(why(error))
}

/// Why a request failed, without where it went.
pub(super) fn why(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
