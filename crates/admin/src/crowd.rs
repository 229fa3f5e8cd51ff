//! Who is connected, and who makes room for whom.
//!
//! Lives here: bounds on connections, for each source and in all. Never: a byte of what is said.
//!
//! A connection that waits for nothing of ours makes room for a new one: whoever opens many and says nothing keeps nobody
//! from stopping a fleet.

use brattice_core::elsewhere::Origin;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Connections of one source are at most this part of all.
const SOURCE_PART: usize = 4;

/// Everybody who is connected.
pub(crate) struct Crowd {
    most: usize,
    guests: Mutex<Vec<Arc<Guest>>>,
}

/// One connection.
pub(crate) struct Guest {
    source: Source,
    /// Answers that are being made for it.
    busy: AtomicUsize,
    /// Answers that go on over it: who looks on for hours keeps nobody out who has something to do.
    listening: AtomicUsize,
    leave: Notify,
}

/// One source. This machine's own are bounded with all others alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Here,
    There(Origin),
}

impl Source {
    fn of(peer: SocketAddr) -> Self {
        match peer.ip().to_canonical() {
            ip if ip.is_loopback() => Source::Here,
            ip => Source::There(Origin::of(ip)),
        }
    }
}

impl Crowd {
    /// For at most so many.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            guests: Mutex::default(),
        }
    }

    /// Takes in a connection; `None` when all others, or all of its source, are busy.
    pub fn enter(&self, peer: SocketAddr) -> Option<Arc<Guest>> {
        let source = Source::of(peer);
        let mut guests = self.guests();
        let own = guests.iter().filter(|g| g.source == source).count();
        let own_most = match source {
            Source::Here => self.most,
            Source::There(_) => (self.most / SOURCE_PART).max(1),
        };
        if own >= own_most && !make_room(&mut guests, |g| g.source == source) {
            return None;
        }
        if guests.len() >= self.most && !make_room(&mut guests, |_| true) {
            return None;
        }
        let guest = Arc::new(Guest {
            source,
            busy: AtomicUsize::new(0),
            listening: AtomicUsize::new(0),
            leave: Notify::new(),
        });
        guests.push(guest.clone());
        Some(guest)
    }

    /// A connection has ended.
    pub fn left(&self, guest: &Arc<Guest>) {
        self.guests().retain(|g| !Arc::ptr_eq(g, guest));
    }

    fn guests(&self) -> MutexGuard<'_, Vec<Arc<Guest>>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the one away that came first of those who wait for nothing of ours; if there is none, of those who only listen.
fn make_room(guests: &mut Vec<Arc<Guest>>, of: impl Fn(&Guest) -> bool) -> bool {
    let free = |g: &Arc<Guest>| of(g) && g.busy.load(Ordering::Acquire) == 0;
    let idle = |g: &Arc<Guest>| free(g) && g.listening.load(Ordering::Acquire) == 0;
    let found = guests.iter().position(idle);
    let Some(first) = found.or_else(|| guests.iter().position(free)) else {
        return false;
    };
    guests.remove(first).send_away();
    true
}

impl Guest {
    /// Ready when it has to make room.
    pub async fn is_sent_away(&self) {
        self.leave.notified().await;
    }

    /// Closes the connection.
    pub fn send_away(&self) {
        self.leave.notify_one();
    }

    /// An answer goes on over it, until this is dropped.
    pub fn listening(self: &Arc<Self>) -> Listening {
        self.listening.fetch_add(1, Ordering::AcqRel);
        Listening(self.clone())
    }

    /// An answer is being made, until this is dropped.
    pub fn busy(self: &Arc<Self>) -> Busy {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self.clone())
    }
}

/// An answer that is being made.
pub(crate) struct Busy(Arc<Guest>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.busy.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An answer that goes on.
pub(crate) struct Listening(Arc<Guest>);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn who_says_nothing_makes_room() {
        let crowd = Crowd::new(4);
        let silent = crowd.enter(at("10.0.0.1:1")).unwrap();
        let talking = crowd.enter(at("10.0.0.2:1")).unwrap();
        let _answer = talking.busy();
        for host in 3..=4 {
            crowd.enter(at(&format!("10.0.0.{host}:1"))).unwrap();
        }
        assert!(crowd.enter(at("10.0.0.9:1")).is_some());
        silent.is_sent_away().await;
        assert_eq!(crowd.guests().len(), 4);
        assert!(crowd.guests().iter().any(|g| Arc::ptr_eq(g, &talking)));
    }

    #[test]
    fn one_source_takes_a_part_alone_and_gives_up_its_own() {
        let crowd = Crowd::new(8);
        let other = crowd.enter(at("10.0.0.1:1")).unwrap();
        for port in 1..=20 {
            assert!(crowd.enter(at(&format!("[2001:db8::{port}]:1"))).is_some());
        }
        assert_eq!(crowd.guests().len(), 3);
        assert!(crowd.guests().iter().any(|g| Arc::ptr_eq(g, &other)));
        // All of its are at work: it gets no more, and others do.
        let all: Vec<_> = crowd.guests().clone();
        let _busy: Vec<Busy> = all.iter().map(Guest::busy).collect();
        assert!(crowd.enter(at("[2001:db8::1]:9")).is_none());
        assert!(crowd.enter(at("[2001:db8:0:1::1]:9")).is_some());
        // This machine is bounded with all others alone.
        for port in 1..=4 {
            assert!(crowd.enter(at(&format!("127.0.0.1:{port}"))).is_some());
        }
    }

    #[test]
    fn who_listens_makes_room_after_the_idle_and_before_the_busy() {
        let crowd = Crowd::new(4);
        let listener = crowd.enter(at("10.0.0.1:1")).unwrap();
        let listening = listener.listening();
        let idle = crowd.enter(at("10.0.0.2:1")).unwrap();
        let busy: Vec<_> = (3..=4)
            .map(|n| crowd.enter(at(&format!("10.0.0.{n}:1"))).unwrap().busy())
            .collect();
        let here = |g: &Arc<Guest>| crowd.guests().iter().any(|other| Arc::ptr_eq(g, other));
        let _next = crowd.enter(at("10.0.0.5:1")).unwrap().busy();
        assert!(here(&listener) && !here(&idle));
        let _last = crowd.enter(at("10.0.0.6:1")).unwrap().busy();
        assert!(!here(&listener));
        assert!(crowd.enter(at("10.0.0.7:1")).is_none());
        drop((busy, listening));
        assert_eq!(listener.listening.load(Ordering::Acquire), 0);
    }

    #[test]
    fn who_left_takes_no_room() {
        let crowd = Crowd::new(1);
        let one = crowd.enter(at("10.0.0.1:1")).unwrap();
        let _busy = one.busy();
        assert!(crowd.enter(at("10.0.0.2:1")).is_none());
        crowd.left(&one);
        assert!(crowd.enter(at("10.0.0.2:1")).is_some());
    }
}
