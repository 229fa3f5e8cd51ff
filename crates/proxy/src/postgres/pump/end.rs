//! The end of a session: its last words, its seal, and what the gate still has of it.
//!
//! Lives here: everything after the last turn. Never: a decision to end.

use super::{Ended, Mind, Pump, Stop};
use crate::postgres::cancel::Aim;
use crate::postgres::dial;
use crate::stream::Stream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Cut, CutReason, Gate, SqlSession, Thought, Verdict};
use brattice_core::ids::Digest;
use brattice_core::ports::Recorder;
use brattice_wire::postgres::session::{Machine, Plumbing};
use brattice_wire::postgres::{ErrorFields, Severity, reply};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long a client gets to read the last words.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// The same where it is cut: what it has been sent and does not read keeps no revoked session open.
const CUT_FAREWELL_MAX: Duration = Duration::from_millis(250);
/// How long the recording is not sealed yet because the target is being told to stop.
const STOP_MAX: Duration = Duration::from_secs(3);
/// How long the end of a session waits for a judgement that is under way.
const GATE_MAX: Duration = Duration::from_secs(10);

impl Pump {
    pub(super) async fn end(self, stop: Stop) -> (Option<Box<SqlSession>>, Ended) {
        let Pump {
            gate,
            mut machine,
            recorder,
            mind,
            cut,
            client,
            target,
            aim,
            parked_id,
            bytes_to_client,
            ..
        } = self;
        let reason = match &stop {
            Stop::Goodbye => "goodbye".to_owned(),
            Stop::ClientGone => "client gone".to_owned(),
            Stop::TargetGone => "target gone".to_owned(),
            Stop::Cut(r) => r.as_str().to_owned(),
            Stop::Said => "ended".to_owned(),
            Stop::Misbehaved(sin) => sin.to_string(),
            Stop::Record => "failing".to_owned(),
        };
        last_words(&mut machine, &cut, &stop);
        // Who is cut has to be out at once, also when a thousand are: no disk and no store is waited for before.
        let aim = aim.filter(|_| machine.awaits_target());
        let longest = match &stop {
            Stop::Cut(_) => CUT_FAREWELL_MAX,
            _ => FAREWELL_MAX,
        };
        let farewell = tokio::time::timeout(longest, farewell(machine, client, target));
        let (_heard, ()) = tokio::join!(farewell, stop_target(aim));
        let recording = seal(recorder).await;
        if let Some(id) = parked_id {
            gate.abandon_id(id).await;
        }
        (
            mind.back(&gate).await,
            Ended {
                reason,
                bytes_to_client,
                recording,
            },
        )
    }
}

impl Mind {
    /// The session, from wherever it is.
    async fn back(self, gate: &Gate) -> Option<Box<SqlSession>> {
        match self {
            Mind::Free(session) => Some(session),
            Mind::Parked(w) => Some(w.session),
            // The gate has it: it comes back as soon as the disk or the store has answered.
            Mind::Thinking(future) => {
                let (session, thought) = tokio::time::timeout(GATE_MAX, future).await.ok()?;
                // A question that was on its way when its asker left is nobody's now.
                if let Thought::Verdict(Verdict::Park(parked)) = thought {
                    gate.abandon(&parked).await;
                }
                Some(session)
            }
            Mind::Moving => None,
        }
    }
}

/// What the client is told, if it can still hear.
fn last_words(machine: &mut Machine, cut: &Cut, stop: &Stop) {
    match stop {
        Stop::Cut(reason) => machine.end(&cut.says(*reason)),
        Stop::Record => machine.end(&CutReason::Failing.denial()),
        Stop::TargetGone => machine.end(&target_gone()),
        Stop::Misbehaved(sin) => {
            let fields = ErrorFields::new(Severity::Fatal, "08P01", sin.to_string());
            reply::error(&mut machine.to_client, &fields);
        }
        Stop::Goodbye | Stop::ClientGone | Stop::Said => {}
    }
}

/// Writes what is left and says goodbye on both sides, neither waiting for the other. Both are closed when this ends, or is
/// given up.
async fn farewell(mut machine: Machine, mut client: Stream, mut target: Stream) {
    let at_work = machine.awaits_target();
    let Machine {
        to_client, outbox, ..
    } = &mut machine;
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

/// Sealing waits for the disk, so it is done off the reactor.
async fn seal(recorder: Box<dyn Recorder>) -> Option<Digest> {
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

/// Stops what the target is doing for a session that ends: it does not notice by itself that nobody listens.
async fn stop_target(aim: Option<Aim>) {
    let Some(aim) = aim else { return };
    match tokio::time::timeout(STOP_MAX, dial::cancel(&aim.endpoint, &aim.key)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the target's statement could not be cancelled"),
        Err(_) => tracing::warn!("the target did not take the request to stop a statement in time"),
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
