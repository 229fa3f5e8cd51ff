//! What the gateway did, counted as it goes on record: what is counted is what is in the audit log.
//!
//! Lives here: counters, and the audit log and recordings that feed them. Never: names of principals, texts of commands,
//! how figures are shown.

use brattice_core::audit::{Entry, Event, Position};
use brattice_core::ids::{ApprovalId, Digest, SessionId};
use brattice_core::ports::{AuditLog, BoxFuture, RecordFailed, Recorder, Recordings};
use brattice_core::record::{Frame, FrameKind, Header};
use brattice_store::audit::Log;
use brattice_store::recording::Shelf;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use tokio::sync::Notify;

/// What commands on one target came to.
#[derive(Debug, Default)]
pub struct TargetTally {
    /// Forwarded.
    pub allowed: AtomicU64,
    /// Refused.
    pub refused: AtomicU64,
    /// Put to people.
    pub asked: AtomicU64,
}

/// One open session's figures.
#[derive(Debug, Default)]
pub struct SessionTally {
    target: OnceLock<Arc<TargetTally>>,
    opened: AtomicBool,
    commands: AtomicU64,
    bytes_to_client: AtomicU64,
    holding: Mutex<Option<ApprovalId>>,
}

impl SessionTally {
    /// Commands judged so far.
    pub fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    /// Bytes sent to the caller so far.
    pub fn bytes_to_client(&self) -> u64 {
        self.bytes_to_client.load(Ordering::Relaxed)
    }

    /// The question it waits for.
    pub fn holding(&self) -> Option<ApprovalId> {
        held(&self.holding).clone()
    }
}

/// Figures of the gateway as a whole.
#[derive(Debug, Default)]
pub struct Totals {
    /// Sessions opened.
    pub sessions_opened: AtomicU64,
    /// Sessions closed.
    pub sessions_closed: AtomicU64,
    /// Proofs of identity that were used from another place than before.
    pub seen_elsewhere: AtomicU64,
    /// Answers that said yes.
    pub answers_yes: AtomicU64,
    /// Answers that said no.
    pub answers_no: AtomicU64,
    /// Bundles that came into force.
    pub bundles_applied: AtomicU64,
    /// Acts on the gateway that were permitted.
    pub administered: AtomicU64,
    /// Acts on the gateway that were refused.
    pub administration_refused: AtomicU64,
}

/// The audit log, counting.
pub struct Tally {
    log: Log,
    /// Figures as a whole.
    pub totals: Totals,
    sessions: Mutex<HashMap<SessionId, Arc<SessionTally>>>,
    targets: Mutex<BTreeMap<String, Arc<TargetTally>>>,
    logins_refused: Mutex<BTreeMap<String, u64>>,
    appended: Notify,
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    match lock.lock() {
        Ok(guard) => guard,
        Err(poisoned) => poisoned.into_inner(),
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    /// Counts what is written to this log from now on.
    pub fn new(log: Log) -> Self {
        Self {
            log,
            totals: Totals::default(),
            sessions: Mutex::default(),
            targets: Mutex::default(),
            logins_refused: Mutex::default(),
            appended: Notify::new(),
        }
    }

    /// A session's figures, while it is open.
    pub fn session(&self, id: &SessionId) -> Option<Arc<SessionTally>> {
        held(&self.sessions).get(id).cloned()
    }

    /// A session's figures, for the last time.
    pub fn take(&self, id: &SessionId) -> Option<Arc<SessionTally>> {
        held(&self.sessions).remove(id)
    }

    /// What commands came to, by target.
    pub fn targets(&self) -> Vec<(String, Arc<TargetTally>)> {
        held(&self.targets)
            .iter()
            .map(|(name, t)| (name.clone(), t.clone()))
            .collect()
    }

    /// Callers that were refused at the door, by the reason's code.
    pub fn logins_refused(&self) -> Vec<(String, u64)> {
        held(&self.logins_refused)
            .iter()
            .map(|(code, n)| (code.clone(), *n))
            .collect()
    }

    /// Told whenever something was appended. Made before looking, nothing that comes after the look is missed.
    pub fn appended(&self) -> &Notify {
        &self.appended
    }

    fn begun(&self, id: &SessionId) -> Arc<SessionTally> {
        held(&self.sessions).entry(id.clone()).or_default().clone()
    }

    fn target(&self, name: &str) -> Arc<TargetTally> {
        held(&self.targets)
            .entry(name.to_owned())
            .or_default()
            .clone()
    }

    fn count(&self, entry: &Entry) {
        match (&entry.event, &entry.session) {
            (Event::SessionOpened { target, .. }, Some(id)) => {
                add(&self.totals.sessions_opened);
                let session = self.begun(id);
                session.opened.store(true, Ordering::Relaxed);
                let _first = session.target.set(self.target(target));
            }
            (Event::Intent { .. }, Some(id)) => self.judged(id, |t| &t.allowed),
            (Event::Refused { .. }, Some(id)) => self.judged(id, |t| &t.refused),
            (Event::ApprovalAsked { approval, .. }, Some(id)) => {
                if let Some(session) = self.session(id) {
                    *held(&session.holding) = Some(approval.clone());
                    if let Some(target) = session.target.get() {
                        add(&target.asked);
                    }
                }
            }
            (
                Event::SessionClosed {
                    bytes_to_client, ..
                },
                Some(id),
            ) => {
                add(&self.totals.sessions_closed);
                if let Some(session) = self.session(id) {
                    session
                        .bytes_to_client
                        .store(*bytes_to_client, Ordering::Relaxed);
                }
            }
            (Event::LoginRefused { code, .. }, _) => {
                *held(&self.logins_refused).entry(code.clone()).or_default() += 1;
            }
            (
                Event::SeenElsewhere {
                    chain,
                    proof,
                    client,
                    ..
                },
                _,
            ) => {
                add(&self.totals.seen_elsewhere);
                tracing::warn!(%chain, %proof, %client, "a proof of identity is used from another place than before");
            }
            (Event::ApprovalAnswered { yes: true, .. }, _) => add(&self.totals.answers_yes),
            (Event::ApprovalAnswered { yes: false, .. }, _) => add(&self.totals.answers_no),
            (Event::BundleApplied { .. }, _) => add(&self.totals.bundles_applied),
            (Event::Administered { allowed: true, .. }, _) => add(&self.totals.administered),
            (Event::Administered { allowed: false, .. }, _) => {
                add(&self.totals.administration_refused)
            }
            _ => {}
        }
    }

    /// A command was decided, so the session waits for nobody.
    fn judged(&self, id: &SessionId, which: impl Fn(&TargetTally) -> &AtomicU64) {
        let Some(session) = self.session(id) else {
            return;
        };
        add(&session.commands);
        *held(&session.holding) = None;
        if let Some(target) = session.target.get() {
            add(which(target));
        }
    }
}

impl AuditLog for Tally {
    fn append(&self, entry: &Entry) -> Result<Position, RecordFailed> {
        let at = self.log.append(entry)?;
        self.count(entry);
        self.appended.notify_waiters();
        Ok(at)
    }

    fn durable(&self, at: Position) -> BoxFuture<'_, Result<(), RecordFailed>> {
        self.log.durable(at)
    }
}

/// The recordings, counting what callers received.
pub struct CountedRecordings {
    shelf: Arc<Shelf>,
    tally: Arc<Tally>,
}

impl CountedRecordings {
    /// Records on this shelf.
    pub fn new(shelf: Arc<Shelf>, tally: Arc<Tally>) -> Self {
        Self { shelf, tally }
    }
}

impl Recordings for CountedRecordings {
    fn open(&self, header: &Header) -> Result<Box<dyn Recorder>, RecordFailed> {
        let inner = self.shelf.open(header)?;
        let session = self.tally.begun(&header.session);
        let begun = Begun {
            tally: self.tally.clone(),
            id: header.session.clone(),
            session,
        };
        Ok(Box::new(Counted { inner, begun }))
    }
}

struct Counted {
    inner: Box<dyn Recorder>,
    begun: Begun,
}

/// Forgets a session that was recorded but never opened.
struct Begun {
    tally: Arc<Tally>,
    id: SessionId,
    session: Arc<SessionTally>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.session.opened.load(Ordering::Relaxed) {
            self.tally.take(&self.id);
        }
    }
}

impl Recorder for Counted {
    fn frame(&mut self, frame: Frame<'_>) -> Result<(), RecordFailed> {
        if frame.kind == FrameKind::Output {
            let bytes = frame.bytes.len() as u64;
            self.begun
                .session
                .bytes_to_client
                .fetch_add(bytes, Ordering::Relaxed);
        }
        self.inner.frame(frame)
    }

    fn flush(&mut self) -> Result<(), RecordFailed> {
        self.inner.flush()
    }

    fn seal(self: Box<Self>) -> Result<Digest, RecordFailed> {
        let Counted { inner, begun } = *self;
        let digest = inner.seal();
        drop(begun);
        digest
    }
}
