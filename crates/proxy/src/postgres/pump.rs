//! One task for one session: both sockets, the machine, the gate.
//!
//! Lives here: the turns, and what each of them does with what woke it. Never: what a byte means, or whether it may pass.
//!
//! Each turn reads what there is, lets the machine and the gate work on it, and writes once in each direction. While a
//! command waits (for the disk, the store, or a person) both sockets are still watched.

mod end;
mod sockets;

use self::sockets::{READ_BYTES_MIN, TO_TARGET_BYTES_MAX};
use super::cancel::{Aim, WaitStop};
use crate::stream::Stream;
use brattice_core::gate::{
    Cut, CutReason, Gate, Held, Look, Names, Parked, Pending, SqlSession, Thought, Waited,
};
use brattice_core::ids::{ApprovalId, Digest};
use brattice_core::ports::{BoxFuture, Recorder};
use brattice_core::time::Timestamp;
use brattice_core::usage::Account;
use brattice_wire::PeerMisbehaved;
use brattice_wire::postgres::session::{Looked, Machine, Step, TargetFault};
use bytes::BytesMut;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep};

/// Longer statements are judged on a thread of their own.
const JUDGED_HERE_BYTES_MAX: usize = 16 * 1024;

/// How a session ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub reason: String,
    pub bytes_to_client: u64,
    pub recording: Option<Digest>,
}

/// Why the pump stops.
#[derive(Debug)]
enum Stop {
    Goodbye,
    ClientGone,
    TargetGone,
    Cut(CutReason),
    /// The machine has said its last word.
    Said,
    Misbehaved(PeerMisbehaved),
    Record,
}

/// Where judgement stands.
enum Mind {
    /// The session is here.
    Free(Box<SqlSession>),
    /// It is with the gate.
    Thinking(BoxFuture<'static, (Box<SqlSession>, Thought)>),
    /// A command waits for people.
    Parked(Box<Waiting>),
    /// Between two of these.
    Moving,
}

struct Waiting {
    session: Box<SqlSession>,
    parked: Parked,
    decided: BoxFuture<'static, Waited>,
    stopped: Pin<Box<OwnedNotified>>,
    notice: Pin<Box<Sleep>>,
    notice_every: Duration,
    until: Pin<Box<Sleep>>,
}

/// What woke the pump.
enum Woken {
    Bytes,
    Thought(Box<SqlSession>, Thought),
    Decided(Waited),
    Stopped,
    Notice,
    Ticket,
    Expired,
}

pub(super) struct Pump {
    gate: Arc<Gate>,
    waiting: Arc<WaitStop>,
    /// Where to stop what the target does for this session.
    aim: Option<Aim>,
    machine: Machine,
    recorder: Box<dyn Recorder>,
    mind: Mind,
    cut: Arc<Cut>,
    account: Arc<Account>,
    client: Stream,
    client_in: BytesMut,
    client_read: usize,
    target: Stream,
    target_in: BytesMut,
    target_read: usize,
    unflushed_client: bool,
    unflushed_target: bool,
    bytes_to_client: u64,
    expires_at: Timestamp,
    expiry: Pin<Box<Sleep>>,
    expired: bool,
    parked_id: Option<ApprovalId>,
}

impl Pump {
    #[allow(
        clippy::too_many_arguments,
        reason = "the two halves of a session meet here and nowhere else"
    )]
    pub fn new(
        gate: Arc<Gate>,
        waiting: Arc<WaitStop>,
        aim: Option<Aim>,
        session: SqlSession,
        machine: Machine,
        recorder: Box<dyn Recorder>,
        client: Stream,
        client_in: BytesMut,
        target: Stream,
        target_in: BytesMut,
    ) -> Self {
        let expires_at = session.identity().expires_at;
        let left = expires_at.since(gate.clock().now());
        Self {
            cut: session.cut().clone(),
            account: session.account().clone(),
            gate,
            waiting,
            aim,
            machine,
            recorder,
            mind: Mind::Free(Box::new(session)),
            client,
            client_in,
            client_read: READ_BYTES_MIN,
            target,
            target_in,
            target_read: READ_BYTES_MIN,
            unflushed_client: false,
            unflushed_target: false,
            bytes_to_client: 0,
            expires_at,
            expiry: Box::pin(tokio::time::sleep(left)),
            expired: false,
            parked_id: None,
        }
    }

    /// Runs the session to its end. The session comes back to be closed.
    pub async fn run(mut self) -> (Option<Box<SqlSession>>, Ended) {
        self.first_look();
        let stop = loop {
            if let Err(stop) = self.work() {
                break stop;
            }
            if self.machine.has_ended() {
                break Stop::Said;
            }
            match poll_fn(|cx| self.poll(cx)).await {
                Ok(woken) => {
                    if let Err(stop) = self.wake(woken) {
                        break stop;
                    }
                }
                Err(stop) => break stop,
            }
        };
        self.end(stop).await
    }

    /// The search path is read before anything else, while no transaction can be disturbed by it.
    fn first_look(&mut self) {
        if let Mind::Free(session) = &self.mind {
            let look = Look {
                path: true,
                catalogue: false,
            };
            let texts = self.gate.look_texts(session, look);
            self.machine.first_look(look, &texts);
        }
    }

    /// Decodes, judges and answers as long as there is something whole to work on.
    fn work(&mut self) -> Result<(), Stop> {
        loop {
            let now = self.gate.clock().now();
            let looked = self
                .machine
                .target(&mut self.target_in, now, self.recorder.as_mut());
            self.show(now)?;
            if let Some(looked) = looked.map_err(|e| self.fault(e))? {
                self.looked(looked)?;
                continue;
            }
            if self.machine.has_ended() {
                return Ok(());
            }
            if self.machine.outbox.bytes().len() >= TO_TARGET_BYTES_MAX
                || !matches!(self.mind, Mind::Free(_))
            {
                return Ok(());
            }
            let step = self
                .machine
                .client(&mut self.client_in, now, self.recorder.as_mut())
                .map_err(|e| self.misbehaved(e))?;
            match step {
                Step::Ask(held) => self.judge(held)?,
                Step::Refused { what, denial } => {
                    if let Mind::Free(session) = &mut self.mind {
                        self.gate.note_refusal(session, what, &denial);
                    }
                }
                Step::Goodbye => return Err(Stop::Goodbye),
                Step::Nothing => return Ok(()),
            }
        }
    }

    /// Counts and records what the target's last bytes are to show, before any of it goes out.
    fn show(&mut self, now: Timestamp) -> Result<(), Stop> {
        let portion = self.machine.shown();
        if !portion.is_empty() && !self.gate.used(&self.account, &self.cut, portion) {
            self.machine.withhold();
        }
        self.machine
            .note_shown(now, self.recorder.as_mut())
            .map_err(|e| {
                // What is not on record is not shown either.
                self.machine.withhold();
                self.fault(e.into())
            })
    }

    fn judge(&mut self, held: Held) -> Result<(), Stop> {
        match std::mem::replace(&mut self.mind, Mind::Moving) {
            Mind::Free(mut session) => {
                let names = self.machine.names().clone();
                if held.text_bytes() > JUDGED_HERE_BYTES_MAX {
                    self.mind =
                        Mind::Thinking(Box::pin(aside(self.gate.clone(), session, held, names)));
                    return Ok(());
                }
                match self.gate.judge_now(&mut session, held, &names) {
                    Ok(verdict) => self.act(session, Thought::Verdict(verdict)),
                    Err(pending) => {
                        self.think(session, pending);
                        Ok(())
                    }
                }
            }
            other => {
                self.mind = other;
                Ok(())
            }
        }
    }

    fn think(&mut self, session: Box<SqlSession>, pending: Pending) {
        self.mind = Mind::Thinking(Box::pin(self.gate.clone().think(session, pending)));
    }

    fn act(&mut self, session: Box<SqlSession>, thought: Thought) -> Result<(), Stop> {
        let verdict = match thought {
            Thought::Again(held) => {
                self.mind = Mind::Free(session);
                return self.judge(held);
            }
            Thought::Verdict(verdict) => verdict,
        };
        let now = self.gate.clock().now();
        let gate = self.gate.clone();
        let parked = self
            .machine
            .answer(
                verdict,
                |look| gate.look_texts(&session, look),
                now,
                self.recorder.as_mut(),
            )
            .map_err(|_| Stop::Record)?;
        match parked {
            None => self.mind = Mind::Free(session),
            Some(parked) => self.park(session, parked),
        }
        Ok(())
    }

    fn park(&mut self, session: Box<SqlSession>, parked: Parked) {
        let times = session.holds();
        self.machine.tell(
            &parked.notice(),
            Some(&format!(
                "code=held approval={} url={}",
                parked.approval(),
                parked.url()
            )),
        );
        self.parked_id = Some(parked.approval().clone());
        let now = Instant::now();
        self.mind = Mind::Parked(Box::new(Waiting {
            decided: self.gate.decided(&parked),
            stopped: Box::pin(self.waiting.begin()),
            session,
            parked,
            notice: Box::pin(tokio::time::sleep_until(now + times.notice_every)),
            notice_every: times.notice_every,
            until: Box::pin(tokio::time::sleep_until(now + times.hold_wait_max)),
        }));
    }

    fn unpark(&mut self) {
        self.parked_id = None;
        self.waiting.end();
    }

    fn looked(&mut self, looked: Looked) -> Result<(), Stop> {
        let Looked { held, look, rows } = looked;
        if let Mind::Free(session) = &mut self.mind
            && let Err(denial) = self.gate.looked(session, look, rows)
        {
            self.machine.end(&denial);
            return Ok(());
        }
        match held {
            Some(held) => self.judge(held),
            None => Ok(()),
        }
    }

    fn wake(&mut self, woken: Woken) -> Result<(), Stop> {
        match woken {
            Woken::Bytes => Ok(()),
            Woken::Thought(session, thought) => self.act(session, thought),
            Woken::Expired => {
                self.expired = true;
                Ok(())
            }
            Woken::Notice => {
                if let Mind::Parked(w) = &mut self.mind {
                    let text = format!("still {}", w.parked.notice());
                    self.machine.tell(&text, None);
                    let next = Instant::now() + w.notice_every;
                    w.notice.as_mut().reset(next);
                }
                Ok(())
            }
            Woken::Decided(answer) => match std::mem::replace(&mut self.mind, Mind::Moving) {
                Mind::Parked(waiting) => {
                    self.unpark();
                    let Waiting {
                        mut session,
                        parked,
                        ..
                    } = *waiting;
                    let thought = self.gate.release(&mut session, parked, answer);
                    self.act(session, thought)
                }
                other => {
                    self.mind = other;
                    Ok(())
                }
            },
            Woken::Stopped => {
                match std::mem::replace(&mut self.mind, Mind::Moving) {
                    Mind::Parked(waiting) => {
                        self.unpark();
                        let Waiting {
                            session, parked, ..
                        } = *waiting;
                        let ending = self.gate.clone().stop_waiting(session, parked);
                        self.mind = Mind::Thinking(Box::pin(ending));
                    }
                    other => self.mind = other,
                }
                Ok(())
            }
            Woken::Ticket => match std::mem::replace(&mut self.mind, Mind::Moving) {
                Mind::Parked(waiting) => {
                    self.unpark();
                    let Waiting {
                        mut session,
                        parked,
                        ..
                    } = *waiting;
                    let verdict = self.gate.ticket(&mut session, parked);
                    self.act(session, Thought::Verdict(verdict))
                }
                other => {
                    self.mind = other;
                    Ok(())
                }
            },
        }
    }

    fn fault(&mut self, fault: TargetFault) -> Stop {
        match fault {
            TargetFault::Record(error) => {
                tracing::error!(%error, "a session ends: its recording failed");
                Stop::Record
            }
            TargetFault::Misbehaved(sin) => self.misbehaved(sin),
        }
    }

    fn misbehaved(&mut self, sin: PeerMisbehaved) -> Stop {
        tracing::warn!(%sin, "a session ends");
        Stop::Misbehaved(sin)
    }
}

/// Judges on a thread of its own: reading a long statement takes long, and nobody else's session waits for it.
async fn aside(
    gate: Arc<Gate>,
    mut session: Box<SqlSession>,
    held: Held,
    names: Arc<Names>,
) -> (Box<SqlSession>, Thought) {
    let judging = gate.clone();
    let judged = tokio::task::spawn_blocking(move || {
        let outcome = judging.judge_now(&mut session, held, &names);
        (session, outcome)
    });
    match judged.await {
        Ok((session, Ok(verdict))) => (session, Thought::Verdict(verdict)),
        Ok((session, Err(pending))) => gate.think(session, pending).await,
        // What went wrong over there goes wrong here: this session ends, and no other.
        Err(gone) => std::panic::resume_unwind(Box::new(gone.to_string())),
    }
}
