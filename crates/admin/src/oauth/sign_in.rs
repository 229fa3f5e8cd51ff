//! A person's browser at the authorization server.
//!
//! Lives here: which page or address comes next, the cookie, and what a browser must say of itself. Never: whether somebody
//! is signed in.

use super::form::{No, Parameters, form, form_of, needed, one, only, parameters};
use super::grants::record;
use super::page::{self, Page, STYLE, STYLE_PATH};
use super::{AUTHORIZE_PATH, DEVICE_PAGE_PATH};
use crate::call::{Admin, Reply};
use crate::guard;
use crate::ports::login::{AuthorizeRequest, Choice, Next, Returned};
use crate::problem::Problem;
use crate::proof;
use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use std::net::IpAddr;
use std::sync::Arc;

/// How long a browser keeps its cookie, in seconds: as long as a sign-in may take.
const COOKIE_SECONDS: u32 = 600;
/// The largest form with a SAML response: base64 of what is looked at, and its encoding as a form.
const RESPONSE_BYTES_MAX: usize = 1 << 20;
/// The parameter with the handle of a response that was posted.
const POSTED: &str = "posted";
/// The longest cookie that is looked at.
const COOKIE_BYTES_MAX: usize = 100;

/// What a browser's endpoints are.
pub(super) fn routes() -> Router<Arc<Admin>> {
    let get = MethodFilter::GET;
    Router::new()
        .route(AUTHORIZE_PATH, on(get, authorize))
        .route("/oauth/sign-in/{issuer}", on(get, choose))
        .route(
            "/oauth/callback/{issuer}",
            on(get, callback).on(MethodFilter::POST, posted),
        )
        .route("/oauth/metadata/{issuer}", on(get, metadata))
        .route("/oauth/answer", on(MethodFilter::POST, answer))
        .route(DEVICE_PAGE_PATH, on(get, device))
        .route(STYLE_PATH, on(get, style))
}

/// What a browser gets.
enum Shown {
    Page(Page),
    /// Somewhere else (RFC 9110, section 15.4.4).
    Go(String),
}

/// What a browser gets, and the cookie it keeps from now on.
type Turn = (Shown, Option<String>);

async fn authorize(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    respond(&admin, &parts, authorize_now(&admin, &parts).await)
}

async fn authorize_now(admin: &Admin, parts: &Parts) -> Result<Turn, No> {
    is_a_visit(admin, parts)?;
    let query = query(parts);
    only(
        &query,
        &[
            "client_id",
            "redirect_uri",
            "response_type",
            "state",
            "code_challenge",
            "code_challenge_method",
            "scope",
            "provider",
        ],
    )?;
    let text = |name: &str| Ok::<_, No>(one(&query, name)?.unwrap_or_default().to_owned());
    let asked = AuthorizeRequest {
        client: text("client_id")?,
        redirect_uri: text("redirect_uri")?,
        response_type: text("response_type")?,
        state: text("state")?,
        challenge: text("code_challenge")?,
        method: text("code_challenge_method")?,
    };
    let login = &admin.ports.login;
    let choice = login.authorize(asked, cookie_of(admin, parts))?;
    chosen(choice, one(&query, "provider")?)
}

/// On to the provider, where there is one to go to.
fn chosen(choice: Choice, wanted: Option<&str>) -> Result<Turn, No> {
    let only = match choice.providers.as_slice() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    let shown = match wanted.or(only) {
        Some(name) if choice.providers.iter().any(|p| p == name) => {
            Shown::Go(format!("/oauth/sign-in/{name}?request={}", choice.request))
        }
        Some(_) => {
            return Err(No::new(
                "invalid_request",
                format!("`provider` is one of: {}.", choice.providers.join(", ")),
            ));
        }
        None => Shown::Page(page::choice(&choice.request, &choice.providers)),
    };
    Ok((shown, Some(choice.cookie)))
}

async fn choose(
    State(admin): State<Arc<Admin>>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let turn = async {
        is_a_visit(&admin, &parts)?;
        let query = query(&parts);
        only(&query, &["request"])?;
        let cookie = cookie_of(&admin, &parts).unwrap_or_default();
        let source = proof::from(&parts).to_string();
        let login = &admin.ports.login;
        let url = login
            .choose(needed(&query, "request")?, &issuer, &cookie, &source)
            .await?;
        Ok((Shown::Go(url), None))
    };
    let turn = turn.await;
    respond(&admin, &parts, turn)
}

async fn callback(
    State(admin): State<Arc<Admin>>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let turn = callback_now(&admin, &issuer, &parts).await;
    respond(&admin, &parts, turn)
}

async fn callback_now(admin: &Admin, issuer: &str, parts: &Parts) -> Result<Turn, No> {
    is_a_visit(admin, parts)?;
    // Providers add parameters of their own (`session_state`, `scope`); nothing in them narrows anything.
    let query = query(parts);
    let text = |name: &str| Ok::<_, No>(one(&query, name)?.map(str::to_owned));
    let cookie = cookie_of(admin, parts).unwrap_or_default();
    let from = proof::from(parts);
    let login = &admin.ports.login;
    if let Some(handle) = one(&query, POSTED)? {
        let next = login
            .collect(issuer, handle, &cookie, &from.to_string())
            .await?;
        return went_on(admin, issuer, from, next).await;
    }
    let returned = Returned {
        state: needed(&query, "state")?.to_owned(),
        code: text("code")?,
        iss: text("iss")?,
        error: text("error")?,
    };
    let next = login
        .returned(issuer, returned, &cookie, &from.to_string())
        .await?;
    went_on(admin, issuer, from, next).await
}

async fn went_on(admin: &Admin, issuer: &str, from: IpAddr, next: Next) -> Result<Turn, No> {
    match next {
        Next::Confirm(confirm) => Ok((Shown::Page(page::confirm(&confirm)), None)),
        Next::Again(to) => Ok((Shown::Go(to), None)),
        Next::Back { to, why } => {
            let by = format!("somebody at {from}");
            record(admin, by, "sign_in", issuer, false, why).await?;
            Ok((Shown::Go(to), None))
        }
    }
}

/// A SAML provider's page has the browser post its response here. It comes without our cookie, as whatever another site
/// posts does; so the browser is sent on to fetch the outcome by itself.
async fn posted(
    State(admin): State<Arc<Admin>>,
    Path(issuer): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let turn = async {
        is_a_visit(&admin, &parts)?;
        let form = form_of(&parts.headers, body, RESPONSE_BYTES_MAX).await?;
        only(&form, &["SAMLResponse", "RelayState"])?;
        let (response, state) = (needed(&form, "SAMLResponse")?, needed(&form, "RelayState")?);
        let source = proof::from(&parts).to_string();
        let login = &admin.ports.login;
        let handle = login.posted(&issuer, response, state, &source).await?;
        let to = format!("/oauth/callback/{issuer}?{POSTED}={handle}");
        Ok((Shown::Go(to), None))
    };
    let turn = turn.await;
    respond(&admin, &parts, turn)
}

/// What a SAML provider's operator needs to know of us (SAML Metadata, section 4.1).
async fn metadata(
    State(admin): State<Arc<Admin>>,
    Path(issuer): Path<String>,
    headers: HeaderMap,
) -> Response {
    let id = admin.request_id();
    let reply = guard::is_our_host(&admin, &headers).and_then(|()| {
        let metadata = admin.ports.login.metadata(&issuer);
        let metadata = metadata.ok_or_else(|| Problem::not_found("provider"))?;
        Ok(Reply::public("application/samlmetadata+xml", metadata))
    });
    guard::finish(&admin, &id, reply)
}

async fn answer(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let turn = async {
        // A person's yes comes from a page of ours: the browser says so.
        guard::is_for_us(&admin, &parts.headers).map_err(problem)?;
        if !parts.headers.contains_key(header::ORIGIN) {
            return Err(No::new("invalid_request", "This is for browsers."));
        }
        let form = form(&parts.headers, body).await?;
        only(&form, &["question", "answer"])?;
        let yes = match needed(&form, "answer")? {
            "yes" => true,
            "no" => false,
            _ => return Err(No::new("invalid_request", "`answer` is yes or no.")),
        };
        let cookie = cookie_of(&admin, &parts).unwrap_or_default();
        let from = proof::from(&parts);
        let login = &admin.ports.login;
        let answered = login
            .answer(needed(&form, "question")?, yes, &cookie, &from.to_string())
            .await?;
        let chain = answered.identity.chain.to_string();
        let asked_by = match &answered.by.device {
            None => format!("{} at {from}", answered.by.client),
            Some(there) => {
                let asked_for = there.login.as_ref().map(|l| format!(", for {l}"));
                format!(
                    "{} at {}, which showed {}{}",
                    answered.by.client,
                    there.from,
                    there.code,
                    asked_for.unwrap_or_default()
                )
            }
        };
        let over_ssh = answered
            .by
            .device
            .as_ref()
            .is_some_and(|d| d.login.is_some());
        let details = format!("answered from {from}");
        record(&admin, chain, "sign_in.answer", &asked_by, yes, details).await?;
        Ok(match answered.leads_to {
            Some(to) => (Shown::Go(to), None),
            None if yes && over_ssh => (
                Shown::Page(page::said(
                    "Done",
                    "Go back to your terminal and press Enter there. You can close this window.",
                )),
                None,
            ),
            None if yes => (
                Shown::Page(page::said(
                    "Done",
                    "The other computer signs in now. You can close this window.",
                )),
                None,
            ),
            None => (
                Shown::Page(page::said(
                    "Nobody signed in",
                    "Whoever asked is told no. You can close this window.",
                )),
                None,
            ),
        })
    };
    let turn = turn.await;
    respond(&admin, &parts, turn)
}

async fn device(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let turn = async {
        is_a_visit(&admin, &parts)?;
        let query = query(&parts);
        only(&query, &["user_code"])?;
        let Some(code) = one(&query, "user_code")? else {
            return Ok((Shown::Page(page::device()), None));
        };
        let source = proof::from(&parts).to_string();
        let cookie = cookie_of(&admin, &parts);
        let login = &admin.ports.login;
        let choice = login.authorize_device(code, cookie, &source).await?;
        // A page and not a redirect, so that the person sees that something begins.
        let page = page::choice(&choice.request, &choice.providers);
        Ok((Shown::Page(page), Some(choice.cookie)))
    };
    let turn = turn.await;
    respond(&admin, &parts, turn)
}

async fn style(State(admin): State<Arc<Admin>>) -> Response {
    let id = admin.request_id();
    let reply = Reply::public("text/css; charset=utf-8", STYLE.to_owned());
    guard::finish(&admin, &id, Ok(reply))
}

fn query(parts: &Parts) -> Parameters {
    parameters(parts.uri.query().unwrap_or_default().as_bytes())
}

/// A visit of a browser's window to our host: from wherever, but not inside another page.
fn is_a_visit(admin: &Admin, parts: &Parts) -> Result<(), No> {
    guard::is_our_host(admin, &parts.headers).map_err(problem)?;
    let inside = parts
        .headers
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest.as_bytes() != b"document");
    if inside {
        return Err(No::new(
            "invalid_request",
            "This is a page of its own, not a part of another.",
        ));
    }
    Ok(())
}

fn problem(problem: Problem) -> No {
    No {
        status: StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST),
        ..No::new("invalid_request", problem.detail)
    }
}

/// The cookie's name; with TLS, one that no other host can set (RFC 6265bis, section 4.1.3.2).
fn cookie_name(admin: &Admin) -> &'static str {
    if admin.settings.public_url.starts_with("https://") {
        "__Host-brattice-sign-in"
    } else {
        "brattice-sign-in"
    }
}

/// The cookie that a browser brought; two of the name are none.
fn cookie_of(admin: &Admin, parts: &Parts) -> Option<String> {
    let name = cookie_name(admin);
    let all = parts.headers.get_all(header::COOKIE).iter();
    let mut found = all
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(n, _)| *n == name)
        .map(|(_, value)| value.to_owned());
    let one = found.next().filter(|v| v.len() <= COOKIE_BYTES_MAX);
    if found.next().is_some() { None } else { one }
}

fn respond(admin: &Admin, parts: &Parts, turn: Result<Turn, No>) -> Response {
    let id = admin.request_id();
    let (status, shown, cookie) = match turn {
        Ok((shown, cookie)) => (StatusCode::OK, shown, cookie),
        Err(no) => {
            tracing::info!(error = no.error, why = %no.why, path = parts.uri.path(), "a browser was not led on");
            let text = format!("{} Begin again where you came from.", no.why);
            (
                no.status,
                Shown::Page(page::said("Nobody signed in", &text)),
                None,
            )
        }
    };
    let mut reply = match shown {
        Shown::Page(page) => {
            let leads_to = page.leads_to.map(|o| format!(" {o}")).unwrap_or_default();
            let mut reply = Reply::public("text/html; charset=utf-8", page.html);
            let policy = format!(
                "default-src 'none'; style-src 'self'; form-action 'self'{leads_to}; base-uri 'none'; frame-ancestors 'none'"
            );
            if let Ok(policy) = HeaderValue::from_str(&policy) {
                reply
                    .0
                    .headers_mut()
                    .insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            // A form of a page that sends no referrer says that it has no origin.
            reply.0.headers_mut().insert(
                header::REFERRER_POLICY,
                HeaderValue::from_static("same-origin"),
            );
            *reply.0.status_mut() = status;
            reply
        }
        Shown::Go(to) => {
            let mut reply = Reply::public("text/plain; charset=utf-8", String::new());
            *reply.0.status_mut() = StatusCode::SEE_OTHER;
            if let Ok(to) = HeaderValue::from_str(&to) {
                reply.0.headers_mut().insert(header::LOCATION, to);
            }
            reply
        }
    };
    if let Some(cookie) = cookie {
        let secure = if cookie_name(admin).starts_with("__Host-") {
            "; Secure"
        } else {
            ""
        };
        let text = format!(
            "{}={cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age={COOKIE_SECONDS}{secure}",
            cookie_name(admin)
        );
        if let Ok(text) = HeaderValue::from_str(&text) {
            reply.0.headers_mut().insert(header::SET_COOKIE, text);
        }
    }
    guard::finish(admin, &id, Ok(reply))
}
