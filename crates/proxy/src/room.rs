//! Room for connections: who is let in, who makes room, and how much one caller may take.
//!
//! Lives here: counting. Never: who anybody is.
//!
//! Whoever has yet to say who they are is a stranger. Strangers of one source take a part of the room alone, and the one
//! that came first makes room for the next: many that say nothing keep nobody out who has something to say.

use brattice_core::denial::{Code, Denial};
use brattice_core::elsewhere::Origin;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Strangers of one source are at most this part of all connections.
const SOURCE_PART: usize = 4;

/// All connections of one listener.
#[derive(Debug)]
pub struct Room {
    most: usize,
    of_one_most: usize,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    count: usize,
    /// In the order in which they came.
    strangers: VecDeque<Stranger>,
    /// Connections of each caller who has said who it is.
    callers: HashMap<String, usize>,
    last: u64,
}

#[derive(Debug)]
struct Stranger {
    number: u64,
    /// Where it comes from; this machine's own are bounded with all others alone.
    source: Option<Origin>,
    leave: Arc<Notify>,
}

/// One connection's place, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    room: Arc<Room>,
    number: u64,
    leave: Arc<Notify>,
    caller: Option<String>,
}

/// One caller has as many connections as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// So many.
    pub most: usize,
}

impl TooMany {
    /// As the caller is told.
    pub fn denial(self) -> Denial {
        let most = self.most;
        let reason = format!("this caller has {most} connections open, which is the most for one");
        Denial::new(Code::Throttled, "brattice.connections", reason)
            .hint("close some, or use one for several commands")
    }
}

impl Room {
    /// For so many connections, so many of them of one caller.
    pub fn new(most: usize, of_one_most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            of_one_most,
            inside: Mutex::default(),
        })
    }

    /// Takes in a stranger; `None` where all places have somebody known.
    pub fn enter(self: &Arc<Self>, from: SocketAddr) -> Option<Seat> {
        let address = from.ip().to_canonical();
        let source = (!address.is_loopback()).then(|| Origin::of(address));
        let mut inside = self.inside();
        if source.is_some() {
            let own = inside.strangers.iter().filter(|s| s.source == source);
            if own.count() >= (self.most / SOURCE_PART).max(1) {
                inside.send_first_away(|s| s.source == source);
            }
        }
        if inside.count >= self.most && !inside.send_first_away(|_| true) {
            return None;
        }
        inside.last += 1;
        inside.count += 1;
        let (number, leave) = (inside.last, Arc::new(Notify::new()));
        inside.strangers.push_back(Stranger {
            number,
            source,
            leave: leave.clone(),
        });
        Some(Seat {
            room: self.clone(),
            number,
            leave,
            caller: None,
        })
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn send_first_away(&mut self, of: impl Fn(&Stranger) -> bool) -> bool {
        let first = self.strangers.iter().position(of);
        match first.and_then(|i| self.strangers.remove(i)) {
            Some(first) => {
                self.count = self.count.saturating_sub(1);
                first.leave.notify_one();
                true
            }
            None => false,
        }
    }

    /// Whether it was one until now.
    fn is_stranger_no_more(&mut self, number: u64) -> bool {
        // In the order of their numbers.
        let found = self.strangers.binary_search_by_key(&number, |s| s.number);
        found.is_ok_and(|i| self.strangers.remove(i).is_some())
    }
}

impl Seat {
    /// Ready when this stranger has to make room.
    pub async fn is_sent_away(&self) {
        self.leave.notified().await;
    }

    /// Does what a stranger is waited for with; `None` when it has to make room meanwhile.
    pub async fn unless_sent_away<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.is_sent_away() => {
                tracing::info!("a caller made room for another before it said who it is");
                None
            }
        }
    }

    /// It has said who it is, and is sent away no more.
    ///
    /// # Errors
    /// When that caller has as many connections as it may.
    pub fn belongs_to(&mut self, caller: &str) -> Result<(), TooMany> {
        let most = self.room.of_one_most;
        let mut inside = self.room.inside();
        if inside.callers.get(caller).is_some_and(|own| *own >= most) {
            // A stranger still, who makes room for others.
            return Err(TooMany { most });
        }
        // One that had to make room at this very moment is in all the same.
        if !inside.is_stranger_no_more(self.number) && self.caller.is_none() {
            inside.count += 1;
        }
        *inside.callers.entry(caller.to_owned()).or_default() += 1;
        drop(inside);
        self.caller = Some(caller.to_owned());
        Ok(())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut inside = self.room.inside();
        let was_stranger = inside.is_stranger_no_more(self.number);
        if was_stranger || self.caller.is_some() {
            inside.count = inside.count.saturating_sub(1);
        }
        let Some(caller) = &self.caller else {
            return;
        };
        if let Some(own) = inside.callers.get_mut(caller) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                inside.callers.remove(caller);
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    async fn has_left(seat: &Seat) -> bool {
        tokio::time::timeout(std::time::Duration::from_millis(1), seat.is_sent_away())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn the_first_who_says_nothing_makes_room() {
        let room = Room::new(3, 3);
        let mut known = room.enter(at("127.0.0.1:1")).unwrap();
        known.belongs_to("a").unwrap();
        let silent = room.enter(at("127.0.0.1:2")).unwrap();
        let second = room.enter(at("127.0.0.1:3")).unwrap();
        let third = room.enter(at("127.0.0.1:4")).unwrap();
        assert!(has_left(&silent).await);
        assert!(!has_left(&second).await && !has_left(&known).await);
        drop((silent, second, third));
        assert_eq!(room.inside().count, 1);
    }

    #[tokio::test]
    async fn one_source_makes_room_for_its_own() {
        let room = Room::new(8, 8);
        let other = room.enter(at("10.0.0.1:1")).unwrap();
        let many: Vec<Seat> = (0..20)
            .map(|n| room.enter(at(&format!("[2001:db8::{n}]:1"))).unwrap())
            .collect();
        assert_eq!(room.inside().count, 3);
        assert!(!has_left(&other).await);
        assert!(has_left(&many[0]).await && !has_left(&many[19]).await);
        drop(many);
        assert_eq!(room.inside().count, 1);
    }

    #[test]
    fn who_is_known_is_not_sent_away_and_keeps_others_out() {
        let room = Room::new(2, 2);
        let mut seats: Vec<Seat> = (0..2)
            .map(|_| room.enter(at("10.0.0.1:1")).unwrap())
            .collect();
        for seat in &mut seats {
            seat.belongs_to("a").unwrap();
        }
        assert!(room.enter(at("10.0.0.2:1")).is_none());
        seats.pop();
        assert!(room.enter(at("10.0.0.2:1")).is_some());
    }

    #[test]
    fn one_caller_takes_no_more_than_its_part() {
        let room = Room::new(10, 2);
        let enter = |who: &str| {
            let mut seat = room.enter(at("127.0.0.1:1")).unwrap();
            let known = seat.belongs_to(who);
            (seat, known)
        };
        let held: Vec<_> = (0..2).map(|_| enter("a")).collect();
        assert!(held.iter().all(|(_, known)| known.is_ok()));
        let (refused, known) = enter("a");
        assert_eq!(known, Err(TooMany { most: 2 }));
        // Whoever was refused is as good as nobody to those who come.
        let others: Vec<Seat> = (0..10)
            .filter_map(|n| room.enter(at(&format!("127.0.0.1:{n}"))))
            .collect();
        assert_eq!(others.len(), 10);
        drop((refused, others));
        assert!(enter("b").1.is_ok());
        drop(held);
        assert!(enter("a").1.is_ok());
        assert!(room.inside().callers.is_empty());
        assert_eq!(room.inside().count, 0);
    }
}
