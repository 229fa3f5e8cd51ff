//! The clock and the randomness of this machine.
//!
//! Lives here: the only two places where the program reads them for its parts. Never: anything else.

use brattice_core::ports::{Randomness, RecordFailed};
use brattice_core::time::{Clock, Timestamp};
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine's wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let micros = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_micros()).unwrap_or(i64::MAX),
            Err(_) => 0,
        };
        Timestamp(micros)
    }
}

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        aws_lc_rs::rand::fill(buf)
            .map_err(|_| RecordFailed("the operating system gave no random bytes".to_owned()))
    }
}
