//! Looking on at an open session.
//!
//! Lives here: who may, asked again and again, and what of it goes out as lines. Never: a session's own path, which does
//! nothing for whoever looks on.

use super::sessions::{find, hidden};
use crate::body::{FrameBody, SessionBody, TerminalBody, WatchBody};
use crate::call::{Call, Reply};
use crate::ports::{Act, Following, Seen, SessionView, TerminalView, Watch};
use crate::problem::Problem;
use axum::body::Bytes;
use axum::http::StatusCode;
use brattice_core::ports::BoxFuture;
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep, timeout};

/// How often it is asked whether somebody may still look on.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long asking may take.
const ASK_MAX: Duration = Duration::from_secs(1);
/// After so long without anything, that is said: both ends find out that the other is there.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// How long somebody may read nothing.
const STALL_MAX: Duration = Duration::from_secs(30);
/// How long the last line, and the answer's end, may take to be read.
const FAREWELL_MAX: Duration = Duration::from_secs(1);
/// When the listener ends, how long the end of a session that ends with it is waited for.
const LAST_LOOK_MAX: Duration = Duration::from_millis(500);

pub(crate) fn watch(call: &Call) -> BoxFuture<'_, Result<Reply, Problem>> {
    Box::pin(async move {
        let session = find(call).await?;
        let from_start = match call.query.get("from").map(String::as_str) {
            None | Some("now") => false,
            Some("start") => true,
            Some(_) => return Err(Problem::invalid("`from` is none of: now, start.")),
        };
        let acts = [Act::Watch(&session), Act::Replay(&session)];
        let details = if from_start { "from the start" } else { "" };
        let object = session.id.to_string();
        let decided = call.must_all(&acts, &object, details).await;
        let permit = hidden(call, &session, decided)?;
        let sessions = &call.admin.ports.sessions;
        let following = match sessions.watch(&session.id, from_start).await? {
            Watch::Open(following) => following,
            Watch::NotOpen => return Err(not_open()),
            Watch::Full => return Err(full()),
        };
        let (put, lines) = call.line.body();
        let onlooker = Onlooker {
            call: call.clone(),
            session,
            put,
        };
        tokio::spawn(onlooker.look_on(following));
        Ok(Reply::stream(&permit, lines))
    })
}

/// Somebody who looks on.
struct Onlooker {
    call: Call,
    session: SessionView,
    put: mpsc::Sender<Bytes>,
}

/// Why it is over.
enum Over {
    /// With this for a last line.
    Said(WatchBody),
    /// Nobody reads any more.
    Gone,
}

impl Onlooker {
    async fn look_on(self, following: Box<dyn Following>) {
        let over = match self.run(following).await {
            Ok(never) => match never {},
            Err(over) => over,
        };
        let Self { call, put, .. } = self;
        if let Over::Said(last) = over {
            // Whoever does not read hears no last word either.
            let _unheard = timeout(FAREWELL_MAX, put.send(lines_of(&[last]))).await;
        }
        // Which ends the answer. A client that reads has it within moments, and its connection closes.
        drop(put);
        sleep(FAREWELL_MAX).await;
        call.line.hang_up();
    }

    /// Goes on until it is over.
    async fn run(&self, mut following: Box<dyn Following>) -> Result<Infallible, Over> {
        let mut asking = interval(ASK_EVERY);
        asking.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut ending = pin!(async {
            self.call.line.ends().await;
            sleep(LAST_LOOK_MAX).await;
        });
        let mut told_at = Instant::now();
        let mut is_first = true;
        loop {
            let mut next = following.next();
            let seen = loop {
                tokio::select! {
                    biased;
                    () = self.put.closed() => return Err(Over::Gone),
                    () = &mut ending => return Err(stopping()),
                    _ = asking.tick() => {
                        self.ask().await?;
                        if told_at.elapsed() >= QUIET_MAX {
                            told_at = Instant::now();
                            let _unread = self.put.try_send(lines_of(&[WatchBody::Quiet]));
                        }
                    }
                    seen = &mut next => break seen,
                }
            };
            drop(next);
            let mut seen = seen.map_err(|why| stopped(why.into()))?;
            let ended = seen.ended.take();
            let events = self.events(seen, is_first);
            is_first = false;
            self.tell(lines_of(&events), &mut asking, ending.as_mut())
                .await?;
            told_at = Instant::now();
            if let Some(reason) = ended {
                return Err(Over::Said(WatchBody::Ended { reason }));
            }
        }
    }

    /// Whether the caller may still see this; else how it is over.
    async fn ask(&self) -> Result<(), Over> {
        let acts = [Act::Watch(&self.session), Act::Replay(&self.session)];
        match timeout(ASK_MAX, self.call.still(&acts)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(problem)) => Err(stopped(problem)),
            Err(_) => Err(stopped(Problem::unavailable())),
        }
    }

    /// Waits until there is room for it, for as long as the caller may see it.
    async fn tell(
        &self,
        piece: Bytes,
        asking: &mut Interval,
        mut ending: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), Over> {
        if piece.is_empty() {
            return Ok(());
        }
        let mut room = pin!(self.put.reserve());
        let mut stalled = pin!(sleep(STALL_MAX));
        loop {
            tokio::select! {
                biased;
                () = &mut ending => return Err(stopping()),
                _ = asking.tick() => self.ask().await?,
                () = &mut stalled => return Err(too_slow()),
                room = &mut room => {
                    room.map_err(|_| Over::Gone)?.send(piece);
                    return Ok(());
                }
            }
        }
    }

    fn events(&self, seen: Seen, is_first: bool) -> Vec<WatchBody> {
        let terminals = |known: &Option<Vec<TerminalView>>| -> Vec<TerminalBody> {
            known.iter().flatten().map(TerminalBody::from).collect()
        };
        let mut events = Vec::with_capacity(seen.frames.len() + 1);
        if is_first {
            events.push(WatchBody::Session {
                session: Box::new(SessionBody::from(&self.session)),
                terminals: terminals(&seen.terminals),
            });
        }
        if seen.missed > 0 {
            events.push(WatchBody::Missed {
                frames: seen.missed,
                terminals: terminals(&seen.terminals),
            });
        }
        let frames = seen.frames.iter().map(FrameBody::from);
        events.extend(frames.map(WatchBody::Frame));
        events
    }
}

fn lines_of(events: &[WatchBody]) -> Bytes {
    let mut bytes = Vec::new();
    for event in events {
        // Only what has no form in JSON fails, and nothing here has none.
        if serde_json::to_writer(&mut bytes, event).is_ok() {
            bytes.push(b'\n');
        }
    }
    bytes.into()
}

fn stopped(problem: Problem) -> Over {
    Over::Said(WatchBody::Stopped {
        code: problem.code,
        detail: problem.detail,
    })
}

fn stopping() -> Over {
    Over::Said(WatchBody::Stopped {
        code: "stopping".to_owned(),
        detail: "The gateway is shutting down.".to_owned(),
    })
}

fn too_slow() -> Over {
    let seconds = STALL_MAX.as_secs();
    Over::Said(WatchBody::Stopped {
        code: "too_slow".to_owned(),
        detail: format!("Nothing was read for {seconds} seconds."),
    })
}

fn not_open() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "session_closed",
        "The session is not open.",
    )
    .hint("See its recording: brattice sessions replay ID --output")
}

fn full() -> Problem {
    let mut problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_watchers",
        "As many people look on as may, at this session or at all of them.",
    )
    .hint("See what was recorded so far with `replay`, or raise `limits.session_watchers_max` and `limits.watchers_max`.");
    problem.retry = true;
    problem
}
