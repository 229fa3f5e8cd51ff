//! Announcing questions to the bundle's webhooks: what the API's announcer needs from this program.
//!
//! Lives here: sending over HTTPS, the routes of a bundle with their secrets, and following the store for new questions.
//! Never: which question goes where, signing, retries (the announcer's), a decision.

use crate::config::checked::{Checked, Route as Configured};
use crate::config::secrets::{self, NoSecret};
use arc_swap::ArcSwap;
use brattice_admin::announce::{Announcer, Post, Route};
use brattice_admin::signature::SECRET_BYTES_MIN;
use brattice_core::approval::ApprovalState;
use brattice_core::ids::ApprovalId;
use brattice_core::ports::{Approvals, BoxFuture, Randomness};
use brattice_core::secret::Secret;
use brattice_core::time::{Clock, Timestamp};
use brattice_store::db::{ApprovalFilter, Change, Db};
use reqwest::{Certificate, Client, redirect};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Why a route cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// Its secret cannot be had.
    #[error("routes.{route}.secret")]
    Secret {
        /// The route.
        route: String,
        /// Why.
        #[source]
        cause: NoSecret,
    },
    /// Its secret is too short to sign with.
    #[error("routes.{0}.secret has fewer than {SECRET_BYTES_MIN} bytes")]
    ShortSecret(String),
    /// Its authority's file cannot be read.
    #[error("routes.{route}.ca: {} cannot be used: {why}", path.display())]
    Authority {
        /// The route.
        route: String,
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No client could be made.
    #[error("routes.{route}: no client could be made")]
    Client {
        /// The route.
        route: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
}

/// The secrets of routes that may bring decisions back, for [`brattice_admin::Settings`].
pub fn decision_secrets(checked: &Checked) -> Result<BTreeMap<String, Secret>, RouteError> {
    checked
        .routes
        .iter()
        .filter(|r| r.decisions)
        .map(|r| Ok((r.name.clone(), secret(r)?)))
        .collect()
}

/// An announcer for the routes of a bundle.
pub fn announcer(
    checked: &Checked,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
) -> Result<Arc<Announcer>, RouteError> {
    let mut clients = HashMap::new();
    let mut routes = Vec::new();
    for route in &checked.routes {
        clients.insert(route.name.clone(), client(route)?);
        routes.push(Route {
            name: route.name.clone(),
            url: route.url.clone(),
            secret: secret(route)?,
            rules: route.matching.rules.clone(),
            targets: route.matching.targets.clone(),
            labels: route.matching.labels.clone(),
            effects: route.matching.effects.clone(),
        });
    }
    let public_url = &checked.listen.admin.public_url;
    Ok(Announcer::new(
        routes,
        public_url,
        Arc::new(Web(clients)),
        clock,
        random,
    ))
}

/// Announces every new question until told to stop. The announcer may be exchanged when a bundle is.
pub async fn follow(db: Db, current: Arc<ArcSwap<Announcer>>, mut stop: watch::Receiver<bool>) {
    let mut changes = db.changes();
    let mut told = Told::default();
    loop {
        let change = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            change = changes.recv() => change,
        };
        match change {
            Ok(Change::Asked(id)) => match db.get(&id).await {
                Ok(Some(approval)) if told.is_new(&id, approval.question.expires_at) => {
                    current.load_full().announce(&approval.question);
                }
                Ok(_) => {}
                Err(why) => {
                    tracing::error!(approval = %id, %why, "a question could not be read and is not announced")
                }
            },
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => catch_up(&db, &current, &mut told).await,
            Err(RecvError::Closed) => return,
        }
    }
}

/// After falling behind: whatever is open and was not announced yet.
async fn catch_up(db: &Db, current: &ArcSwap<Announcer>, told: &mut Told) {
    let open = ApprovalFilter {
        state: Some(ApprovalState::Pending),
        ..ApprovalFilter::default()
    };
    match db.approvals(&open).await {
        Ok(found) => {
            for approval in found {
                if told.is_new(&approval.question.id, approval.question.expires_at) {
                    current.load_full().announce(&approval.question);
                }
            }
        }
        Err(why) => {
            tracing::error!(%why, "open questions could not be listed and are not announced")
        }
    }
}

/// Questions that were announced, until they lapse.
#[derive(Default)]
struct Told(HashMap<ApprovalId, Timestamp>);

/// Beyond so many, those that lapse first are forgotten.
const TOLD_MAX: usize = 10_000;

impl Told {
    fn is_new(&mut self, id: &ApprovalId, until: Timestamp) -> bool {
        if self.0.len() >= TOLD_MAX {
            let mut ends: Vec<Timestamp> = self.0.values().copied().collect();
            ends.sort_unstable();
            if let Some(middle) = ends.get(ends.len() / 2).copied() {
                self.0.retain(|_, end| *end > middle);
            }
        }
        self.0.insert(id.clone(), until).is_none()
    }
}

fn secret(route: &Configured) -> Result<Secret, RouteError> {
    let secret = secrets::read(&route.secret).map_err(|cause| RouteError::Secret {
        route: route.name.clone(),
        cause,
    })?;
    if secret.expose().len() < SECRET_BYTES_MIN {
        return Err(RouteError::ShortSecret(route.name.clone()));
    }
    Ok(secret)
}

fn client(route: &Configured) -> Result<Client, RouteError> {
    let mut client = Client::builder()
        .redirect(redirect::Policy::none())
        .https_only(route.url.starts_with("https://"))
        .connect_timeout(CONNECT_MAX)
        .timeout(ATTEMPT_MAX)
        .user_agent(concat!("brattice/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &route.ca {
        let unusable = |why: String| RouteError::Authority {
            route: route.name.clone(),
            path: path.clone(),
            why,
        };
        let pem = std::fs::read(path).map_err(|why| unusable(why.to_string()))?;
        let authorities =
            Certificate::from_pem_bundle(&pem).map_err(|why| unusable(why.to_string()))?;
        client = client.tls_certs_only(authorities);
    }
    client.build().map_err(|cause| RouteError::Client {
        route: route.name.clone(),
        cause,
    })
}

/// Sends by a client for each route.
struct Web(HashMap<String, Client>);

impl Post for Web {
    fn post<'a>(
        &'a self,
        route: &'a str,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<u16, String>> {
        Box::pin(async move {
            let client = self.0.get(route).ok_or("there is no such route")?;
            let mut request = client
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_vec());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            // The error's own text would repeat the URL, which may carry a receiver's secret.
            let response = request
                .send()
                .await
                .map_err(|why| why.without_url().to_string())?;
            Ok(response.status().as_u16())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    fn id(n: u8) -> ApprovalId {
        ApprovalId::from_bytes([n; 10])
    }

    #[test]
    fn a_question_is_announced_once() {
        let mut told = Told::default();
        assert!(told.is_new(&id(1), Timestamp(5)));
        assert!(!told.is_new(&id(1), Timestamp(5)));
        assert!(told.is_new(&id(2), Timestamp(5)));
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_not_followed() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = socket.read(&mut request).await.unwrap();
            let answer =
                b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
            socket.write_all(answer).await.unwrap();
            String::from_utf8_lossy(request.get(..read).unwrap()).into_owned()
        });
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        let web = Web(HashMap::from([("chat".to_owned(), client)]));
        let headers = [("brattice-nonce", "n1".to_owned())];
        assert_eq!(web.post("chat", &url, &headers, b"{}").await, Ok(302));
        let request = served.await.unwrap();
        assert!(
            request.starts_with("POST /hook") && request.contains("brattice-nonce: n1"),
            "{request}"
        );
    }
}
