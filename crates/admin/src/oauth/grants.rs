//! What a client gets for a code, a device code or a refresh token, and how it gives it back.
//!
//! Lives here: the forms of RFC 6749, sections 4.1.3 and 6, RFC 8628 and RFC 7009, and what goes on record. Never: what is
//! good for what.

use super::DEVICE_PAGE_PATH;
use super::exchange::{prove, token_type};
use super::form::{No, Parameters, needed, one, only};
use crate::call::Admin;
use crate::ports::login::{LoginRefused, SignedIn};
use crate::proof::Shown;
use axum::http::StatusCode;
use brattice_core::audit::Event;
use brattice_core::secret::Secret;
use serde_json::{Value, json};
use std::net::IpAddr;

impl From<LoginRefused> for No {
    fn from(refused: LoginRefused) -> Self {
        let status = match refused.error {
            "temporarily_unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "throttled" => StatusCode::TOO_MANY_REQUESTS,
            _ => StatusCode::BAD_REQUEST,
        };
        No {
            status,
            ..No::new(refused.error, refused.why)
        }
    }
}

/// Tokens for a code.
pub(super) async fn code(admin: &Admin, form: &Parameters, asker: &Shown) -> Result<Value, No> {
    only(
        form,
        &[
            "grant_type",
            "client_id",
            "redirect_uri",
            "code",
            "code_verifier",
        ],
    )?;
    let login = &admin.ports.login;
    let given = login
        .trade_code(
            needed(form, "client_id")?,
            needed(form, "redirect_uri")?,
            needed(form, "code")?,
            needed(form, "code_verifier")?,
            &asker.sender,
        )
        .await;
    let given = or_ended(admin, given, asker.from).await?;
    begun(admin, given, asker).await
}

/// Codes for a device.
pub(super) async fn device(admin: &Admin, form: &Parameters, from: IpAddr) -> Result<Value, No> {
    only(form, &["client_id", "scope"])?;
    let client = needed(form, "client_id")?;
    let login = &admin.ports.login;
    let codes = login.begin_device(client, &from.to_string()).await?;
    let page = format!("{}{DEVICE_PAGE_PATH}", admin.settings.public_url);
    Ok(json!({
        "device_code": codes.device_code,
        "verification_uri": page,
        "verification_uri_complete": format!("{page}?user_code={}", codes.user_code),
        "user_code": codes.user_code,
        "expires_in": codes.expires_in.as_secs(),
        "interval": codes.interval.as_secs(),
    }))
}

/// Tokens for a device whose person answered.
pub(super) async fn poll(admin: &Admin, form: &Parameters, asker: &Shown) -> Result<Value, No> {
    only(form, &["grant_type", "client_id", "device_code"])?;
    let login = &admin.ports.login;
    let given = login
        .poll_device(
            needed(form, "client_id")?,
            needed(form, "device_code")?,
            &asker.sender,
        )
        .await?;
    begun(admin, given, asker).await
}

/// Fresh tokens.
pub(super) async fn refresh(admin: &Admin, form: &Parameters, asker: &Shown) -> Result<Value, No> {
    only(form, &["grant_type", "client_id", "refresh_token", "scope"])?;
    let login = &admin.ports.login;
    let given = login
        .refresh(
            needed(form, "client_id")?,
            needed(form, "refresh_token")?,
            &asker.sender,
        )
        .await;
    let given = or_ended(admin, given, asker.from).await?;
    noted(admin, given, "sign_in.renew", asker).await
}

/// Puts a sign-in that was ended over what was brought on record.
async fn or_ended(
    admin: &Admin,
    given: Result<SignedIn, LoginRefused>,
    from: IpAddr,
) -> Result<SignedIn, No> {
    if let Err(LoginRefused {
        ended: Some(ended), ..
    }) = &given
    {
        let details = format!("{}; brought from {from}", ended.why);
        let (by, id) = (ended.chain.clone(), &ended.sign_in);
        record(admin, by, "sign_in.end", id, true, details).await?;
    }
    Ok(given?)
}

/// Puts a sign-in on record and tells its tokens. What cannot be recorded is not given, and ends.
async fn begun(admin: &Admin, given: SignedIn, asker: &Shown) -> Result<Value, No> {
    noted(admin, given, "sign_in", asker).await
}

async fn noted(
    admin: &Admin,
    given: SignedIn,
    act: &'static str,
    asker: &Shown,
) -> Result<Value, No> {
    let chain = given.identity.chain.to_string();
    let details = format!("from {}", asker.from);
    let noted = async {
        // Only now: whoever brings a code or a token that is none has nothing remembered of them.
        asker.use_up(admin)?;
        record(admin, chain, act, &given.sign_in, true, details).await
    };
    if let Err(no) = noted.await {
        admin.ports.login.end(&given.sign_in).await?;
        return Err(no);
    }
    Ok(told(admin, &given))
}

fn told(admin: &Admin, given: &SignedIn) -> Value {
    let now = admin.ports.clock.now();
    json!({
        "access_token": given.token.expose_str().unwrap_or_default(),
        "token_type": token_type(&given.identity),
        "expires_in": given.identity.expires_at.since(now).as_secs(),
        "refresh_token": given.refresh.expose_str().unwrap_or_default(),
    })
}

/// Ends a sign-in, or all of that person's. Tokens that are none are no error (RFC 7009, section 2.2).
pub(super) async fn revoke(admin: &Admin, form: &Parameters, asker: &Shown) -> Result<Value, No> {
    only(
        form,
        &["token", "token_type_hint", "client_id", "everywhere"],
    )?;
    let token = needed(form, "token")?;
    let everywhere = match one(form, "everywhere")? {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(No::new("invalid_request", "`everywhere` is true or false.")),
    };
    let login = &admin.ports.login;
    let ended = match login.end_by_refresh(token).await? {
        Some(sign_in) => Some((sign_in.who, sign_in.id)),
        // An access token of a sign-in is as good a proof whose it is.
        None => match prove(admin, &Secret::new(token), asker).await {
            Ok(identity) => match identity.sign_in {
                Some(id) => {
                    login.end(&id).await?;
                    Some((identity.chain.acting, id))
                }
                None => None,
            },
            Err(no) if no.status == StatusCode::BAD_REQUEST => None,
            Err(no) => return Err(no),
        },
    };
    let Some((who, id)) = ended else {
        return Ok(json!({ "ended": 0 }));
    };
    let mut ids = vec![id];
    if everywhere {
        for other in login.of(&who).await? {
            login.end(&other.id).await?;
            ids.push(other.id);
        }
    }
    let details = format!("from {}", asker.from);
    record(
        admin,
        who.to_string(),
        "sign_out",
        &ids.join(" "),
        true,
        details,
    )
    .await?;
    Ok(json!({ "ended": ids.len() }))
}

/// Puts on record what became of a sign-in.
pub(super) async fn record(
    admin: &Admin,
    by: String,
    act: &str,
    object: &str,
    allowed: bool,
    details: String,
) -> Result<(), No> {
    let event = Event::Administered {
        by,
        act: act.to_owned(),
        object: object.to_owned(),
        allowed,
        details,
    };
    admin.ports.recorder.write(event).await.map_err(|why| {
        tracing::error!(%why, act, "this could not be recorded, and was refused");
        No::unavailable()
    })
}
