//! The gate with everything it needs kept in memory, and a client that writes frames.

use super::target::Target;
use crate::Limits;
use crate::nobody::Nobody;
use crate::postgres::session::{Machine, Step};
use crate::postgres::{NameKind, backend, encode, frame};
use brattice_core::action::RelationKind;
use brattice_core::approval::HoldTimes;
use brattice_core::audit::{Entry, Event, Position};
use brattice_core::classify::sql::Lists;
use brattice_core::classify::sql::catalogue::{Catalogue, Column, Major, Relation};
use brattice_core::gate::{
    CatalogueUnavailable, Catalogues, Cut, Gate, Guarded, Held, InForce, Look, Opening, Pending,
    Role, Snapshot, SqlSession, Thought, Verdict,
};
use brattice_core::ids::{Digest, Revision};
use brattice_core::mask::{Classes, Detector};
use brattice_core::policy::{Known, Rules, SourceFile, TimeZone};
use brattice_core::ports::{AuditLog, BoxFuture, Randomness, RecordFailed, Recorder};
use brattice_core::principal::{Chain, Identity, LoginBy, Principal, PrincipalKind};
use brattice_core::record::{Frame, FrameKind};
use brattice_core::sender::Binding;
use brattice_core::target::{Protocol, Target as PolicyTarget};
use brattice_core::time::{Clock, Timestamp};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

const RULES: &str = r#"
@id("connect") permit (principal in Group::"dev/agents", action == Action::"connect", resource);
@id("read-and-insert") permit (principal in Group::"dev/agents", action in [Action::"read", Action::"sql.insert"], resource);
"#;

const NOW: Timestamp = Timestamp(1_800_000_000_000_000);

pub(super) struct Bench {
    gate: Arc<Gate>,
    table: Arc<OneTable>,
    session: Option<Box<SqlSession>>,
    machine: Machine,
    log: Arc<Kept>,
    pub client: Client,
    pub target: Target,
    client_in: BytesMut,
    target_in: BytesMut,
    /// Refusals as they were recorded.
    pub verdicts: Verdicts,
    /// What the stand-in has answered.
    pub answered: Vec<u8>,
    /// The stand-in says nothing: the script answers.
    pub mute: bool,
    gone: bool,
}

impl Bench {
    pub fn new() -> Self {
        let table = Arc::new(OneTable::default());
        let log = Arc::new(Kept::default());
        let target = PolicyTarget {
            name: "db".to_owned(),
            protocol: Protocol::Postgres,
            labels: BTreeMap::from([("env".to_owned(), "test".to_owned())]),
            observe: false,
        };
        let known = Known {
            issuers: BTreeSet::from(["dev".to_owned()]),
            targets: BTreeMap::from([("db".to_owned(), target.clone())]),
            ..Known::default()
        };
        let file = SourceFile {
            name: "rules.cedar".to_owned(),
            text: RULES.to_owned(),
        };
        // Built once: fuzzing makes many benches.
        static DETECTOR: OnceLock<Arc<Detector>> = OnceLock::new();
        static LOADED: OnceLock<Arc<Rules>> = OnceLock::new();
        let detector = DETECTOR
            .get_or_init(|| Arc::new(Detector::new(&Classes::builtin()).unwrap()))
            .clone();
        let guarded = Guarded {
            target,
            masked: Vec::new(),
            lists: Lists::default(),
            detector: detector.clone(),
            holds: HoldTimes::default(),
            shell: None,
            masks_files: false,
            catalogue_age_max: Duration::from_secs(1),
            statement_bytes_max: 1 << 20,
            lane_bytes_max: 1 << 20,
            catalogues: table.clone(),
        };
        let bundle = InForce {
            revision: Revision(1),
            rules: LOADED
                .get_or_init(|| Arc::new(Rules::load(&[file], &known).unwrap()))
                .clone(),
            zone: TimeZone::UTC,
            tokens: None,
            targets: HashMap::from([("db".to_owned(), Arc::new(guarded))]),
            approval_url: "https://gateway/approvals/".to_owned(),
            expiry_grace: Duration::from_secs(60),
        };
        let gate = Arc::new(Gate::new(
            bundle,
            Arc::new(Stopped),
            Arc::new(Counting),
            log.clone(),
            Arc::new(Nobody),
            Arc::new(Nobody),
            Arc::new(Nobody),
        ));
        let agent = Principal {
            kind: PrincipalKind::Agent,
            issuer: "dev".to_owned(),
            name: "a-1".to_owned(),
            groups: BTreeSet::from(["dev/agents".to_owned()]),
        };
        let identity = Identity {
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
        };
        let opening = Opening {
            identity,
            target: "db".to_owned(),
            place: "app".to_owned(),
            protocol: Protocol::Postgres,
            client: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        let admitted = {
            let admitting = std::pin::pin!(gate.admit(opening));
            match admitting.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(admitted) => admitted,
                Poll::Pending => panic!("nothing here waits"),
            }
        };
        let admission = admitted.unwrap();
        let session = gate
            .open(
                admission,
                Role {
                    login: "role".to_owned(),
                    rights: "role".to_owned(),
                },
                Arc::new(Cut::new()),
            )
            .unwrap();
        let session = SqlSession::new(session, Major(18));
        Self {
            machine: Machine::new(Limits::default(), detector),
            session: Some(Box::new(session)),
            gate,
            table,
            log,
            client: Client::default(),
            target: Target::default(),
            client_in: BytesMut::new(),
            target_in: BytesMut::new(),
            verdicts: Verdicts::default(),
            answered: Vec::new(),
            mute: false,
            gone: false,
        }
    }

    /// The next look at the catalogue's picture finds none, and the one after it that another session has read one.
    pub fn another_reads_the_catalogue(&self) {
        self.table.unread.store(true, Ordering::Relaxed);
    }

    /// Runs until nothing moves, and gives what the client has seen since.
    pub fn run(&mut self) -> Seen {
        self.try_run().unwrap()
    }

    pub fn try_run(&mut self) -> Result<Seen, String> {
        self.go_on()?;
        Ok(Seen {
            bytes: self.seen_so_far(),
        })
    }

    /// What the client was sent and has not seen yet.
    pub fn seen_so_far(&mut self) -> Vec<u8> {
        self.machine.to_client.split().to_vec()
    }

    /// The target says this.
    pub fn answer(&mut self, bytes: &[u8]) {
        self.target_in.extend_from_slice(bytes);
    }

    /// Runs until nothing moves, or the session ends.
    pub fn go_on(&mut self) -> Result<(), String> {
        if self.gone {
            return Ok(());
        }
        self.client_in
            .extend_from_slice(&std::mem::take(&mut self.client.bytes));
        let mut recorder = Verdicts::default();
        loop {
            let mut moved = false;
            let step = self
                .machine
                .client(&mut self.client_in, NOW, &mut recorder)
                .map_err(|e| e.to_string())?;
            if let Step::Ask(held) = step {
                self.judge(held);
                moved = true;
            } else if matches!(step, Step::Goodbye) {
                self.gone = true;
                return Ok(());
            } else if !matches!(step, Step::Nothing) {
                moved = true;
            }
            let out = self.machine.outbox.bytes().to_vec();
            self.machine.outbox.advance(out.len());
            if !out.is_empty() {
                moved = true;
                let answers = self.target.take(&out);
                if !self.mute {
                    self.answered.extend_from_slice(&answers);
                    self.target_in.extend_from_slice(&answers);
                }
            }
            let looked = self
                .machine
                .target(&mut self.target_in, NOW, &mut recorder)
                .map_err(|e| e.to_string())?;
            let _portion = self.machine.shown();
            self.machine
                .note_shown(NOW, &mut recorder)
                .map_err(|e| e.to_string())?;
            if let Some(looked) = looked {
                moved = true;
                self.gate
                    .looked(self.session.as_mut().unwrap(), looked.look, looked.rows)
                    .map_err(|d| d.to_string())?;
                if let Some(held) = looked.held {
                    self.judge(held);
                }
            }
            if !moved {
                return Ok(());
            }
        }
    }

    fn judge(&mut self, held: Held) {
        let names = self.machine.names().clone();
        let mut held = held;
        let verdict = loop {
            // The catalogue here never changes: a fresh one is the same one.
            match self
                .gate
                .judge_now(self.session.as_mut().unwrap(), held, &names)
            {
                Ok(v) => break v,
                Err(Pending::Durable(_, v)) => break *v,
                Err(pending @ Pending::Refresh(_)) => match self.think(pending) {
                    Thought::Verdict(v) => break v,
                    Thought::Again(again) => held = again,
                },
                Err(other) => panic!("nothing in these scripts waits for {other:?}"),
            }
        };
        assert!(!matches!(verdict, Verdict::Park(_)));
        let gate = self.gate.clone();
        let session = self.session.as_ref().unwrap();
        let texts = |look: Look| gate.look_texts(session, look);
        assert!(
            self.machine
                .answer(verdict, texts, NOW, &mut self.verdicts)
                .unwrap()
                .is_none()
        );
    }

    /// Everything here is ready at once.
    fn think(&mut self, pending: Pending) -> Thought {
        let session = self.session.take().unwrap();
        let thinking = std::pin::pin!(self.gate.clone().think(session, pending));
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready((session, thought)) = thinking.poll(&mut context) else {
            panic!("nothing here waits");
        };
        self.session = Some(session);
        thought
    }

    /// Intents on record.
    pub fn intents(&self) -> usize {
        self.log
            .0
            .lock()
            .unwrap()
            .iter()
            .filter(|e| matches!(e.event, Event::Intent { .. }))
            .count()
    }
}

/// Writes frames as a client does.
#[derive(Default)]
pub(super) struct Client {
    pub bytes: Vec<u8>,
}

impl Client {
    fn put(&mut self, write: impl FnOnce(&mut BytesMut)) -> &mut Self {
        let mut out = BytesMut::new();
        write(&mut out);
        self.bytes.extend_from_slice(&out);
        self
    }
    pub fn query(&mut self, sql: &str) -> &mut Self {
        self.put(|o| encode::query(o, sql.as_bytes()).unwrap())
    }
    pub fn parse(&mut self, name: &str, sql: &str) -> &mut Self {
        self.put(|o| encode::parse(o, name.as_bytes(), sql.as_bytes(), &[]).unwrap())
    }
    pub fn bind(&mut self, portal: &str, statement: &str) -> &mut Self {
        self.put(|o| {
            encode::bind::<&[u8]>(o, portal.as_bytes(), statement.as_bytes(), &[], &[], &[])
                .unwrap()
        })
    }
    pub fn execute(&mut self, portal: &str) -> &mut Self {
        self.put(|o| encode::execute(o, portal.as_bytes(), 0).unwrap())
    }
    #[allow(dead_code, reason = "part of the vocabulary of scripts")]
    pub fn close(&mut self, kind: NameKind, name: &str) -> &mut Self {
        self.put(|o| encode::close(o, kind, name.as_bytes()).unwrap())
    }
    pub fn sync(&mut self) -> &mut Self {
        self.put(encode::sync)
    }
    pub fn raw(&mut self, tag: u8, body: &[u8]) -> &mut Self {
        self.bytes.push(tag);
        self.bytes
            .extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        self.bytes.extend_from_slice(body);
        self
    }
}

/// What a client has seen.
#[derive(Debug)]
pub(super) struct Seen {
    pub bytes: Vec<u8>,
}

impl Seen {
    fn messages(&self) -> Vec<backend::Backend> {
        let mut buf = BytesMut::from(self.bytes.as_slice());
        std::iter::from_fn(|| backend::next(&mut buf, &Limits::default()).unwrap()).collect()
    }
    pub fn tags(&self) -> String {
        let mut buf = BytesMut::from(self.bytes.as_slice());
        std::iter::from_fn(|| frame::next_frame(&mut buf, &Limits::default()).unwrap())
            .map(|f| char::from(f.tag))
            .collect()
    }
    pub fn states(&self) -> Vec<String> {
        self.messages()
            .iter()
            .filter_map(|m| match m {
                backend::Backend::ErrorResponse(fields) => Some(fields.sqlstate().to_owned()),
                _ => None,
            })
            .collect()
    }
    pub fn last_status(&self) -> u8 {
        match self.messages().last() {
            Some(backend::Backend::ReadyForQuery(status)) => status.code(),
            _ => 0,
        }
    }
}

pub(super) fn parameter_status(name: &str, value: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    crate::postgres::reply::parameter_status(&mut out, name.as_bytes(), value.as_bytes()).unwrap();
    out.to_vec()
}

#[derive(Debug)]
struct Stopped;
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

struct Counting;
impl Randomness for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        buf.iter_mut().zip(1..).for_each(|(b, n)| *b = n);
        Ok(())
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<Entry>>);
impl AuditLog for Kept {
    fn append(&self, entry: &Entry) -> Result<Position, RecordFailed> {
        let mut all = self.0.lock().unwrap();
        all.push(entry.clone());
        Ok(Position(all.len() as u64))
    }
    fn durable(&self, _: Position) -> BoxFuture<'_, Result<(), RecordFailed>> {
        Box::pin(async { Ok(()) })
    }
}

/// Keeps what is recorded of refusals, and nothing else.
#[derive(Default)]
pub struct Verdicts(pub Vec<String>);
impl Recorder for Verdicts {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), RecordFailed> {
        if frame.kind == FrameKind::Verdict {
            self.0
                .push(String::from_utf8(frame.bytes.to_vec()).unwrap());
        }
        Ok(())
    }
    fn flush(&mut self) -> Result<(), RecordFailed> {
        Ok(())
    }
    fn seal(self: Box<Self>) -> Result<Digest, RecordFailed> {
        Ok(Digest([0; 32]))
    }
}

/// A catalogue with one table, `public.t (id, name)`.
#[derive(Debug)]
struct OneTable {
    snapshot: Snapshot,
    /// The next who asks finds nothing yet.
    unread: AtomicBool,
}

impl Default for OneTable {
    fn default() -> Self {
        let column = |number, name: &str, type_oid| Column {
            number,
            name: name.to_owned(),
            type_oid,
            type_modifier: -1,
            generated_from: Vec::new(),
        };
        let table = Arc::new(Relation {
            oid: 16_400,
            schema: "public".to_owned(),
            name: "t".to_owned(),
            kind: RelationKind::Table,
            columns: vec![column(1, "id", 23), column(2, "name", 25)],
            ..Relation::default()
        });
        let catalogue = Catalogue {
            version: 1,
            database: "app".to_owned(),
            relations: HashMap::from([(("public".to_owned(), "t".to_owned()), table.clone())]),
            by_oid: HashMap::from([(16_400, table)]),
            schemas: vec!["pg_catalog".to_owned(), "public".to_owned()],
            server_encoding: "UTF8".to_owned(),
            ..Catalogue::default()
        };
        let snapshot = Snapshot {
            catalogue: Arc::new(catalogue),
            checked_at: NOW,
        };
        Self {
            snapshot,
            unread: AtomicBool::new(false),
        }
    }
}

impl Catalogues for OneTable {
    fn current(&self, _: &str) -> Option<Snapshot> {
        let unread = self.unread.swap(false, Ordering::Relaxed);
        (!unread).then(|| self.snapshot.clone())
    }
    fn refresh<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Snapshot, CatalogueUnavailable>> {
        Box::pin(async { Ok(self.snapshot.clone()) })
    }
}

/// Rows that the search path's query returns.
pub(super) fn path_rows() -> Vec<Bytes> {
    vec![
        Bytes::from_static(b"pg_catalog"),
        Bytes::from_static(b"public"),
    ]
}
