//! An open session of the real gate, everything it needs kept in memory: only the gate makes proofs. Also used by the
//! integration test, which plays against a real server.

use crate::nobody::Nobody;
use brattice_core::approval::HoldTimes;
use brattice_core::audit::{Entry, Position};
use brattice_core::classify::sql::Lists;
use brattice_core::gate::{
    CatalogueUnavailable, Catalogues, Cleared, Cut, CutReason, Gate, Guarded, InForce, Lane,
    Opening, Role, Session, Snapshot,
};
use brattice_core::ids::Revision;
use brattice_core::mask::{Classes, Detector};
use brattice_core::policy::{Known, Rules, SourceFile, TimeZone};
use brattice_core::ports::{AuditLog, BoxFuture, Randomness, RecordFailed};
use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use brattice_core::sender::Binding;
use brattice_core::target::{Protocol, Target};
use brattice_core::time::{Clock, Timestamp};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const RULES: &str = r#"@id("connect") permit (principal in Group::"dev/agents", action == Action::"connect", resource);"#;
const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

/// The session.
pub struct Gated(Session);

impl Gated {
    /// Opens one whose lanes take so many bytes.
    pub fn new(lane_bytes_max: u64) -> Self {
        let gate = gate(lane_bytes_max);
        let opening = Opening {
            identity: identity(),
            target: "host".to_owned(),
            place: "files".to_owned(),
            protocol: Protocol::Postgres,
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let admission = at_once(gate.admit(opening)).unwrap();
        let role = Role {
            login: "u".to_owned(),
            rights: "u".to_owned(),
        };
        let cut = Arc::new(Cut::new());
        Self(gate.open(admission, role, cut).unwrap())
    }

    /// Clears a frame, as the gate would after its judgement.
    pub fn clear(&self, frame: Bytes) -> Cleared {
        self.0.lane().pass(frame).unwrap()
    }

    /// A lane for what is opened.
    pub fn lane(&self) -> Lane {
        self.0.lane()
    }

    /// Ends the session from outside.
    pub fn revoke(&self) {
        self.0.cut().throw(CutReason::Revoked);
    }
}

fn gate(lane_bytes_max: u64) -> Gate {
    let target = Target {
        name: "host".to_owned(),
        protocol: Protocol::Postgres,
        labels: BTreeMap::from([("env".to_owned(), "test".to_owned())]),
        observe: false,
    };
    let known = Known {
        issuers: BTreeSet::from(["dev".to_owned()]),
        targets: BTreeMap::from([("host".to_owned(), target.clone())]),
        ..Known::default()
    };
    let file = SourceFile {
        name: "rules.cedar".to_owned(),
        text: RULES.to_owned(),
    };
    // Built once: fuzzing opens many sessions.
    static DETECTOR: OnceLock<Arc<Detector>> = OnceLock::new();
    static LOADED: OnceLock<Arc<Rules>> = OnceLock::new();
    let detector = DETECTOR.get_or_init(|| Arc::new(Detector::new(&Classes::builtin()).unwrap()));
    let guarded = Guarded {
        shell: None,
        masks_files: false,
        target,
        masked: Vec::new(),
        lists: Lists::default(),
        detector: detector.clone(),
        holds: HoldTimes::default(),
        catalogue_age_max: Duration::from_secs(1),
        statement_bytes_max: 1 << 20,
        lane_bytes_max,
        catalogues: Arc::new(Nothing),
    };
    let rules = LOADED.get_or_init(|| Arc::new(Rules::load(&[file], &known).unwrap()));
    let bundle = InForce {
        revision: Revision(1),
        rules: rules.clone(),
        zone: TimeZone::UTC,
        tokens: None,
        targets: HashMap::from([("host".to_owned(), Arc::new(guarded))]),
        approval_url: "https://gateway/approvals/".to_owned(),
        expiry_grace: Duration::from_secs(60),
    };
    Gate::new(
        bundle,
        Arc::new(Nothing),
        Arc::new(Nothing),
        Arc::new(Nothing),
        Arc::new(Nobody),
        Arc::new(Nobody),
        Arc::new(Nobody),
    )
}

fn identity() -> Identity {
    let agent = Principal {
        kind: PrincipalKind::Agent,
        issuer: "dev".to_owned(),
        name: "a-1".to_owned(),
        groups: BTreeSet::from(["dev/agents".to_owned()]),
    };
    Identity {
        chain: Chain::of(agent),
        by: LoginBy::Oidc,
        mfa: false,
        binding: Binding::default(),
        authenticated_at: NOW,
        expires_at: NOW.plus(Duration::from_secs(600)),
        token_id: None,
        credential: None,
        scope: brattice_core::scope::Scope::whole(),
        lineage: Vec::new(),
        sign_in: None,
    }
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    let future = std::pin::pin!(future);
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// Every port, with nothing behind it: the log keeps nothing, nobody is asked, the clock stands.
#[derive(Debug)]
struct Nothing;

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        NOW
    }
}
impl Randomness for Nothing {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.iter_mut().zip(1..).for_each(|(b, n)| *b = n);
        Ok(())
    }
}
impl AuditLog for Nothing {
    fn append(&self, _: &Entry) -> Result<Position, RecordFailed> {
        Ok(Position(1))
    }
    fn durable(&self, _: Position) -> BoxFuture<'_, Result<(), RecordFailed>> {
        Box::pin(async { Ok(()) })
    }
}
impl Catalogues for Nothing {
    fn current(&self, _: &str) -> Option<Snapshot> {
        None
    }
    fn refresh<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Snapshot, CatalogueUnavailable>> {
        Box::pin(async { Err(CatalogueUnavailable("there is none".to_owned())) })
    }
}
