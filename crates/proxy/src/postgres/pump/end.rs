//! The end of a session: its last words, its seal, and what the gate still has of it.
//!
//! Lives here: everything after the last turn. Never: a decision to end.

use super::{Ended, Mind, Pump, Stop};
use crate::postgres::cancel::Aim;
use crate::postgres::dial;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{CutReason, Session, Thought, Verdict};
use brattice_core::ids::Digest;
use brattice_core::ports::{RecordFailed, Recorder};
use brattice_core::record::Frame;
use brattice_wire::postgres::session::{Machine, Plumbing};
use brattice_wire::postgres::{ErrorFields, Severity, reply};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long a client gets to read the last words.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// How long the end of a session waits for a judgement that is under way.
const GATE_MAX: Duration = Duration::from_secs(10);

impl Pump {
    pub(super) async fn end(mut self, stop: Stop) -> (Option<Box<Session>>, Ended) {
        let reason = match &stop {
            Stop::Goodbye => "goodbye".to_owned(),
            Stop::ClientGone => "client gone".to_owned(),
            Stop::TargetGone => "target gone".to_owned(),
            Stop::Cut(r) => r.as_str().to_owned(),
            Stop::Said => "ended".to_owned(),
            Stop::Misbehaved(sin) => sin.to_string(),
            Stop::Record => "failing".to_owned(),
        };
        self.last_words(&stop);
        // Who is cut has to be out at once, also when a thousand are: no disk and no store is waited for before.
        let at_work = self.machine.awaits_target();
        let aim = self.aim.take().filter(|_| at_work);
        let farewell = tokio::time::timeout(FAREWELL_MAX, self.farewell());
        let (_heard, ()) = tokio::join!(farewell, stop_target(aim));
        let recording = self.seal().await;
        if let Some(id) = self.parked_id.take() {
            self.gate.abandon_id(id).await;
        }
        let session = self.mind_back().await;
        (
            session,
            Ended {
                reason,
                bytes_to_client: self.bytes_to_client,
                recording,
            },
        )
    }

    /// The session, from wherever it is.
    async fn mind_back(&mut self) -> Option<Box<Session>> {
        match std::mem::replace(&mut self.mind, Mind::Moving) {
            Mind::Free(session) => Some(session),
            Mind::Parked(w) => Some(w.session),
            // The gate has it: it comes back as soon as the disk or the store has answered.
            Mind::Thinking(future) => match tokio::time::timeout(GATE_MAX, future).await {
                Ok((session, thought)) => {
                    // A question that was on its way when its asker left is nobody's now.
                    if let Thought::Verdict(Verdict::Park(parked)) = thought {
                        self.gate.abandon(&parked).await;
                    }
                    Some(session)
                }
                Err(_) => None,
            },
            Mind::Moving => None,
        }
    }

    /// What the client is told, if it can still hear.
    fn last_words(&mut self, stop: &Stop) {
        match stop {
            Stop::Cut(reason) => self.machine.end(&self.cut.says(*reason)),
            Stop::Record => self.machine.end(&CutReason::Failing.denial()),
            Stop::TargetGone => self.machine.end(&target_gone()),
            Stop::Misbehaved(sin) => {
                let fields = ErrorFields::new(Severity::Fatal, "08P01", sin.to_string());
                reply::error(&mut self.machine.to_client, &fields);
            }
            Stop::Goodbye | Stop::ClientGone | Stop::Said => {}
        }
    }

    /// Sealing waits for the disk, so it is done off the reactor.
    async fn seal(&mut self) -> Option<Digest> {
        let recorder = std::mem::replace(&mut self.recorder, Box::new(Nowhere));
        match tokio::task::spawn_blocking(move || recorder.seal()).await {
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

    /// Writes what is left and says goodbye on both sides, neither waiting for the other.
    async fn farewell(&mut self) {
        let at_work = self.machine.awaits_target();
        let Machine {
            to_client, outbox, ..
        } = &mut self.machine;
        let (client, target) = (&mut self.client, &mut self.target);
        let to_client = async {
            let _ = client.write_all_buf(to_client).await;
            let _ = client.shutdown().await;
        };
        let to_target = async {
            outbox.plumbing(&Plumbing::Terminate);
            if !at_work {
                let _ = target.write_all(outbox.bytes()).await;
            }
            let _ = target.shutdown().await;
        };
        tokio::join!(to_client, to_target);
    }
}

/// Stops what the target is doing for a session that ends: it does not notice by itself that nobody listens.
async fn stop_target(aim: Option<Aim>) {
    let Some(aim) = aim else { return };
    if let Err(error) = dial::cancel(&aim.endpoint, &aim.key).await {
        tracing::warn!(%error, "the target's statement could not be cancelled");
    }
}

fn target_gone() -> Denial {
    Denial::new(
        Code::Unavailable,
        "brattice.target",
        "the target closed the connection",
    )
    .hint("connect again")
}

/// Stands where the recorder was once it is sealed: nothing may be recorded any more.
struct Nowhere;

impl Recorder for Nowhere {
    fn frame(&mut self, _: Frame<'_>) -> Result<(), RecordFailed> {
        Err(RecordFailed("the recording is sealed".to_owned()))
    }
    fn flush(&mut self) -> Result<(), RecordFailed> {
        Err(RecordFailed("the recording is sealed".to_owned()))
    }
    fn seal(self: Box<Self>) -> Result<Digest, RecordFailed> {
        Err(RecordFailed("the recording is sealed".to_owned()))
    }
}
