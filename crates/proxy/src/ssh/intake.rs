//! What a client sent on a channel and nobody took yet.
//!
//! Lives here: taking messages from russh at once, so that no channel waits for another, and giving the window back as data
//! is taken (RFC 4254, section 5.2), so that no more lies here than one window. Never: what the data is.

use bytes::{Bytes, BytesMut};
use russh::server::Handle;
use russh::{ChannelId, ChannelMsg, ChannelReadHalf, Sig};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// Data up to so many bytes is joined to what lies there, so that many small packets cost no more than a large one.
const JOINED_BYTES_MAX: usize = 4 << 10;
/// Messages that are no data. Who sends more of them than this before one is taken is not listened to any more.
const OTHERS_MAX: usize = 256;
/// Bytes of them: no honest one is long.
const OTHERS_BYTES_MAX: usize = 256 << 10;

/// The messages of one channel.
pub(super) struct Intake {
    shared: Arc<Shared>,
    handle: Handle,
    id: ChannelId,
    /// Bytes that were taken and not given back yet.
    owed: usize,
    /// From how many on they are given back.
    owed_max: usize,
    task: JoinHandle<()>,
}

/// What is noticed without taking any data.
pub(super) enum Noticed {
    /// The client is gone.
    Gone,
    /// It sent a signal.
    Signal(Sig),
    /// It typed what a terminal sends for Ctrl-C.
    Interrupt,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    arrived: Notify,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    /// Of them, no data.
    others: usize,
    /// Bytes of all of those that ever came before one was taken.
    others_bytes: usize,
    /// How many of them were looked at and left there.
    seen: usize,
    /// Bytes that nobody will take.
    dropped: usize,
    ended: bool,
}

enum Item {
    /// A packet as it came.
    Data(Bytes),
    /// Small ones.
    Joined(BytesMut),
    Other(ChannelMsg),
}

/// What a terminal sends for Ctrl-C.
const INTERRUPT: u8 = 3;

impl Intake {
    /// Takes what comes on a channel whose window is so large.
    pub fn new(read: ChannelReadHalf, handle: Handle, id: ChannelId, window_bytes: u32) -> Self {
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(take(read, shared.clone()));
        Self {
            shared,
            handle,
            id,
            owed: 0,
            owed_max: usize::try_from(window_bytes / 4).unwrap_or(usize::MAX),
            task,
        }
    }

    /// The next message; none once the channel is closed. What was taken before counts as used up with this. Can be asked
    /// again if it was not waited for.
    pub async fn next(&mut self) -> Option<ChannelMsg> {
        loop {
            self.give_back().await;
            match self.pop() {
                Some(Ok(Item::Data(data))) => return Some(self.taken(data)),
                Some(Ok(Item::Joined(data))) => return Some(self.taken(data.freeze())),
                Some(Ok(Item::Other(message))) => return Some(message),
                Some(Err(Ended)) => return None,
                None => self.shared.arrived.notified().await,
            }
        }
    }

    /// Waits until something is to be noticed; data stays where it is.
    pub async fn notice(&mut self, terminal: bool) -> Noticed {
        loop {
            if let Some(noticed) = self.shared.lock().notice(terminal) {
                return noticed;
            }
            self.shared.arrived.notified().await;
        }
    }

    fn taken(&mut self, data: Bytes) -> ChannelMsg {
        self.owed += data.len();
        ChannelMsg::Data { data }
    }

    fn pop(&mut self) -> Option<Result<Item, Ended>> {
        let mut queue = self.shared.lock();
        self.owed += std::mem::take(&mut queue.dropped);
        match queue.items.pop_front() {
            Some(item) => {
                queue.seen = queue.seen.saturating_sub(1);
                if let Item::Other(message) = &item {
                    queue.others = queue.others.saturating_sub(1);
                    queue.others_bytes = queue.others_bytes.saturating_sub(bytes(message));
                }
                Some(Ok(item))
            }
            None => queue.ended.then_some(Err(Ended)),
        }
    }

    async fn give_back(&mut self) {
        if self.owed >= self.owed_max.max(1) {
            let bytes = u32::try_from(self.owed).unwrap_or(u32::MAX);
            // The session is gone where that fails, which is told by what is read next.
            let _ = self.handle.give_window(self.id, bytes).await;
            self.owed = 0;
        }
    }
}

impl Drop for Intake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Ended;

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes messages as they come, for as long as anybody may want them.
async fn take(mut read: ChannelReadHalf, shared: Arc<Shared>) {
    loop {
        let message = read.wait().await;
        let goes_on = shared.lock().push(message);
        shared.arrived.notify_one();
        if !goes_on {
            return;
        }
    }
}

impl Queue {
    /// Whether more can come.
    fn push(&mut self, message: Option<ChannelMsg>) -> bool {
        let untouched = self.items.len() > self.seen;
        let last = self.items.back_mut().filter(|_| untouched);
        match (message, last) {
            (None, _) => self.ended = true,
            // Clients have one stream only; what comes on another is nothing that anybody reads.
            (Some(ChannelMsg::ExtendedData { data, .. }), _) => self.dropped += data.len(),
            (Some(ChannelMsg::Data { data }), _) if data.is_empty() => {}
            (Some(ChannelMsg::Data { data }), _) if data.len() > JOINED_BYTES_MAX => {
                self.items.push_back(Item::Data(data));
            }
            (Some(ChannelMsg::Data { data }), Some(Item::Joined(before))) => {
                before.extend_from_slice(&data);
            }
            (Some(ChannelMsg::Data { data }), _) => {
                self.items
                    .push_back(Item::Joined(BytesMut::from(data.as_ref())));
            }
            // Only the last size counts.
            (
                Some(size @ ChannelMsg::WindowChange { .. }),
                Some(Item::Other(before @ ChannelMsg::WindowChange { .. })),
            ) => *before = size,
            (Some(ChannelMsg::WindowAdjusted { .. }), _) => {}
            (Some(other), _) => {
                self.others += 1;
                self.others_bytes += bytes(&other);
                self.items.push_back(Item::Other(other));
            }
        }
        if self.others > OTHERS_MAX || self.others_bytes > OTHERS_BYTES_MAX {
            self.ended = true;
            self.items.clear();
        }
        !self.ended
    }

    fn notice(&mut self, terminal: bool) -> Option<Noticed> {
        while let Some(item) = self.items.get(self.seen) {
            match item {
                Item::Other(ChannelMsg::Close) => return Some(Noticed::Gone),
                Item::Other(ChannelMsg::Signal { signal }) => {
                    let signal = signal.clone();
                    self.items.remove(self.seen);
                    self.others = self.others.saturating_sub(1);
                    return Some(Noticed::Signal(signal));
                }
                Item::Data(data) if terminal && data.contains(&INTERRUPT) => {
                    return Some(Noticed::Interrupt);
                }
                Item::Joined(data) if terminal && data.contains(&INTERRUPT) => {
                    return Some(Noticed::Interrupt);
                }
                _ => self.seen += 1,
            }
        }
        self.ended.then_some(Noticed::Gone)
    }
}

/// Bytes of what a message carries, as far as its sender chose them.
fn bytes(message: &ChannelMsg) -> usize {
    match message {
        ChannelMsg::Exec { command, .. } => command.len(),
        ChannelMsg::SetEnv {
            variable_name,
            variable_value,
            ..
        } => variable_name.len() + variable_value.len(),
        ChannelMsg::RequestPty {
            term,
            terminal_modes,
            ..
        } => term.len() + 8 * terminal_modes.len(),
        ChannelMsg::RequestSubsystem { name, .. } => name.len(),
        ChannelMsg::Signal {
            signal: Sig::Custom(name),
        } => name.len(),
        ChannelMsg::RequestX11 {
            x11_authentication_protocol,
            x11_authentication_cookie,
            ..
        } => x11_authentication_protocol.len() + x11_authentication_cookie.len(),
        _ => 0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn data(bytes: &[u8]) -> Option<ChannelMsg> {
        let data = Bytes::copy_from_slice(bytes);
        Some(ChannelMsg::Data { data })
    }

    #[test]
    fn small_packets_lie_together_and_nothing_is_out_of_order() {
        let mut queue = Queue::default();
        for _ in 0..10_000 {
            assert!(queue.push(data(b"x")));
        }
        assert_eq!(queue.items.len(), 1);
        assert!(queue.push(Some(ChannelMsg::Signal { signal: Sig::USR1 })));
        assert!(queue.push(data(b"y")));
        assert!(queue.push(Some(ChannelMsg::Eof)));
        let kinds: Vec<bool> = queue
            .items
            .iter()
            .map(|i| matches!(i, Item::Joined(_)))
            .collect();
        assert_eq!(kinds, [true, false, true, false]);
    }

    #[test]
    fn what_is_no_data_is_bounded() {
        let mut queue = Queue::default();
        let signal = || Some(ChannelMsg::Signal { signal: Sig::USR1 });
        let taken = (0..10_000).take_while(|_| queue.push(signal())).count();
        assert_eq!(taken, OTHERS_MAX);
        assert!(queue.items.is_empty() && queue.ended);

        let mut queue = Queue::default();
        let long = || {
            Some(ChannelMsg::Exec {
                want_reply: true,
                command: vec![b'x'; 200 << 10],
            })
        };
        assert!(queue.push(long()) && !queue.push(long()));
        assert!(queue.items.is_empty());

        let mut queue = Queue::default();
        for columns in 0..10_000 {
            assert!(queue.push(Some(ChannelMsg::WindowChange {
                col_width: columns,
                row_height: 1,
                pix_width: 0,
                pix_height: 0,
            })));
        }
        assert_eq!(queue.items.len(), 1);
    }

    #[test]
    fn signals_are_noticed_behind_data_that_stays() {
        let mut queue = Queue::default();
        queue.push(data(b"lines"));
        assert!(queue.notice(false).is_none());
        queue.push(data(b" and more\x03"));
        queue.push(Some(ChannelMsg::Signal { signal: Sig::TERM }));
        assert!(matches!(
            queue.notice(false),
            Some(Noticed::Signal(Sig::TERM))
        ));
        assert_eq!(queue.items.len(), 2);
        queue.seen = 0;
        assert!(matches!(queue.notice(true), Some(Noticed::Interrupt)));
        queue.push(None);
        queue.seen = 0;
        assert!(matches!(queue.notice(false), Some(Noticed::Gone)));
    }
}
