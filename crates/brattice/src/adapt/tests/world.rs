//! A gateway for one test.

use crate::config;
use crate::run::{Gateway, Source, SystemRandomness};
use brattice_core::action::Effect;
use brattice_core::approval::{Asked, Question};
use brattice_core::gate::Cut;
use brattice_core::ids::{ApprovalId, Digest, Revision, SessionId};
use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use brattice_core::record::Header;
use brattice_core::sender::Binding;
use brattice_core::time::{Clock, Timestamp};
use brattice_proxy::live::{Entered, LiveSession};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

pub const START: Timestamp = Timestamp(1_800_000_000_000_000);
pub const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// What the bundle's provider may be ahead of us.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// A clock that moves when it is told to.
pub struct StepClock(AtomicI64);

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

const BUNDLE: &str = r#"
[listen.postgres]
address = "127.0.0.1:6432"
allow_plaintext_loopback = true
[listen.ssh]
address = "127.0.0.1:2222"
[listen.admin]
address = "127.0.0.1:8443"
allow_plaintext_loopback = true
[store]
directory = "data"
allow_volatile = true
[recording]
master_key = "file:key"
[issuers.dev]
url = "https://id.example.com"
audiences = ["brattice"]
claims = { agent_when = ["kind=agent"], user_when = ["kind=user"] }
leeway = "5s"
[targets.orders-db]
protocol = "postgres"
host = "127.0.0.1"
tls = { mode = "disable" }
labels = { env = "production", team = "orders" }
database = "app"
user = "brattice"
password = "env:NOT_SET_IN_TESTS"
[targets.orders-host]
protocol = "ssh"
host = "127.0.0.1"
labels = { env = "production", team = "orders" }
user = "deploy"
accounts = ["root"]
certificate = "gateway"
host_keys = ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMce8IiB7ccn05x4jOb9Pb9ZxHQ+sJTBS/zZdCIy3fh8"]
shell = "bash"
[limits]
credential_lifetime_max = "10m"
"#;

pub struct World {
    pub gateway: Arc<Gateway>,
    clock: Arc<StepClock>,
    pub dir: TempDir,
}

impl World {
    pub async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let world = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        world("brattice.toml", BUNDLE);
        world("key", &"07".repeat(32));
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/orders/policies");
        std::fs::create_dir(dir.path().join("policies")).unwrap();
        for name in ["agents.cedar", "data.cedar", "people.cedar"] {
            std::fs::copy(example.join(name), dir.path().join("policies").join(name)).unwrap();
        }
        let clock = Arc::new(StepClock(AtomicI64::new(START.0)));
        let checked = config::load(dir.path()).unwrap();
        let source = Source::at(dir.path());
        let gateway = Gateway::assemble(source, checked, clock.clone(), Arc::new(SystemRandomness))
            .await
            .unwrap();
        Self {
            gateway: Arc::new(gateway),
            clock,
            dir,
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, span: Duration) {
        self.clock
            .0
            .store(self.now().plus(span).0, Ordering::SeqCst);
    }

    pub fn back(&self, span: Duration) {
        self.clock
            .0
            .store(self.now().minus(span).0, Ordering::SeqCst);
    }

    /// A session that was opened with this identity, until the guard is dropped.
    pub fn live(&self, n: u8, identity: Identity) -> (Entered, Arc<Cut>) {
        let cut = Arc::new(Cut::new());
        let live = LiveSession {
            id: session(n),
            chain: identity.chain.clone(),
            identity: Arc::new(identity),
            target: "orders-db".to_owned(),
            place: "app".to_owned(),
            client: "127.0.0.1:1".to_owned(),
            started_at: self.now(),
            granted: None,
            cut: cut.clone(),
        };
        (self.gateway.live.enter(live), cut)
    }

    /// A question of this chain that waits for the DBAs.
    pub fn question(&self, n: u8, chain: Chain) -> Question {
        Question {
            id: ApprovalId::from_bytes([n; 10]),
            session: Some(session(n)),
            ahead: None,
            chain,
            target: "orders-db".to_owned(),
            labels: vec!["env=production".to_owned()],
            place: "app".to_owned(),
            action: Digest::of(&[n]),
            text: "DELETE FROM orders WHERE id = 7".to_owned(),
            parameters: Vec::new(),
            effects: vec![Effect::Write],
            acts: vec!["sql.delete public.orders".to_owned()],
            asked: vec![Asked {
                rule: "production-writes-wait".to_owned(),
                rule_text: Digest::of(b"its text"),
                groups: vec!["dev/dba".to_owned()],
                approvers: 1,
                grant_minutes: None,
                message: None,
            }],
            revision: Revision(1),
            asked_at: self.now(),
            expires_at: self.now().plus(Duration::from_secs(3600)),
        }
    }
}

pub fn session(n: u8) -> SessionId {
    SessionId::from_bytes([n; 10])
}

pub fn header(n: u8, chain: Chain, at: Timestamp) -> Header {
    Header {
        session: session(n),
        chain,
        target: "orders-db".to_owned(),
        place: "app".to_owned(),
        protocol: "postgres".to_owned(),
        client: "127.0.0.1:1".to_owned(),
        started_at: at,
        revision: Revision(1),
    }
}

pub fn principal(kind: PrincipalKind, name: &str, groups: &[&str]) -> Principal {
    Principal {
        kind,
        issuer: "dev".to_owned(),
        name: name.to_owned(),
        groups: groups.iter().map(|g| format!("dev/{g}")).collect(),
    }
}

pub fn agent(name: &str) -> Principal {
    principal(PrincipalKind::Agent, name, &["agents", "writers"])
}

pub fn user(name: &str, groups: &[&str]) -> Principal {
    principal(PrincipalKind::User, name, groups)
}

/// Proven at this instant, for an hour.
pub fn proven(chain: Chain, at: Timestamp) -> Identity {
    Identity {
        chain,
        by: LoginBy::Oidc,
        mfa: true,
        binding: Binding::default(),
        authenticated_at: at,
        expires_at: at.plus(Duration::from_secs(3600)),
        token_id: None,
        credential: None,
        scope: brattice_core::scope::Scope::whole(),
        lineage: Vec::new(),
        sign_in: None,
    }
}

pub fn alone(who: Principal, at: Timestamp) -> Identity {
    proven(Chain::of(who), at)
}
