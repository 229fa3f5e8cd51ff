//! Announcing questions: to whom, how often, and that it decides nothing.

use super::world::*;
use crate::announce::{Announcer, Post, Route};
use brattice_core::ports::Randomness;

/// Headers and body of a request.
type Sent = (Vec<(&'static str, String)>, Vec<u8>);

struct Receiver {
    statuses: Mutex<Vec<u16>>,
    seen: Mutex<Vec<Sent>>,
}

impl Post for Receiver {
    fn post<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        headers: &'a [(&'static str, String)],
        body: &'a [u8],
    ) -> BoxFuture<'a, Result<u16, String>> {
        Box::pin(async move {
            self.seen
                .lock()
                .unwrap()
                .push((headers.to_vec(), body.to_vec()));
            let mut statuses = self.statuses.lock().unwrap();
            if statuses.is_empty() {
                Err("nobody is there".to_owned())
            } else {
                Ok(statuses.remove(0))
            }
        })
    }
}

struct Counting(Mutex<u8>);

impl Randomness for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        let mut n = self.0.lock().unwrap();
        *n += 1;
        buf.fill(*n);
        Ok(())
    }
}

fn route() -> Route {
    Route {
        name: "chat".to_owned(),
        url: "https://hooks.example.com".to_owned(),
        secret: Secret::new(vec![9; 32]),
        rules: Vec::new(),
        targets: Vec::new(),
        labels: Vec::new(),
        effects: Vec::new(),
    }
}

fn announcer(statuses: &[u16]) -> (Arc<Announcer>, Arc<Receiver>) {
    let receiver = Arc::new(Receiver {
        statuses: Mutex::new(statuses.to_vec()),
        seen: Mutex::new(Vec::new()),
    });
    let announcer = Announcer::new(
        Vec::new(),
        "https://gateway.example.com/",
        receiver.clone(),
        World::new(&[]),
        Arc::new(Counting(Mutex::new(0))),
    );
    (announcer, receiver)
}

#[test]
fn a_route_gets_what_it_asks_for() {
    let question = approval(ApprovalState::Pending).question;
    assert!(route().matches(&question));
    let wants = |change: &dyn Fn(&mut Route)| {
        let mut route = route();
        change(&mut route);
        route.matches(&question)
    };
    assert!(wants(
        &|r| r.rules = vec!["other".to_owned(), "writes".to_owned()]
    ));
    assert!(!wants(&|r| r.rules = vec!["other".to_owned()]));
    assert!(!wants(&|r| r.targets = vec!["billing".to_owned()]));
    assert!(wants(&|r| r.labels = vec!["env=production".to_owned()]));
    assert!(!wants(&|r| r.effects = vec![Effect::Destroy]));
}

#[tokio::test(start_paused = true)]
async fn an_announcement_is_tried_again_signed_anew_each_time() {
    let (announcer, receiver) = announcer(&[500, 429, 204]);
    let question = approval(ApprovalState::Pending).question;
    let body = announcer.payload(&question).unwrap();
    assert!(announcer.deliver(&route(), &question.id, &body).await);
    let seen = receiver.seen.lock().unwrap();
    assert_eq!(seen.len(), 3);
    let header = |n: usize, name: &str| {
        seen[n]
            .0
            .iter()
            .find(|(h, _)| *h == name)
            .unwrap()
            .1
            .clone()
    };
    assert_ne!(
        header(0, signature::NONCE_HEADER),
        header(1, signature::NONCE_HEADER)
    );
    let signed = Signed {
        timestamp: header(2, signature::TIMESTAMP_HEADER).parse().unwrap(),
        nonce: &header(2, signature::NONCE_HEADER),
        purpose: crate::announce::PURPOSE,
        body: &seen[2].1,
    };
    assert!(signed.is_signed(&route().secret, &header(2, signature::SIGNATURE_HEADER)));
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        json["url"],
        format!("https://gateway.example.com/approvals/{}", question.id)
    );
    assert_eq!(json["text_is_complete"], true);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_fails_is_given_up_and_one_that_refuses_is_not_asked_again() {
    let question = approval(ApprovalState::Pending).question;
    let (away, receiver) = announcer(&[]);
    assert!(!away.deliver(&route(), &question.id, b"{}").await);
    assert_eq!(receiver.seen.lock().unwrap().len(), 5);
    let (refusing, receiver) = announcer(&[403, 204]);
    assert!(!refusing.deliver(&route(), &question.id, b"{}").await);
    assert_eq!(receiver.seen.lock().unwrap().len(), 1);
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let (announcer, _) = announcer(&[]);
    let mut question = approval(ApprovalState::Pending).question;
    question.text = "ä".repeat(100_000);
    let json: serde_json::Value =
        serde_json::from_slice(&announcer.payload(&question).unwrap()).unwrap();
    assert_eq!(json["text_is_complete"], false);
    assert_eq!(
        json["text"].as_str().unwrap().chars().count(),
        crate::announce::TEXT_CHARS_MAX
    );
}
