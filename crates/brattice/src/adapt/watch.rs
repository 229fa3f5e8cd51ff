//! Looking on at open sessions: reading their recordings while they are written.
//!
//! Lives here: who takes up a place, and the way from the file to whoever looks on. Never: a copy of what passes: what is
//! seen was read from the disk, by the same way as a replay. Never: who may.

use super::failed;
use super::sessions::{chain_of, kind_name};
use crate::run::Gateway;
use brattice_admin::ports::{Failed, Following, ReplayFrame, Seen, TerminalView, Watch};
use brattice_core::ids::SessionId;
use brattice_core::ports::BoxFuture;
use brattice_core::record::FrameKind;
use brattice_store::recording::{End, ReadFrame, Reader, Shelf};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether something has come.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Frames that are given at once, and their bytes; one frame is always given whole.
const FRAMES_MAX: usize = 512;
const BYTES_MAX: usize = 256 * 1024;
/// So many bytes of the file are not read yet, and whoever is to see what passes now passes over them.
const BEHIND_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// So many bytes are passed over in one go, so that nobody's look takes long.
const PASSED_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Terminals that are remembered; a session has no more channels than that at once.
const TERMINALS_MAX: usize = 256;
/// How long the session's end may take to be noted after its recording was sealed.
const NOTED_MAX: Duration = Duration::from_secs(2);

/// Who looks on, by session.
#[derive(Debug, Default)]
pub struct Watchers(Mutex<HashMap<SessionId, u32>>);

impl Watchers {
    /// Takes up a place, unless as many are taken, of one session or in all.
    fn enter(self: &Arc<Self>, id: &SessionId, of_one_max: u32, in_all_max: u32) -> Option<Place> {
        let mut taken = self.taken();
        let in_all: u32 = taken.values().sum();
        let of_one = taken.get(id).copied().unwrap_or(0);
        if of_one >= of_one_max || in_all >= in_all_max {
            return None;
        }
        taken.insert(id.clone(), of_one + 1);
        Some(Place {
            watchers: self.clone(),
            id: id.clone(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<SessionId, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place, until it is dropped.
struct Place {
    watchers: Arc<Watchers>,
    id: SessionId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.watchers.taken();
        if let Some(n) = taken.get_mut(&self.id) {
            *n = n.saturating_sub(1);
            if *n == 0 {
                taken.remove(&self.id);
            }
        }
    }
}

/// Begins to look on at a session.
pub(super) async fn begin(
    gateway: &Arc<Gateway>,
    id: &SessionId,
    from_start: bool,
) -> Result<Watch, Failed> {
    let (of_one, in_all) = {
        let limits = &gateway.checked.load().limits;
        (limits.session_watchers_max, limits.watchers_max)
    };
    let Some(place) = gateway.watchers.enter(id, of_one, in_all) else {
        return Ok(Watch::Full);
    };
    // Kept until the work is done that was begun for it, also where nobody waits for that any more.
    let place = Arc::new(place);
    let (shelf, of, kept) = (gateway.shelf.clone(), id.clone(), place.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let _kept = kept;
        shelf.follow(&of, Instant::now())
    });
    let opened = opening.await.map_err(unread)?;
    let Some(reader) = opened.map_err(|why| unread(chain_of(&why)))? else {
        return Ok(Watch::NotOpen);
    };
    Ok(Watch::Open(Box::new(Follow {
        gateway: gateway.clone(),
        id: id.clone(),
        eye: Some(Box::new(Eye::new(reader, from_start))),
        place,
    })))
}

fn unread(why: impl ToString) -> Failed {
    Failed::new("read a recording that is being written", why)
}

/// Somebody who looks on.
struct Follow {
    gateway: Arc<Gateway>,
    id: SessionId,
    /// None while it looks.
    eye: Option<Box<Eye>>,
    place: Arc<Place>,
}

impl Following for Follow {
    fn next<'a>(&'a mut self) -> BoxFuture<'a, Result<Seen, Failed>> {
        Box::pin(async move {
            loop {
                let mut eye = self
                    .eye
                    .take()
                    .ok_or_else(|| unread("a look was given up"))?;
                let (shelf, id) = (self.gateway.shelf.clone(), self.id.clone());
                let kept = self.place.clone();
                let looking = tokio::task::spawn_blocking(move || {
                    let _kept = kept;
                    let look = eye.look(&shelf, &id);
                    (eye, look)
                });
                let (eye, look) = looking.await.map_err(unread)?;
                self.eye = Some(eye);
                match look? {
                    Look::Nothing => tokio::time::sleep(LOOK_EVERY).await,
                    Look::Further => {}
                    Look::Frames(seen) => return Ok(seen),
                    Look::End(mut seen) => {
                        seen.ended = Some(reason(&self.gateway, &self.id).await?);
                        return Ok(seen);
                    }
                }
            }
        })
    }
}

/// Why a session ended whose recording has its end.
async fn reason(gateway: &Gateway, id: &SessionId) -> Result<String, Failed> {
    let by = tokio::time::Instant::now() + NOTED_MAX;
    loop {
        gateway.list.written().await;
        let found = gateway.db.session(id).await.map_err(failed)?;
        match found.and_then(|s| s.end) {
            Some(end) => return Ok(end.reason),
            None if tokio::time::Instant::now() < by => tokio::time::sleep(LOOK_EVERY).await,
            None => return Ok("not known".to_owned()),
        }
    }
}

/// What came of a look.
enum Look {
    Nothing,
    /// There is more to be passed over.
    Further,
    Frames(Seen),
    /// There will be no more.
    End(Seen),
}

/// How far somebody has read.
struct Eye {
    reader: Reader,
    /// Of the next frame.
    index: u64,
    /// Everything is given, however late.
    from_start: bool,
    is_first: bool,
    /// What has come is passed over, up to its end.
    passes_over: bool,
    /// Frames that were.
    missed: u64,
    /// Of commands that have not ended.
    terminals: BTreeMap<u64, String>,
}

impl Eye {
    fn new(reader: Reader, from_start: bool) -> Self {
        Self {
            reader,
            index: 0,
            from_start,
            is_first: true,
            passes_over: !from_start,
            missed: 0,
            terminals: BTreeMap::new(),
        }
    }

    /// Reads on. What is asked first is answered last: when it was no longer being written before this looked, there is
    /// nothing behind what this finds.
    fn look(&mut self, shelf: &Shelf, id: &SessionId) -> Result<Look, Failed> {
        let is_written = shelf.write_out(id, Instant::now()).map_err(unread)?;
        let broken = |why| unread(chain_of(&why));
        self.reader.look_again().map_err(broken)?;
        let is_late = self.reader.behind() > BEHIND_BYTES_MAX;
        self.passes_over |= is_late && !self.from_start;
        let bytes_max = match self.passes_over {
            true => PASSED_BYTES_MAX,
            false => BYTES_MAX,
        };
        let mut seen = Seen::default();
        let (mut bytes, mut is_all) = (0, false);
        while seen.frames.len() < FRAMES_MAX && bytes < bytes_max {
            let frame = self.reader.next().transpose().map_err(broken)?;
            // Of what is being written only a part may be there.
            let Some(frame) = frame.filter(|f| f.whole) else {
                is_all = true;
                break;
            };
            self.note_terminal(&frame);
            bytes += frame.bytes.len();
            if self.passes_over {
                self.missed += u64::from(!self.is_first);
            } else {
                seen.frames.push(ReplayFrame {
                    index: self.index,
                    at: frame.at,
                    kind: kind_name(frame.kind),
                    command: frame.command,
                    bytes: frame.bytes,
                });
            }
            self.index += 1;
        }
        if std::mem::replace(&mut self.passes_over, false) {
            if !is_all {
                self.passes_over = true;
                return Ok(Look::Further);
            }
            seen.missed = std::mem::take(&mut self.missed);
            seen.terminals = Some(self.terminals());
        }
        let was_first = std::mem::replace(&mut self.is_first, false);
        let sealed = matches!(
            self.reader.end(),
            Some(End::Sealed(_) | End::Interrupted(_))
        );
        Ok(if is_all && (sealed || !is_written) {
            Look::End(seen)
        } else if was_first || seen.missed > 0 || !seen.frames.is_empty() {
            Look::Frames(seen)
        } else {
            Look::Nothing
        })
    }

    fn note_terminal(&mut self, frame: &ReadFrame) {
        match frame.kind {
            FrameKind::Terminal if self.terminals.len() < TERMINALS_MAX => {
                let size = String::from_utf8_lossy(&frame.bytes).into_owned();
                self.terminals.insert(frame.command, size);
            }
            FrameKind::Outcome => {
                self.terminals.remove(&frame.command);
            }
            _ => {}
        }
    }

    fn terminals(&self) -> Vec<TerminalView> {
        let known = self.terminals.iter();
        known
            .map(|(command, size)| TerminalView {
                command: *command,
                size: size.clone(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_one_session_and_in_all_and_given_back() {
        let watchers = Arc::new(Watchers::default());
        let id = |n: u8| SessionId::from_bytes([n; 10]);
        let first = watchers.enter(&id(1), 2, 3);
        let second = watchers.enter(&id(1), 2, 3);
        assert!(first.is_some() && second.is_some());
        assert!(watchers.enter(&id(1), 2, 3).is_none());
        let other = watchers.enter(&id(2), 2, 3);
        assert!(other.is_some());
        assert!(watchers.enter(&id(3), 2, 3).is_none());
        drop(first);
        assert!(watchers.enter(&id(3), 2, 3).is_some());
        drop((second, other));
        assert!(watchers.taken().is_empty());
    }
}
