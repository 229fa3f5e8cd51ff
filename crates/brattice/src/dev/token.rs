//! `brattice dev token`: a fresh token of somebody made up, from the running provider.
//!
//! Lives here: asking for it. Never: a token or a secret in an argument or an error.

use super::DevError;
use super::state::State;
use brattice_core::secret::Secret;
use reqwest::{Client, Url, redirect};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// Longest wait for the provider.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// A token for `name`, who acts for those in `on_behalf_of`, nearest first.
///
/// # Errors
/// When nothing runs with this state, nobody has that name, or the provider refuses.
pub fn token(state: &Path, name: &str, on_behalf_of: &[String]) -> Result<Secret, DevError> {
    let state = State::at(state)?;
    let not_running = || DevError::NotRunning(state.given.clone());
    let issuer = std::fs::read_to_string(state.issuer()).map_err(|_| not_running())?;
    let secret = secret(&state, name)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| DevError::NoToken(why.to_string()))?;
    runtime
        .block_on(ask(&issuer, name, &secret, on_behalf_of))
        .map_err(|why| match why {
            NoAnswer::Nobody => not_running(),
            NoAnswer::Refused(why) => DevError::NoToken(why),
        })
}

/// Somebody's secret of this run.
fn secret(state: &State, name: &str) -> Result<Secret, DevError> {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-@".contains(&b));
    let text = plain
        .then(|| std::fs::read(state.client(name)).ok())
        .flatten()
        .map(Secret::new);
    let secret = text
        .as_ref()
        .and_then(|t| t.expose_str())
        .and_then(|t| t.split_ascii_whitespace().next_back())
        .map(|s| Secret::new(s.as_bytes()));
    secret.ok_or_else(|| DevError::Nobody {
        name: name.to_owned(),
        known: known(state),
    })
}

fn known(state: &State) -> String {
    let mut names: Vec<String> = std::fs::read_dir(state.clients())
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| {
            e.file_name()
                .to_str()?
                .strip_suffix(".netrc")
                .map(str::to_owned)
        })
        .collect();
    names.sort();
    names.join(", ")
}

enum NoAnswer {
    Nobody,
    Refused(String),
}

async fn ask(
    issuer: &str,
    name: &str,
    secret: &Secret,
    on_behalf_of: &[String],
) -> Result<Secret, NoAnswer> {
    let odd = |why: &str| NoAnswer::Refused(why.to_owned());
    let url = Url::parse(&format!("{issuer}/token"))
        .map_err(|_| odd("the provider's address is not one"))?;
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(WAIT_MAX)
        .build()
        .map_err(|why| NoAnswer::Refused(why.to_string()))?;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "client_credentials");
    for whom in on_behalf_of {
        form.append_pair("on_behalf_of", whom);
    }
    let request = client
        .post(url)
        .basic_auth(name, secret.expose_str())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.finish());
    let answer = request.send().await.map_err(|_| NoAnswer::Nobody)?;
    let answer: Value = answer
        .json()
        .await
        .map_err(|_| odd("the provider's answer is not JSON"))?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    match (text("access_token"), text("error_description")) {
        (Some(token), _) => Ok(Secret::new(token.as_bytes())),
        (None, Some(why)) => Err(odd(why)),
        (None, None) => Err(odd("the provider's answer holds none")),
    }
}
