//! What is sent to a server for a session's role, on a server that only remembers.

use super::*;
use crate::lend::server::{ServerError, Servers};
use crate::lend::tests::Noon;
use crate::lend::{Environment, Lender, Parts, TargetCredential, UpstreamProof};
use brattice_core::ports::{Borrower, CredentialSource, Purpose, RecordFailed};
use std::collections::BTreeMap;

struct Fixed;
impl Environment for Fixed {
    fn variable(&self, _: &str) -> Option<Secret> {
        Some(Secret::new("makers-own-secret"))
    }
}

struct Sevens;
impl Randomness for Sevens {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.fill(7);
        Ok(())
    }
}

/// Remembers what it was sent, and answers as a server with the template would.
#[derive(Default)]
struct Remembers {
    sent: Mutex<Vec<String>>,
    refuses: Option<&'static str>,
    hangs: Option<&'static str>,
}

impl Remembers {
    fn sent(&self, word: &str) -> usize {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|s| s.contains(word)).count()
    }
}

impl Server for Remembers {
    fn run<'a>(
        &'a self,
        _: &'a str,
        _: &'a Lease,
        statements: &'a str,
    ) -> BoxFuture<'a, Result<Rows, ServerError>> {
        self.sent.lock().unwrap().push(statements.to_owned());
        let row = |cells: &[&str]| cells.iter().map(|c| Some((*c).to_owned())).collect();
        let has = |word: Option<&str>| word.is_some_and(|w| statements.contains(w));
        let answer = if has(self.refuses) {
            Err(ServerError {
                sqlstate: Some("42501".to_owned()),
                why: "the target answered with SQLSTATE 42501".to_owned(),
            })
        } else if statements.contains("AS kind") {
            Ok(vec![
                row(&["until", "", "2026-01-01"]),
                row(&["template", "app_agent", ""]),
                row(&["setting", "role", "postgres"]),
                row(&["setting", "work_mem", "4MB"]),
            ])
        } else if statements.contains("server_version_num") {
            Ok(vec![row(&["18", "f"])])
        } else {
            Ok(Vec::new())
        };
        let hangs = has(self.hangs);
        Box::pin(async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            answer
        })
    }
}

struct One(Arc<Remembers>);
impl Servers for One {
    fn of(&self, _: &str) -> Option<Arc<dyn Server>> {
        Some(self.0.clone())
    }
    fn any_place(&self, _: &str) -> Option<String> {
        Some("app".to_owned())
    }
}

fn lender(server: Remembers) -> (Arc<Lender>, Arc<Remembers>) {
    let server = Arc::new(server);
    let lender = Lender::new(Parts {
        environment: Arc::new(Fixed),
        sealed: None,
        servers: Arc::new(One(server.clone())),
        randomness: Arc::new(Sevens),
        clock: Arc::new(Noon),
        node: "0a1b2c3d".to_owned(),
        leases: "/nonexistent".into(),
        ssh: None,
    });
    let credential = TargetCredential {
        user: "maker".to_owned(),
        proof: UpstreamProof::Password("env:PW".parse().unwrap()),
        template: Some("app_agent".to_owned()),
    };
    lender.replace(
        BTreeMap::from([("orders-db".to_owned(), credential)]),
        Vec::new(),
        Vec::new(),
    );
    (Arc::new(lender), server)
}

async fn lend(lender: &Lender) -> Result<Lease, String> {
    let session = SessionId::from_bytes([1; 10]);
    let purpose = Purpose::Session {
        id: &session,
        agent: "report-bot",
    };
    let to = Borrower {
        target: "orders-db",
        place: "app",
        purpose,
    };
    lender.lend(to).await.map_err(|e| e.to_string())
}

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn the_server_is_told_a_verifier_and_never_the_password() {
    let (lender, server) = lender(Remembers::default());
    let lease = lend(&lender).await.unwrap();
    assert!(lease.user.starts_with("agent~report-bot~ses_"));
    assert_eq!(lease.rights, "app_agent");
    let password = lease.password.expose_str().unwrap().to_owned();
    assert_eq!(password.len(), 43);
    assert_eq!(server.sent("CREATE ROLE"), 1);
    assert_eq!(server.sent("PASSWORD 'SCRAM-SHA-256$"), 1);
    assert_eq!(server.sent(&password), 0);
    assert_eq!(server.sent("makers-own-secret"), 0);
    // The template's settings are given on, but not a role that it would become.
    assert_eq!(server.sent("SET \"work_mem\" TO '4MB'"), 1);
    assert_eq!(server.sent("postgres"), 0);
    assert!(!format!("{lease:?}").contains(&password));
}

#[tokio::test]
async fn a_role_is_dropped_once_when_its_session_panics() {
    let (lender, server) = lender(Remembers::default());
    let borrowed = lender.clone();
    let session = tokio::spawn(async move {
        let _lease = lend(&borrowed).await.unwrap();
        panic!("a session goes wrong");
    });
    assert!(session.await.is_err());
    assert!(lender.all_returned(SOON).await);
    assert_eq!(server.sent("DROP ROLE IF EXISTS"), 1);
}

#[tokio::test]
async fn a_role_is_dropped_when_nobody_waited_for_its_making() {
    let (lender, server) = lender(Remembers {
        hangs: Some("CREATE ROLE"),
        ..Remembers::default()
    });
    let given_up = tokio::time::timeout(Duration::from_millis(50), lend(&lender)).await;
    assert!(given_up.is_err());
    assert!(lender.all_returned(SOON).await);
    assert_eq!(server.sent("DROP ROLE IF EXISTS"), 1);
}

#[tokio::test]
async fn the_gateways_own_reading_makes_no_role() {
    let (lender, server) = lender(Remembers::default());
    let to = Borrower {
        target: "orders-db",
        place: "app",
        purpose: Purpose::Catalogue,
    };
    assert_eq!(lender.lend(to).await.unwrap().user, "maker");
    assert_eq!(server.sent(""), 0);
}

#[tokio::test]
async fn what_the_server_refuses_is_told_without_what_was_sent() {
    let (lender, _) = lender(Remembers {
        refuses: Some("CREATE ROLE"),
        ..Remembers::default()
    });
    let why = lend(&lender).await.unwrap_err();
    assert!(why.contains("42501") && !why.contains("SCRAM"), "{why}");
}

#[tokio::test]
async fn only_what_is_ours_or_long_forgotten_is_swept() {
    let (lender, _) = lender(Remembers::default());
    lender.roles.live.set().insert("agent~live".to_owned());
    let site = Site {
        target: "orders-db",
        place: "app",
        template: "app_agent",
        maker: &TargetCredential {
            user: "maker".to_owned(),
            proof: UpstreamProof::Password("env:PW".parse().unwrap()),
            template: None,
        },
    };
    let row = |role: &str, node: &str, target: &str, template: &str, long_past: &str| {
        let marker = Marker {
            node,
            session: "ses_1",
            target,
            template,
        };
        vec![
            Some(role.to_owned()),
            Some(marker.written()),
            Some(long_past.to_owned()),
        ]
    };
    let listed = vec![
        row("agent~live", "0a1b2c3d", "orders-db", "app_agent", "t"),
        row("agent~ours", "0a1b2c3d", "orders-db", "app_agent", "f"),
        row(
            "agent~other-target",
            "0a1b2c3d",
            "stock-db",
            "app_agent",
            "f",
        ),
        row(
            "agent~other-node",
            "ffffffff",
            "orders-db",
            "app_agent",
            "f",
        ),
        row("agent~forgotten", "ffffffff", "orders-db", "app_agent", "t"),
        row(
            "agent~other-template",
            "ffffffff",
            "orders-db",
            "admin",
            "t",
        ),
        vec![Some("agent~odd".to_owned()), Some("mine".to_owned()), None],
    ];
    let left = lender.roles.left_behind(listed, &site);
    assert_eq!(left, ["agent~ours", "agent~forgotten"]);
}
