//! A browser at the authorization server: what it must say of itself, and what its pages are made of.

use super::world::*;
use crate::ports::login::{
    Answered, AskedBy, AuthorizeRequest, Choice, Confirm, DeviceCodes, Elsewhere, LoginApi,
    LoginRefused, Next, Returned, SignInView, SignedIn,
};
use axum::body::to_bytes;

/// An authorization server whose people are all called `<script>`.
pub(super) struct Desk;

fn hostile() -> Identity {
    identity(Chain::of(principal(
        PrincipalKind::User,
        "<script>\"'&",
        &["okta/<b>"],
    )))
}

fn asked_by() -> AskedBy {
    AskedBy {
        client: "<i>cli</i>".to_owned(),
        device: Some(Elsewhere {
            from: "192.0.2.9".to_owned(),
            code: "<u>".to_owned(),
            login: Some("<q>@web-1".to_owned()),
        }),
    }
}

fn not_here<T>() -> Result<T, LoginRefused> {
    Err(LoginRefused {
        error: "invalid_grant",
        why: "no <such> thing".to_owned(),
        ended: None,
    })
}

fn choice() -> Choice {
    Choice {
        request: "\"><x>".to_owned(),
        cookie: "the-cookie".to_owned(),
        providers: vec!["okta".to_owned(), "<evil>".to_owned()],
    }
}

impl LoginApi for Desk {
    fn providers(&self) -> Vec<String> {
        choice().providers
    }
    fn authorize(&self, _: AuthorizeRequest, _: Option<String>) -> Result<Choice, LoginRefused> {
        Ok(choice())
    }
    fn authorize_device<'a>(
        &'a self,
        _: &'a str,
        _: Option<String>,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Choice, LoginRefused>> {
        Box::pin(async { Ok(choice()) })
    }
    fn choose<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        cookie: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, LoginRefused>> {
        Box::pin(async move {
            match cookie {
                "the-cookie" => Ok("https://idp.example/authorize".to_owned()),
                _ => not_here(),
            }
        })
    }
    fn returned<'a>(
        &'a self,
        _: &'a str,
        _: Returned,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Next, LoginRefused>> {
        Box::pin(async {
            Ok(Next::Confirm(Box::new(Confirm {
                question: "\"><q>".to_owned(),
                identity: hostile(),
                by: asked_by(),
                leads_to: Some("http://127.0.0.1:4000".to_owned()),
            })))
        })
    }
    fn posted<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<String, LoginRefused>> {
        Box::pin(async { Ok("the-handle".to_owned()) })
    }
    fn collect<'a>(
        &'a self,
        issuer: &'a str,
        handle: &'a str,
        cookie: &'a str,
        from: &'a str,
    ) -> BoxFuture<'a, Result<Next, LoginRefused>> {
        match handle {
            "the-handle" => self.returned(issuer, Returned::default(), cookie, from),
            _ => Box::pin(async { not_here() }),
        }
    }
    fn metadata(&self, _: &str) -> Option<String> {
        None
    }
    fn answer<'a>(
        &'a self,
        _: &'a str,
        _: bool,
        cookie: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Answered, LoginRefused>> {
        Box::pin(async move {
            if cookie != "the-cookie" {
                return not_here();
            }
            Ok(Answered {
                leads_to: None,
                identity: hostile(),
                by: asked_by(),
            })
        })
    }
    fn begin_device<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<DeviceCodes, LoginRefused>> {
        Box::pin(async { not_here() })
    }
    fn poll_device<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>> {
        Box::pin(async {
            Err(LoginRefused {
                error: "authorization_pending",
                why: "nobody has answered yet".to_owned(),
                ended: None,
            })
        })
    }
    fn trade_code<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a str,
        _: &'a str,
        _: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>> {
        Box::pin(async {
            Ok(SignedIn {
                token: Secret::new("the-token"),
                refresh: Secret::new("the-refresh-token"),
                identity: hostile(),
                sign_in: "in-1".to_owned(),
            })
        })
    }
    fn refresh<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: &'a Sender,
    ) -> BoxFuture<'a, Result<SignedIn, LoginRefused>> {
        Box::pin(async { not_here() })
    }
    fn end_by_refresh<'a>(
        &'a self,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<SignInView>, LoginRefused>> {
        Box::pin(async { Ok(None) })
    }
    fn end<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool, LoginRefused>> {
        Box::pin(async { Ok(true) })
    }
    fn of<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, Result<Vec<SignInView>, LoginRefused>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

async fn get(path: &str, headers: &[(&str, &str)]) -> (StatusCode, axum::http::HeaderMap, String) {
    let mut request = Request::get(path).header(header::HOST, HOST);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    taken(
        World::new(&[])
            .send(request.body(Body::empty()).unwrap())
            .await,
    )
    .await
}

async fn taken(response: axum::response::Response) -> (StatusCode, axum::http::HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    (parts.status, parts.headers, text)
}

#[tokio::test]
async fn pages_show_what_others_chose_as_text_and_run_nothing() {
    for path in [
        "/oauth/authorize?client_id=x",
        "/oauth/callback/okta?state=s&code=c",
        "/oauth/device?user_code=BCDF",
        "/oauth/sign-in/okta?request=r",
        "/oauth/device",
    ] {
        let (_, headers, html) = get(path, &[]).await;
        for tag in [
            "<script", "<x>", "<q>", "<b>", "<i>", "<u>", "<evil", "<such",
        ] {
            assert!(!html.contains(tag), "{path}: {tag} in {html}");
        }
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(headers[header::CACHE_CONTROL], "no-store", "{path}");
        assert_eq!(headers[header::X_FRAME_OPTIONS], "DENY", "{path}");
    }
    let (_, headers, _) = get("/oauth/callback/okta?state=s&code=c", &[]).await;
    let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    // Where the answer leads, and nowhere else.
    assert!(
        policy.contains("form-action 'self' http://127.0.0.1:4000;"),
        "{policy}"
    );
}

#[tokio::test]
async fn who_is_asked_for_a_connection_sees_what_it_asks_for_from_where_and_its_code() {
    let (_, _, html) = get("/oauth/callback/okta?state=s&code=c", &[]).await;
    for part in [
        "Go on as you over SSH?",
        "<code>&lt;q&gt;@web-1</code>",
        "192.0.2.9",
        "<code>&lt;u&gt;</code>",
        "only if your own terminal shows this very code",
    ] {
        assert!(html.contains(part), "{part} is not in {html}");
    }
}

#[tokio::test]
async fn a_browser_comes_by_itself_to_our_host_with_its_own_cookie() {
    let cookie = "__Host-brattice-sign-in=the-cookie";
    let path = "/oauth/sign-in/okta?request=r";
    let (status, headers, _) = get(path, &[("cookie", cookie)]).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert_eq!(headers[header::LOCATION], "https://idp.example/authorize");
    let twice = format!("{cookie}; {cookie}");
    for (why, headers) in [
        ("no cookie", vec![]),
        (
            "another's",
            vec![("cookie", "__Host-brattice-sign-in=other")],
        ),
        (
            "one that another host could set",
            vec![("cookie", "brattice-sign-in=the-cookie")],
        ),
        ("two", vec![("cookie", twice.as_str())]),
        (
            "in a frame",
            vec![("cookie", cookie), ("sec-fetch-dest", "iframe")],
        ),
        (
            "as an image",
            vec![("cookie", cookie), ("sec-fetch-dest", "image")],
        ),
    ] {
        let (status, _, _) = get(path, &headers).await;
        assert!(status.is_client_error(), "{why}: {status}");
    }
    let request = Request::get(path)
        .header(header::HOST, "evil.example")
        .header(header::COOKIE, cookie);
    let response = World::new(&[])
        .send(request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(response.status(), StatusCode::MISDIRECTED_REQUEST);
    let (_, headers, _) = get("/oauth/authorize?client_id=x", &[]).await;
    let set = headers[header::SET_COOKIE].to_str().unwrap();
    for part in ["__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(set.contains(part), "{part} is not in {set}");
    }
}

#[tokio::test]
async fn only_a_page_of_ours_brings_a_persons_answer() {
    let origin = format!("https://{HOST}");
    let answer = async |headers: &[(&str, &str)], body: &str| {
        let world = World::new(&[]);
        let mut request = Request::post("/oauth/answer")
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = world
            .send(request.body(Body::from(body.to_owned())).unwrap())
            .await;
        let record = format!("{:?}", world.record.lock().unwrap());
        (response.status(), record)
    };
    let cookie = ("cookie", "__Host-brattice-sign-in=the-cookie");
    let body = "question=q&answer=yes";
    let (status, record) = answer(&[("origin", &origin), cookie], body).await;
    assert_eq!(status, StatusCode::OK);
    assert!(record.contains("sign_in.answer"), "{record}");
    for (why, headers, body) in [
        ("no origin", vec![cookie], body),
        (
            "a page elsewhere",
            vec![("origin", "https://evil.example"), cookie],
            body,
        ),
        ("no page at all", vec![("origin", "null"), cookie], body),
        (
            "another site",
            vec![
                ("origin", &origin),
                ("sec-fetch-site", "cross-site"),
                cookie,
            ],
            body,
        ),
        ("no cookie", vec![("origin", &origin)], body),
        ("no answer", vec![("origin", &origin), cookie], "question=q"),
        (
            "both answers",
            vec![("origin", &origin), cookie],
            "question=q&answer=yes&answer=no",
        ),
    ] {
        let (status, record) = answer(&headers, body).await;
        assert!(status.is_client_error(), "{why}: {status}");
        assert!(!record.contains("sign_in"), "{why}: {record}");
    }
}

#[tokio::test]
async fn a_sign_in_that_cannot_be_recorded_gives_nothing() {
    let world = World::new(&[]);
    let code = || {
        let form =
            "grant_type=authorization_code&client_id=c&redirect_uri=r&code=x&code_verifier=v";
        Request::post("/oauth/token")
            .header(header::HOST, HOST)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form))
            .unwrap()
    };
    let (status, _, text) = taken(world.send(code()).await).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    assert!(text.contains("the-refresh-token"));
    world.record_works.store(false, Ordering::SeqCst);
    let (status, _, text) = taken(world.send(code()).await).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        !text.contains("the-token") && !text.contains("the-refresh-token"),
        "{text}"
    );
}
