//! Telling people that something waits for them, over the bundle's routes.
//!
//! Lives here: the routes in force, the HTTP client, and following what is asked. Never: signing, retries, what is sent.

use crate::config::checked::Route;
use crate::config::{Checked, secrets};
use crate::run::{Gateway, StartError};
use brattice_admin::announce::{self, Announcer, Post};
use brattice_admin::signature::SECRET_BYTES_MIN;
use brattice_core::approval::ApprovalState;
use brattice_core::ids::ApprovalId;
use brattice_core::ports::{Approvals, BoxFuture, Randomness, StoreError};
use brattice_core::secret::Secret;
use brattice_core::time::Clock;
use brattice_store::db::{ApprovalFilter, Change};
use reqwest::{Certificate, Client, redirect};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};

/// Longest wait for a receiver's whole answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);
/// Longest wait for a connection to it.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Questions remembered as announced before those that are settled are forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// The routes of the bundle in force.
pub struct Routes {
    /// Announces questions.
    pub announcer: Arc<Announcer>,
    /// Signing secrets of routes that bring decisions back.
    pub decision_secrets: BTreeMap<String, Secret>,
}

impl Routes {
    /// Reads the routes' secrets and authorities.
    ///
    /// # Errors
    /// When one of them cannot be had, or a secret is too short to sign with.
    pub fn of(
        checked: &Checked,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Result<Self, StartError> {
        let mut clients = HashMap::new();
        let mut decision_secrets = BTreeMap::new();
        let mut routes = Vec::new();
        for route in &checked.routes {
            let secret = secret_of(route)?;
            if route.decisions {
                decision_secrets.insert(route.name.clone(), secret.clone());
            }
            clients.insert(route.name.clone(), client(route)?);
            routes.push(announce::Route {
                name: route.name.clone(),
                url: route.url.clone(),
                secret,
                rules: route.matching.rules.clone(),
                targets: route.matching.targets.clone(),
                labels: route.matching.labels.clone(),
                effects: route.matching.effects.clone(),
            });
        }
        let post = Arc::new(Https(clients));
        let public_url = &checked.listen.admin.public_url;
        Ok(Self {
            announcer: Announcer::new(routes, public_url, post, clock, random),
            decision_secrets,
        })
    }
}

fn secret_of(route: &Route) -> Result<Secret, StartError> {
    let what = || format!("routes.{}.secret", route.name);
    let secret = secrets::read(&route.secret).map_err(|why| StartError::Secret {
        what: what(),
        why: why.to_string(),
    })?;
    if secret.expose().len() < SECRET_BYTES_MIN {
        let why = format!(
            "it has fewer than {SECRET_BYTES_MIN} bytes; make one with `openssl rand -hex 32`"
        );
        return Err(StartError::Secret { what: what(), why });
    }
    Ok(secret)
}

/// A client for one receiver: its own authority where one is named, no redirects, no proxy that would read along.
fn client(route: &Route) -> Result<Client, StartError> {
    let bad = |why: String| StartError::Bundle(vec![format!("routes.{}: {why}", route.name)]);
    let mut client = Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .https_only(!route.url.starts_with("http://"))
        .connect_timeout(CONNECT_WAIT_MAX)
        .timeout(ANSWER_WAIT_MAX)
        .user_agent("brattice");
    if let Some(path) = &route.ca {
        let pem = std::fs::read(path).map_err(|cause| StartError::File {
            path: path.clone(),
            cause,
        })?;
        let authority = Certificate::from_pem_bundle(&pem).map_err(|why| bad(why.to_string()))?;
        client = client.tls_certs_only(authority);
    }
    client.build().map_err(|why| bad(why.to_string()))
}

struct Https(HashMap<String, Client>);

impl Post for Https {
    fn post<'a>(
        &'a self,
        route: &'a str,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<u16, String>> {
        Box::pin(async move {
            let client = self
                .0
                .get(route)
                .ok_or_else(|| "the route has no client".to_owned())?;
            let mut request = client
                .post(url)
                .header("content-type", "application/json")
                .body(body.to_vec());
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            // An address may hold what only the receiver should know.
            let answer = request
                .send()
                .await
                .map_err(|why| why.without_url().to_string())?;
            Ok(answer.status().as_u16())
        })
    }
}

/// Announces each question once, until told to stop.
pub async fn announce(
    gateway: Arc<Gateway>,
    mut changes: broadcast::Receiver<Change>,
    mut stop: watch::Receiver<bool>,
) {
    let mut announced = HashSet::new();
    loop {
        let change = tokio::select! {
            () = crate::run::told(&mut stop) => return,
            change = changes.recv() => change,
        };
        let done = match change {
            Ok(Change::Asked(id)) => one(&gateway, &id, &mut announced).await,
            Ok(_) => Ok(()),
            Err(RecvError::Lagged(_)) => all(&gateway, &mut announced).await,
            Err(RecvError::Closed) => return,
        };
        if let Err(error) = done {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "a question could not be read, so it was not announced"
            );
        }
    }
}

async fn one(
    gateway: &Gateway,
    id: &ApprovalId,
    announced: &mut HashSet<ApprovalId>,
) -> Result<(), StoreError> {
    if announced.len() >= REMEMBERED_MAX {
        return all(gateway, announced).await;
    }
    let Some(approval) = gateway.db.get(id).await? else {
        return Ok(());
    };
    if approval.state == ApprovalState::Pending && announced.insert(id.clone()) {
        gateway.routes.load().announcer.announce(&approval.question);
    }
    Ok(())
}

/// What is pending and was not announced; what is settled is forgotten.
async fn all(gateway: &Gateway, announced: &mut HashSet<ApprovalId>) -> Result<(), StoreError> {
    let filter = ApprovalFilter {
        state: Some(ApprovalState::Pending),
        ..ApprovalFilter::default()
    };
    let pending = gateway.db.approvals(&filter).await?;
    let ids: HashSet<&ApprovalId> = pending.iter().map(|a| &a.question.id).collect();
    announced.retain(|id| ids.contains(id));
    for approval in &pending {
        if announced.insert(approval.question.id.clone()) {
            gateway.routes.load().announcer.announce(&approval.question);
        }
    }
    Ok(())
}
