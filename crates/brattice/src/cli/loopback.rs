//! The address on this machine at which the gateway's answer arrives by the person's browser (RFC 8252, section 7.3).
//!
//! Lives here: listening once, and opening a browser. Never: what the answer means.

use super::exit::Failure;
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use std::process::{Command, Stdio};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A port of this machine that waits for an answer.
pub struct Loopback {
    listener: TcpListener,
    /// Where the browser is sent.
    pub redirect_uri: String,
}

impl Loopback {
    /// Listens.
    pub async fn open() -> Result<Self, Failure> {
        let cannot = |why: std::io::Error| {
            Failure::failed(format!("no port of this machine can be listened on: {why}"))
                .hint("sign in with --device")
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self {
            listener,
            redirect_uri: format!("http://{address}/callback"),
        })
    }

    /// The parameters of the first answer that has this `state`; others are nobody's.
    pub async fn answer(
        self,
        state: &str,
        wait: Duration,
    ) -> Result<Vec<(String, String)>, Failure> {
        let (sender, mut answers) = mpsc::channel(8);
        let router = Router::new()
            .route("/callback", get(arrived))
            .with_state(sender);
        let serving = tokio::spawn(async move { axum::serve(self.listener, router).await });
        let waiting = async {
            while let Some(answer) = answers.recv().await {
                let answer: Vec<(String, String)> = answer;
                if answer.iter().any(|(n, v)| n == "state" && v == state) {
                    return Some(answer);
                }
            }
            None
        };
        let found = tokio::time::timeout(wait, waiting).await;
        // The browser is still being answered.
        tokio::time::sleep(Duration::from_millis(100)).await;
        serving.abort();
        found.ok().flatten().ok_or_else(|| {
            Failure::failed("nobody signed in in time").hint("start `brattice login` again")
        })
    }
}

async fn arrived(
    State(sender): State<mpsc::Sender<Vec<(String, String)>>>,
    RawQuery(query): RawQuery,
) -> impl IntoResponse {
    let query = query.unwrap_or_default();
    let answer: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let said = if answer.iter().any(|(n, _)| n == "code") {
        "Go back to your terminal."
    } else {
        "Nobody was signed in. Your terminal says more."
    };
    // A full queue means that answers came that nobody asked for.
    let _ = sender.try_send(answer);
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Brattice</title><p>{said} You can close this window.</p></html>"
    );
    let headers = [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, Html(page))
}

/// Whether there is a screen to open a browser on.
pub fn has_screen() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    set("BROWSER")
        || (!set("SSH_CONNECTION")
            && (cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY")))
}

/// Opens a browser; whether one was started.
pub fn browse(url: &str) -> bool {
    let usual = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let program = std::env::var("BROWSER").ok().filter(|b| !b.is_empty());
    let started = Command::new(program.as_deref().unwrap_or(usual))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    started.is_ok()
}
