//! One task for one session: both sockets, the machine, the gate.
//!
//! Lives here: reading, writing and waiting. Never: what a byte means, or whether it may pass.
//!
//! Each turn reads what there is, lets the machine and the gate work on it, and writes once in each direction. While a
//! command waits (for the disk, the store, or a person) both sockets are still watched.

use super::cancel::WaitStop;
use crate::stream::Stream;
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{
    Cut, CutReason, Gate, Held, Look, Names, Parked, Pending, Session, Thought, Verdict, Waited,
};
use brattice_core::ids::{ApprovalId, Digest};
use brattice_core::ports::{BoxFuture, RecordFailed, Recorder};
use brattice_core::record::Frame;
use brattice_core::time::Timestamp;
use brattice_wire::PeerMisbehaved;
use brattice_wire::postgres::session::{Looked, Machine, Plumbing, Step, TargetFault};
use brattice_wire::postgres::{ErrorFields, Severity, reply};
use bytes::{Buf, BytesMut};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep};

/// What waits for the client at most before the target is no longer read.
const TO_CLIENT_BYTES_MAX: usize = 256 * 1024;
/// What waits for the target at most before the client is no longer read.
const TO_TARGET_BYTES_MAX: usize = 256 * 1024;
/// What is read from a client ahead of what may be decoded.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// What one read asks for at first; grows while reads fill it.
const READ_BYTES_MIN: usize = 4 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;
/// What a buffer may keep while its session is idle.
const IDLE_BYTES_MAX: usize = 16 * 1024;
/// Longer statements are judged on a thread of their own.
const JUDGED_HERE_BYTES_MAX: usize = 16 * 1024;
/// How long a client gets to read the last words.
const FAREWELL_MAX: Duration = Duration::from_secs(2);
/// How long the end of a session waits for a judgement that is under way.
const GATE_MAX: Duration = Duration::from_secs(10);

/// How a session ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub reason: String,
    pub bytes_to_client: u64,
    pub recording: Option<Digest>,
    /// The target was at work for it.
    pub cancel_target: bool,
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
    Free(Box<Session>),
    /// It is with the gate.
    Thinking(BoxFuture<'static, (Box<Session>, Thought)>),
    /// A command waits for people.
    Parked(Box<Waiting>),
    /// Between two of these.
    Moving,
}

struct Waiting {
    session: Box<Session>,
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
    Thought(Box<Session>, Thought),
    Decided(Waited),
    Stopped,
    Notice,
    Ticket,
    Expired,
}

pub(super) struct Pump {
    gate: Arc<Gate>,
    waiting: Arc<WaitStop>,
    machine: Machine,
    recorder: Box<dyn Recorder>,
    mind: Mind,
    cut: Arc<Cut>,
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
        session: Session,
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
            gate,
            waiting,
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
    pub async fn run(mut self) -> (Option<Box<Session>>, Ended) {
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
                .target(&mut self.target_in, now, self.recorder.as_mut())
                .map_err(|e| self.fault(e))?;
            if let Some(looked) = looked {
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

    fn think(&mut self, session: Box<Session>, pending: Pending) {
        self.mind = Mind::Thinking(Box::pin(self.gate.clone().think(session, pending)));
    }

    fn act(&mut self, session: Box<Session>, thought: Thought) -> Result<(), Stop> {
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

    fn park(&mut self, session: Box<Session>, parked: Parked) {
        let times = parked.times(&session);
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

    /// Waits for anything: bytes, room to write, the gate, people, the switch, the clock.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Woken, Stop>> {
        if let Poll::Ready(reason) = self.cut.poll(cx) {
            return Poll::Ready(Err(Stop::Cut(reason)));
        }
        if let Some(woken) = self.poll_mind(cx) {
            return Poll::Ready(Ok(woken));
        }
        if let Poll::Ready(stop) = self.poll_expiry(cx) {
            return Poll::Ready(stop);
        }
        if let Err(stop) = self.poll_write(cx) {
            return Poll::Ready(Err(stop));
        }
        match self.poll_read(cx) {
            Err(stop) => Poll::Ready(Err(stop)),
            Ok(true) => Poll::Ready(Ok(Woken::Bytes)),
            Ok(false) => {
                self.rest();
                Poll::Pending
            }
        }
    }

    /// Gives large buffers back while nothing is under way: idle sessions are many.
    fn rest(&mut self) {
        if !self.machine.is_idle() {
            return;
        }
        for buffer in [
            &mut self.client_in,
            &mut self.target_in,
            &mut self.machine.to_client,
        ] {
            if buffer.is_empty() && buffer.capacity() > IDLE_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    fn poll_mind(&mut self, cx: &mut Context<'_>) -> Option<Woken> {
        match &mut self.mind {
            Mind::Thinking(future) => match future.as_mut().poll(cx) {
                Poll::Ready((session, thought)) => {
                    self.mind = Mind::Moving;
                    Some(Woken::Thought(session, thought))
                }
                Poll::Pending => None,
            },
            Mind::Parked(w) => {
                if let Poll::Ready(answer) = w.decided.as_mut().poll(cx) {
                    return Some(Woken::Decided(answer));
                }
                if w.stopped.as_mut().poll(cx).is_ready() {
                    return Some(Woken::Stopped);
                }
                if w.until.as_mut().poll(cx).is_ready() {
                    return Some(Woken::Ticket);
                }
                w.notice
                    .as_mut()
                    .poll(cx)
                    .is_ready()
                    .then_some(Woken::Notice)
            }
            Mind::Free(_) | Mind::Moving => None,
        }
    }

    /// A session whose identity ran out ends when it is idle, at the latest after the grace.
    fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<Result<Woken, Stop>> {
        if self.expired {
            let last = self.expires_at.plus(self.gate.expiry_grace());
            let over = self.gate.clock().now() >= last;
            if over || (self.machine.is_idle() && matches!(self.mind, Mind::Free(_))) {
                return Poll::Ready(Err(Stop::Cut(CutReason::Expired)));
            }
            if self.expiry.as_mut().poll(cx).is_ready() {
                self.expiry
                    .as_mut()
                    .reset(Instant::now() + Duration::from_secs(1));
                let _ = self.expiry.as_mut().poll(cx);
            }
            return Poll::Pending;
        }
        if self.expiry.as_mut().poll(cx).is_ready() {
            self.expiry
                .as_mut()
                .reset(Instant::now() + Duration::from_secs(1));
            return Poll::Ready(Ok(Woken::Expired));
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        while !self.machine.outbox.is_empty() {
            match Pin::new(&mut self.target).poll_write(cx, self.machine.outbox.bytes()) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::TargetGone),
                Poll::Ready(Ok(n)) => {
                    self.machine.outbox.advance(n);
                    self.unflushed_target = true;
                }
                Poll::Pending => break,
            }
        }
        while !self.machine.to_client.is_empty() {
            match Pin::new(&mut self.client).poll_write(cx, &self.machine.to_client) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::ClientGone),
                Poll::Ready(Ok(n)) => {
                    self.machine.to_client.advance(n);
                    self.bytes_to_client += n as u64;
                    self.unflushed_client = true;
                }
                Poll::Pending => break,
            }
        }
        if self.unflushed_target {
            match Pin::new(&mut self.target).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed_target = false,
                Poll::Ready(Err(_)) => return Err(Stop::TargetGone),
                Poll::Pending => {}
            }
        }
        if self.unflushed_client {
            match Pin::new(&mut self.client).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed_client = false,
                Poll::Ready(Err(_)) => return Err(Stop::ClientGone),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Reads from whoever may be heard. True when there is something new to work on.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let mut any = false;
        if self.machine.to_client.len() < TO_CLIENT_BYTES_MAX {
            match read(
                &mut self.target,
                &mut self.target_in,
                &mut self.target_read,
                cx,
            ) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::TargetGone),
                Poll::Ready(Ok(_)) => any = true,
                Poll::Pending => {}
            }
        }
        let wanted = matches!(self.mind, Mind::Free(_)) && self.machine.wants_client();
        if (wanted || self.client_in.len() < AHEAD_BYTES_MAX)
            && self.machine.outbox.bytes().len() < TO_TARGET_BYTES_MAX
        {
            match read(
                &mut self.client,
                &mut self.client_in,
                &mut self.client_read,
                cx,
            ) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::ClientGone),
                Poll::Ready(Ok(_)) => any = true,
                Poll::Pending => {}
            }
        }
        Ok(any)
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

    async fn end(mut self, stop: Stop) -> (Option<Box<Session>>, Ended) {
        let at_work = self.machine.awaits_target();
        let reason = match &stop {
            Stop::Goodbye => "goodbye".to_owned(),
            Stop::ClientGone => "client gone".to_owned(),
            Stop::TargetGone => "target gone".to_owned(),
            Stop::Cut(r) => r.as_str().to_owned(),
            Stop::Said => "ended".to_owned(),
            Stop::Misbehaved(sin) => sin.to_string(),
            Stop::Record => "failing".to_owned(),
        };
        if let Some(id) = self.parked_id.take() {
            self.gate.abandon_id(id).await;
        }
        self.last_words(&stop);
        let recording = self.seal().await;
        let session = match std::mem::replace(&mut self.mind, Mind::Moving) {
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
        };
        let _ = tokio::time::timeout(FAREWELL_MAX, self.farewell()).await;
        (
            session,
            Ended {
                reason,
                bytes_to_client: self.bytes_to_client,
                recording,
                cancel_target: at_work,
            },
        )
    }

    /// What the client is told, if it can still hear.
    fn last_words(&mut self, stop: &Stop) {
        match stop {
            Stop::Cut(reason) => self.machine.end(&reason.denial()),
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

    /// Writes what is left and says goodbye on both sides.
    async fn farewell(&mut self) {
        use tokio::io::AsyncWriteExt;
        let _ = self.client.write_all_buf(&mut self.machine.to_client).await;
        let _ = self.client.shutdown().await;
        self.machine.outbox.plumbing(&Plumbing::Terminate);
        let rest = self.machine.outbox.bytes().to_vec();
        if !self.machine.awaits_target() {
            let _ = self.target.write_all(&rest).await;
        }
        let _ = self.target.shutdown().await;
    }
}

/// Judges on a thread of its own: reading a long statement takes long, and nobody else's session waits for it.
async fn aside(
    gate: Arc<Gate>,
    mut session: Box<Session>,
    held: Held,
    names: Arc<Names>,
) -> (Box<Session>, Thought) {
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

/// One read into a buffer that grows while reads fill it and shrinks when they do not.
fn read(
    stream: &mut Stream,
    into: &mut BytesMut,
    size: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    into.reserve(*size);
    let before = into.len();
    into.resize(before + *size, 0);
    let mut buf = ReadBuf::new(into.get_mut(before..).unwrap_or_default());
    let outcome = Pin::new(stream).poll_read(cx, &mut buf);
    let n = buf.filled().len();
    into.truncate(before + n);
    match outcome {
        Poll::Ready(Ok(())) => {
            if n == *size {
                *size = (*size * 2).min(READ_BYTES_MAX);
            } else if n < *size / 4 {
                *size = (*size / 2).max(READ_BYTES_MIN);
            }
            Poll::Ready(Ok(n))
        }
        Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
        Poll::Pending => Poll::Pending,
    }
}
