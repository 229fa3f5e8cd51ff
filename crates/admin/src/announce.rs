//! Telling people that something waits for them: signed webhooks, tried a few times. A route that fails approves nothing.
//!
//! Lives here: which routes a question goes to, the payload, signing, retries. Never: sockets (the `Post` port).

use crate::signature::{self, Signed};
use brattice_core::action::Effect;
use brattice_core::approval::Question;
use brattice_core::ids::ApprovalId;
use brattice_core::ports::{BoxFuture, Randomness};
use brattice_core::secret::Secret;
use brattice_core::time::Clock;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the signature of an announcement is for.
pub const PURPOSE: &str = "approval.asked";
/// Most characters of a command's text in an announcement; the rest is read at its URL.
pub const TEXT_CHARS_MAX: usize = 4000;
/// Pauses between attempts.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(25),
    Duration::from_secs(60),
];
/// Deliveries under way at once; more are dropped, loudly.
const DELIVERIES_MAX: usize = 64;

/// Sends a request.
pub trait Post: Send + Sync {
    /// Posts JSON to a route's URL with these headers, follows no redirect, and tells the status.
    fn post<'a>(
        &'a self,
        route: &'a str,
        url: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<u16, String>>;
}

/// A route of the bundle.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: String,
    /// Where to send.
    pub url: String,
    /// The signing secret.
    pub secret: Secret,
    /// Rules by id; empty for any. So are the others.
    pub rules: Vec<String>,
    /// Targets.
    pub targets: Vec<String>,
    /// Labels as `key=value`.
    pub labels: Vec<String>,
    /// Effects.
    pub effects: Vec<Effect>,
}

impl Route {
    /// Whether this question goes here.
    pub fn matches(&self, question: &Question) -> bool {
        let any = |wanted: &[String], has: &dyn Fn(&String) -> bool| {
            wanted.is_empty() || wanted.iter().any(has)
        };
        any(&self.rules, &|rule| {
            question.asked.iter().any(|a| a.rule == *rule)
        }) && any(&self.targets, &|target| question.target == *target)
            && any(&self.labels, &|label| question.labels.contains(label))
            && (self.effects.is_empty()
                || self.effects.iter().any(|e| question.effects.contains(e)))
    }
}

/// What is sent.
#[derive(Debug, Serialize)]
struct Announcement<'a> {
    event: &'static str,
    id: &'a ApprovalId,
    url: String,
    decision_url: String,
    chain: String,
    target: &'a str,
    place: &'a str,
    labels: &'a [String],
    effects: Vec<&'static str>,
    acts: &'a [String],
    rules: Vec<&'a str>,
    messages: Vec<&'a str>,
    groups: Vec<&'a str>,
    action: String,
    text: String,
    text_is_complete: bool,
    asked_at: String,
    expires_at: String,
}

/// Announces questions.
pub struct Announcer {
    routes: Vec<Route>,
    public_url: String,
    post: Arc<dyn Post>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Randomness>,
    deliveries: Arc<Semaphore>,
}

impl Announcer {
    /// Announces to these routes, with links that begin with that address.
    pub fn new(
        routes: Vec<Route>,
        public_url: &str,
        post: Arc<dyn Post>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Randomness>,
    ) -> Arc<Self> {
        Arc::new(Self {
            routes,
            public_url: public_url.trim_end_matches('/').to_owned(),
            post,
            clock,
            random,
            deliveries: Arc::new(Semaphore::new(DELIVERIES_MAX)),
        })
    }

    /// Sends the question to every route that wants it, in the background. Returns how many those are.
    pub fn announce(self: &Arc<Self>, question: &Question) -> usize {
        let mut sent = 0;
        for (index, route) in self.routes.iter().enumerate() {
            if !route.matches(question) {
                continue;
            }
            sent += 1;
            let Ok(permit) = Arc::clone(&self.deliveries).try_acquire_owned() else {
                tracing::error!(route = route.name, approval = %question.id, "too many announcements under way; one was dropped");
                continue;
            };
            let Some(body) = self.payload(question) else {
                continue;
            };
            let (own, id) = (Arc::clone(self), question.id.clone());
            tokio::spawn(async move {
                if let Some(route) = own.routes.get(index) {
                    own.deliver(route, &id, &body).await;
                }
                drop(permit);
            });
        }
        sent
    }

    /// Tries until the receiver takes it, says that it never will, or the attempts are used up.
    pub async fn deliver(&self, route: &Route, id: &ApprovalId, body: &[u8]) -> bool {
        let mut pauses = PAUSES.iter();
        loop {
            let outcome = self.attempt(route, body).await;
            match &outcome {
                Ok(200..=299) => return true,
                Ok(status @ (400..=407 | 409..=428 | 430..=499)) => {
                    tracing::error!(route = route.name, approval = %id, status, "a route refused an announcement");
                    return false;
                }
                Ok(status) => {
                    tracing::warn!(route = route.name, approval = %id, status, "an announcement failed")
                }
                Err(why) => {
                    tracing::warn!(route = route.name, approval = %id, %why, "an announcement failed")
                }
            }
            let Some(pause) = pauses.next() else {
                tracing::error!(route = route.name, approval = %id, "an announcement was given up");
                return false;
            };
            tokio::time::sleep(*pause).await;
        }
    }

    async fn attempt(&self, route: &Route, body: &[u8]) -> Result<u16, String> {
        let mut nonce = [0; 16];
        self.random.fill(&mut nonce).map_err(|e| e.to_string())?;
        let nonce = hex::encode(nonce);
        let timestamp = self.clock.now().seconds();
        let signed = Signed {
            timestamp,
            nonce: &nonce,
            purpose: PURPOSE,
            body,
        };
        let headers = [
            (signature::ROUTE_HEADER, route.name.clone()),
            (signature::TIMESTAMP_HEADER, timestamp.to_string()),
            (signature::SIGNATURE_HEADER, signed.sign(&route.secret)),
            (signature::NONCE_HEADER, nonce.clone()),
        ];
        self.post
            .post(&route.name, &route.url, &headers, body)
            .await
    }

    /// The body for a question.
    pub fn payload(&self, question: &Question) -> Option<Vec<u8>> {
        let text: String = question.text.chars().take(TEXT_CHARS_MAX).collect();
        let text_is_complete = text.len() == question.text.len();
        let link = |base: &str| format!("{base}/approvals/{}", question.id);
        let announcement = Announcement {
            event: PURPOSE,
            id: &question.id,
            url: link(&self.public_url),
            decision_url: format!("{}/decision", link(&format!("{}/api/v1", self.public_url))),
            chain: question.chain.to_string(),
            target: &question.target,
            place: &question.place,
            labels: &question.labels,
            effects: question.effects.iter().map(|e| e.as_str()).collect(),
            acts: &question.acts,
            rules: question.asked.iter().map(|a| a.rule.as_str()).collect(),
            messages: question
                .asked
                .iter()
                .filter_map(|a| a.message.as_deref())
                .collect(),
            groups: question
                .asked
                .iter()
                .flat_map(|a| a.groups.iter().map(String::as_str))
                .collect(),
            action: question.action.to_string(),
            text,
            text_is_complete,
            asked_at: question.asked_at.to_string(),
            expires_at: question.expires_at.to_string(),
        };
        serde_json::to_vec(&announcement).ok()
    }
}
