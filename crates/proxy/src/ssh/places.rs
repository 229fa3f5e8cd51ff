//! Room for the channels of one connection.
//!
//! Lives here: counting. Never: what a channel is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Room for channels.
#[derive(Clone)]
pub(super) struct Places {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// One channel fewer, when dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl Places {
    pub fn new(max: usize) -> Self {
        Self {
            taken: Arc::default(),
            max,
        }
    }

    /// The same room for channels that others begin, who find none once half of it is taken: the client keeps the rest.
    pub fn for_others(&self) -> Self {
        Self {
            taken: self.taken.clone(),
            max: self.max / 2,
        }
    }

    pub fn take(&self) -> Option<Place> {
        let before = self.taken.fetch_add(1, Ordering::AcqRel);
        let place = Place(self.taken.clone());
        (before < self.max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_leave_half_of_the_room_to_the_client() {
        let places = Places::new(4);
        let others = places.for_others();
        let taken: Vec<_> = (0..5).filter_map(|_| others.take()).collect();
        assert_eq!(taken.len(), 2);
        let own: Vec<_> = (0..5).filter_map(|_| places.take()).collect();
        assert_eq!(own.len(), 2);
        drop(taken);
        assert!(places.take().is_some());
    }
}
