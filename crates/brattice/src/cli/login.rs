//! `brattice login`, `logout` and `status`.
//!
//! Lives here: the command line as a client of the gateway's authorization server (RFC 8252, RFC 8628). Never: a password;
//! people type that to their provider.

use super::args::{GatewayArgs, LoginArgs, LogoutArgs};
use super::client::Link;
use super::exit::{Exit, Failure};
use super::gateway;
use super::key::{Key, claims, fresh};
use super::loopback::{Loopback, browse, has_screen};
use super::output::Output;
use super::saved::{Saved, SignIn, Tokens, now};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use brattice_admin::oauth::{DEVICE_GRANT, DEVICE_PATH, REVOKE_PATH, TOKEN_PATH};
use brattice_core::time::Timestamp;
use brattice_identity::login::{CLI, SIGN_IN_WAIT_MAX};
use serde::Deserialize;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};
use url::Url;

/// `login`.
pub fn login(gateway: &GatewayArgs, args: &LoginArgs, out: &mut Output) -> Result<(), Failure> {
    let saved = Saved::open()?;
    let place = gateway::place(gateway, &saved)?;
    let link = Link::new(place.url, place.ca.as_deref())?;
    let server = server(&link)?;
    let device = args.device || (!args.no_browser && args.provider.is_none() && !has_screen());
    let key = Key::generate()?;
    let tokens = if device {
        by_device(&link, &key, out)?
    } else {
        by_browser(&link, &server, &key, args, out)?
    };
    let sign_in = keep(&saved, &link, place.ca.as_deref(), tokens, &key)?;
    if out.is_json() {
        out.json(&shown(&sign_in));
    } else {
        out.line(format!("Signed in to {} as {}.", sign_in.url, sign_in.who));
    }
    mind_the_token(gateway, out);
    Ok(())
}

/// `logout`.
pub fn logout(gateway: &GatewayArgs, args: &LogoutArgs, out: &mut Output) -> Result<(), Failure> {
    let saved = Saved::open()?;
    let place = gateway::place(gateway, &saved)?;
    let Some(sign_in) = saved.of(&place.url)? else {
        return Err(Failure::failed(format!(
            "nobody signed in to {} here",
            place.url
        )));
    };
    let link = Link::new(place.url, place.ca.as_deref())?;
    let everywhere = if args.everywhere { "true" } else { "false" };
    let form = [
        ("token", sign_in.refresh_token.as_str()),
        ("client_id", CLI),
        ("everywhere", everywhere),
    ];
    let ended: Ended = link.form(REVOKE_PATH, &form, None)?;
    saved.forget(link.base())?;
    if out.is_json() {
        out.json(&json!({ "url": sign_in.url, "who": sign_in.who, "ended": ended.ended }));
    } else {
        out.line(&match ended.ended {
            0 => "Your sign-in had ended already.".to_owned(),
            1 => format!("Signed out of {}.", sign_in.url),
            n => format!("Signed out of {}: {n} sign-ins ended.", sign_in.url),
        });
    }
    mind_the_token(gateway, out);
    Ok(())
}

/// `status`.
pub fn status(gateway: &GatewayArgs, out: &mut Output) -> Result<(), Failure> {
    let all = Saved::open()?.all()?;
    mind_the_token(gateway, out);
    if out.is_json() {
        out.json(&all.iter().map(shown).collect::<Vec<_>>());
        return Ok(());
    }
    if all.is_empty() {
        out.line("You are not signed in. `brattice login --url URL` signs you in.");
    }
    for sign_in in &all {
        let left = sign_in.expires_at.saturating_sub(now());
        let token = match left {
            0 => "to be renewed at its next use".to_owned(),
            left => format!("good for {} s more", left),
        };
        out.fields(&[
            ("gateway", sign_in.url.clone()),
            ("you", sign_in.who.clone()),
            ("access token", token),
        ]);
    }
    Ok(())
}

/// Who has a token in the environment is whom that proves, signed in or not.
fn mind_the_token(gateway: &GatewayArgs, out: &mut Output) {
    if gateway.token_file.is_none() && std::env::var_os(gateway::TOKEN).is_some() {
        out.say(
            "note: BRATTICE_TOKEN is set, and commands go by it rather than by a sign-in; unset it to act as who signed in",
        );
    }
}

/// RFC 8414, section 2, as far as it matters here.
#[derive(Deserialize)]
struct Server {
    issuer: String,
    authorization_endpoint: String,
    #[serde(default)]
    brattice_sign_in_providers: Vec<String>,
}

#[derive(Deserialize)]
struct Ended {
    ended: u64,
}

/// What the gateway says of itself; it must call itself as it was called here (RFC 8414, section 3.3).
fn server(link: &Link) -> Result<Server, Failure> {
    let server: Server = link.published("/.well-known/oauth-authorization-server")?;
    let base = link.base().as_str().trim_end_matches('/');
    if server.issuer != base {
        return Err(Failure::failed(format!(
            "the gateway at {base} calls itself {}",
            server.issuer
        ))
        .hint(format!(
            "give --url {}, if that is the gateway you mean",
            server.issuer
        )));
    }
    Ok(server)
}

fn by_browser(
    link: &Link,
    server: &Server,
    key: &Key,
    args: &LoginArgs,
    out: &mut Output,
) -> Result<Tokens, Failure> {
    let there = &server.brattice_sign_in_providers;
    if let Some(name) = args.provider.as_ref().filter(|p| !there.contains(p)) {
        return Err(
            Failure::usage(format!("nobody signs in by a provider `{name}` there"))
                .hint(format!("--provider is one of: {}", there.join(", "))),
        );
    }
    let (state, verifier) = (fresh()?, fresh()?);
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let mut url = Url::parse(&server.authorization_endpoint)
        .map_err(|_| Failure::failed("the gateway's authorization endpoint is no URL"))?;
    let (answer, redirect_uri) = link.runtime().block_on(async {
        let loopback = Loopback::open().await?;
        let redirect_uri = loopback.redirect_uri.clone();
        url.query_pairs_mut()
            .append_pair("client_id", CLI)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", &redirect_uri)
            .append_pair("state", &state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(provider) = &args.provider {
            url.query_pairs_mut().append_pair("provider", provider);
        }
        let opened = !args.no_browser && browse(url.as_str());
        out.say(&if opened {
            format!("Sign in in your browser. If none opened, go to:\n\n  {url}\n")
        } else {
            format!("To sign in, go to:\n\n  {url}\n")
        });
        let answer = loopback.answer(&state, SIGN_IN_WAIT_MAX).await?;
        Ok::<_, Failure>((answer, redirect_uri))
    })?;
    let text = |name: &str| {
        let mut found = answer.iter().filter(|(n, _)| n == name);
        found.next().map(|(_, v)| v.as_str())
    };
    // RFC 9207, section 2.4: an answer of another server is no answer.
    if text("iss") != Some(server.issuer.as_str()) {
        return Err(Failure::failed("the answer is not this gateway's"));
    }
    let Some(code) = text("code") else {
        return Err(match text("error") {
            Some("temporarily_unavailable") => {
                Failure::new(Exit::Unreachable, "nobody can be signed in now")
                    .hint("try again; the gateway's operators see why in its log")
            }
            _ => Failure::new(Exit::NotPermitted, "nobody was signed in"),
        });
    };
    link.form(
        TOKEN_PATH,
        &[
            ("grant_type", "authorization_code"),
            ("client_id", CLI),
            ("redirect_uri", &redirect_uri),
            ("code", code),
            ("code_verifier", &verifier),
        ],
        Some(key),
    )
}

/// RFC 8628, section 3.2.
#[derive(Deserialize)]
struct Device {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

fn by_device(link: &Link, key: &Key, out: &mut Output) -> Result<Tokens, Failure> {
    let device: Device = link.form(DEVICE_PATH, &[("client_id", CLI)], None)?;
    out.say(&format!(
        "In a browser on any machine, go to\n\n  {}\n\nand type the code  {}\n\nor go to {}\n",
        device.verification_uri, device.user_code, device.verification_uri_complete
    ));
    let until = Instant::now() + Duration::from_secs(device.expires_in);
    let mut wait = Duration::from_secs(device.interval);
    loop {
        std::thread::sleep(wait);
        let form = [
            ("grant_type", DEVICE_GRANT),
            ("client_id", CLI),
            ("device_code", device.device_code.as_str()),
        ];
        let failure = match link.form::<Tokens>(TOKEN_PATH, &form, Some(key)) {
            Ok(tokens) => return Ok(tokens),
            Err(failure) => failure,
        };
        match failure.oauth.as_deref() {
            Some("authorization_pending") => {}
            // RFC 8628, section 3.5.
            Some("slow_down") => wait += Duration::from_secs(5),
            Some("access_denied") => {
                return Err(Failure::new(Exit::NotPermitted, "nobody was signed in"));
            }
            Some("expired_token") => {
                return Err(Failure::failed("nobody typed the code in time")
                    .hint("start `brattice login` again"));
            }
            // A gateway that is away for a moment.
            None | Some("temporarily_unavailable") if Instant::now() < until => {}
            _ => return Err(failure),
        }
    }
}

fn keep(
    saved: &Saved,
    link: &Link,
    ca: Option<&Path>,
    tokens: Tokens,
    key: &Key,
) -> Result<SignIn, Failure> {
    // The token is this program's own: what it says of its subject needs no proof here.
    let claims = claims(&tokens.access_token).unwrap_or_default();
    let who = claims.get("sub").and_then(|s| s.as_str()).unwrap_or("?");
    let who = who.to_owned();
    saved.keep(link, ca, &who, tokens, key)
}

fn shown(sign_in: &SignIn) -> serde_json::Value {
    let until = i64::try_from(sign_in.expires_at).unwrap_or(i64::MAX);
    let until = Timestamp::from_seconds(until).to_string();
    json!({ "url": sign_in.url, "who": sign_in.who, "expires_at": until })
}
