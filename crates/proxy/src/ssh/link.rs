//! What the channels of one connection share: the session, its record, the way to the host.
//!
//! Lives here: recording and counting what passes, in that order, before anybody sees it. Never: a channel's own state.

use super::upstream::{Back, DialError, Supply, Upstream};
use super::vet::{AllTargets, Whereabouts};
use super::{Limits, Service};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Cut, CutReason, Gate, Session};
use brattice_core::ids::Digest;
use brattice_core::mask::Detector;
use brattice_core::ports::Recorder;
use brattice_core::record::{Frame, FrameKind};
use brattice_core::usage::{Account, Portion};
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// How long it may take until something has begun on the host, dialling included.
const BEGIN_MAX: Duration = Duration::from_secs(20);

/// One open session.
pub(super) struct Link {
    pub gate: Arc<Gate>,
    pub session: Mutex<Session>,
    pub limits: Limits,
    pub detector: Arc<Detector>,
    cut: Arc<Cut>,
    account: Arc<Account>,
    recorder: Mutex<Option<Box<dyn Recorder>>>,
    supply: Supply,
    target: String,
    all_targets: AllTargets,
    bytes_to_client: AtomicU64,
    /// Channels that are at work.
    active: watch::Sender<usize>,
    /// Why the session is over, once it is.
    over: watch::Sender<Option<Denial>>,
}

/// A channel at work, until it is dropped.
pub(super) struct AtWork(Arc<Link>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.active.send_modify(|n| *n = n.saturating_sub(1));
    }
}

impl Link {
    pub fn new(
        service: &Service,
        session: Session,
        recorder: Box<dyn Recorder>,
        supply: Supply,
    ) -> Self {
        Self {
            gate: service.gate.clone(),
            limits: service.limits,
            detector: session.detector().clone(),
            cut: session.cut().clone(),
            account: session.account().clone(),
            target: session.target().name.clone(),
            all_targets: service.all_targets.clone(),
            session: Mutex::new(session),
            recorder: Mutex::new(Some(recorder)),
            supply,
            bytes_to_client: AtomicU64::new(0),
            active: watch::channel(0).0,
            over: watch::channel(None).0,
        }
    }

    /// The session, for a moment: nothing is waited for while it is held.
    pub fn lock(&self) -> std::sync::MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The target's name.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Where all targets are.
    pub fn targets(&self) -> Vec<Whereabouts> {
        (self.all_targets)()
    }

    /// Counts a channel as at work.
    pub fn at_work(self: &Arc<Self>) -> AtWork {
        self.active.send_modify(|n| *n += 1);
        AtWork(self.clone())
    }

    /// How many channels are at work.
    pub fn active(&self) -> watch::Receiver<usize> {
        self.active.subscribe()
    }

    /// Says to every channel that it ends, and why.
    pub fn end(&self, why: Denial) {
        self.over.send_replace(Some(why));
    }

    /// Waits until the session is over, and tells why.
    pub async fn over(&self) -> Denial {
        let mut over = self.over.subscribe();
        let told = over.wait_for(Option::is_some).await;
        told.ok()
            .and_then(|d| d.clone())
            .unwrap_or_else(|| CutReason::Failing.denial())
    }

    /// Does what has to be done before something begins on the host, but not once the session is over, nor for ever.
    pub async fn while_open<T>(
        &self,
        begun: impl Future<Output = Result<T, Denial>>,
    ) -> Result<T, Denial> {
        tokio::select! {
            biased;
            why = self.over() => Err(why),
            begun = tokio::time::timeout(BEGIN_MAX, begun) => {
                begun.unwrap_or_else(|_| Err(unreachable(&self.target)))
            }
        }
    }

    /// A connection to the host that nothing else uses.
    pub async fn upstream(&self) -> Result<Upstream, Denial> {
        self.reached(self.supply.get().await)
    }

    /// A connection to the host of its own, on which the host may open channels.
    pub async fn listening(&self, backs: mpsc::Sender<Back>) -> Result<Upstream, Denial> {
        self.reached(self.supply.listening(backs).await)
    }

    fn reached(&self, dialled: Result<Upstream, DialError>) -> Result<Upstream, Denial> {
        dialled.map_err(|error| {
            let error: &DialError = &error;
            tracing::error!(
                error = error as &dyn std::error::Error,
                host_target = self.target,
                "the target cannot be reached"
            );
            not_entered(error, &self.target)
        })
    }

    /// Puts a refusal on record beside what was asked. The audit log has it already, so that this may fail.
    pub fn refused(&self, text: &str, denial: &Denial) {
        let _ = self.record(FrameKind::Verdict, 0, &denial.recorded(text.as_bytes()));
    }

    /// Puts on record, and in the audit log, that what rules permitted is refused all the same.
    pub fn refused_after_all(&self, number: u64, text: &str, denial: &Denial) {
        self.gate.note_refusal(&mut self.lock(), text, denial);
        self.refused(text, denial);
        let _ = self.record(FrameKind::Outcome, number, b"refused");
    }

    /// Takes back a connection whose channel has ended well.
    pub fn free(&self, upstream: Upstream) {
        self.supply.put(upstream);
    }

    /// Puts a frame on record. Where that fails the session ends, and what was to be seen is not.
    pub fn record(&self, kind: FrameKind, command: u64, bytes: &[u8]) -> Result<(), Denial> {
        let frame = Frame {
            at: self.gate.clock().now(),
            kind,
            command,
            bytes,
        };
        let mut recorder = self.recorder.lock().unwrap_or_else(PoisonError::into_inner);
        let written = match recorder.as_mut() {
            Some(recorder) => recorder.frame(frame).map_err(|e| e.to_string()),
            None => Err("it is sealed".to_owned()),
        };
        written.map_err(|error| {
            tracing::error!(error, "a session ends: its recording failed");
            self.cut.throw(CutReason::Failing);
            CutReason::Failing.denial()
        })
    }

    /// Records and counts what the client is about to see. An error means that it is not for it.
    pub fn shown(&self, kind: FrameKind, command: u64, bytes: &[u8]) -> Result<(), Denial> {
        self.record(kind, command, bytes)?;
        self.counted(bytes.len())
    }

    /// Counts what the client is about to see. An error means that it is not for it.
    pub fn counted(&self, bytes: usize) -> Result<(), Denial> {
        if bytes == 0 {
            return Ok(());
        }
        let portion = Portion {
            bytes: bytes as u64,
            ..Portion::default()
        };
        if !self.gate.used(&self.account, &self.cut, portion) {
            let reason = self.cut.reason().unwrap_or(CutReason::Spent);
            return Err(self.cut.says(reason));
        }
        self.bytes_to_client
            .fetch_add(portion.bytes, Ordering::Relaxed);
        Ok(())
    }

    /// Bytes that the client saw.
    pub fn bytes_to_client(&self) -> u64 {
        self.bytes_to_client.load(Ordering::Relaxed)
    }

    /// Drops the connections that are kept, and seals the recording. Waits for the disk, so it is done off the reactor.
    pub async fn seal(&self) -> Option<Digest> {
        self.supply.clear();
        let recorder = self
            .recorder
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        let sealed = tokio::task::spawn_blocking(move || recorder.seal()).await;
        match sealed {
            Ok(Ok(digest)) => Some(digest),
            Ok(Err(error)) => {
                tracing::error!(%error, "a recording could not be sealed");
                None
            }
            Err(error) => {
                tracing::error!(%error, "a recording could not be sealed");
                None
            }
        }
    }

    /// What was lent for the session ends with this switch.
    pub fn bind_lease(&self) {
        if let Some(held) = &self.supply.lease().held {
            held.ends_with(self.cut.clone());
        }
    }
}

/// As the caller is told of a host that was not entered: whether another attempt may do better.
pub(super) fn not_entered(error: &DialError, target: &str) -> Denial {
    match error {
        DialError::Connect(_)
        | DialError::Slow
        | DialError::Full
        | DialError::Broken(_)
        // Whoever certifies may be away.
        | DialError::NotCertified(_) => unreachable(target),
        DialError::NotTheHost(_)
        | DialError::NotAccepted
        | DialError::BadKey
        | DialError::NoCredential => Denial::new(
            Code::Misconfigured,
            "brattice.target",
            format!("target \"{target}\" and the gateway do not accept each other"),
        )
        .hint("the operators must mend it; the gateway's log says what is wrong"),
    }
}

pub(super) fn unreachable(target: &str) -> Denial {
    Denial::new(
        Code::Unavailable,
        "brattice.target",
        format!("target \"{target}\" cannot be reached"),
    )
    .hint("try again later; the operators can see why in the gateway's log")
}
