//! Cancel requests: keys of our own, passed on to the session's target.
//!
//! Lives here: the keys and their throttle. Never: a target's key in a client's hands.

use crate::endpoint::Endpoint;
use brattice_core::ports::{Randomness, RecordFailed};
use brattice_wire::postgres::CancelKey;
use bytes::Bytes;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// Wrong keys a source may send in a minute before it is not listened to.
const WRONG_PER_MINUTE_MAX: u32 = 20;
/// Sources remembered.
const SOURCES_MAX: usize = 10_000;

/// What a cancel leads to.
#[derive(Debug, Clone)]
pub struct Aim {
    /// Where the target is.
    pub endpoint: Arc<Endpoint>,
    /// The target's own key for the session.
    pub key: CancelKey,
    /// What to tell instead while the session waits for people: the target has nothing to stop then.
    pub waiting: Arc<WaitStop>,
}

/// Tells a session that waits for people to stop waiting.
#[derive(Debug, Default)]
pub struct WaitStop {
    waits: AtomicBool,
    stop: Arc<Notify>,
}

impl WaitStop {
    /// Begins to wait; resolves when told to stop.
    pub fn begin(&self) -> OwnedNotified {
        // Made before it is said that somebody waits: it hears everything from now on.
        let told = self.stop.clone().notified_owned();
        self.waits.store(true, Ordering::Release);
        told
    }
    /// Waits no more.
    pub fn end(&self) {
        self.waits.store(false, Ordering::Release);
    }
    /// Tells it; false when nobody waits.
    pub fn stop(&self) -> bool {
        let waits = self.waits.load(Ordering::Acquire);
        if waits {
            self.stop.notify_waiters();
        }
        waits
    }
}

#[derive(Debug, Default)]
struct Inner {
    keys: HashMap<i32, (CancelKey, Aim)>,
    wrong: HashMap<IpAddr, (Instant, u32)>,
}

/// The keys of the open sessions.
#[derive(Debug, Default)]
pub struct Cancels(Mutex<Inner>);

impl Cancels {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        match self.0.lock() {
            Ok(m) => m,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Makes a key for a session: four secret bytes in protocol 3.0, sixteen from 3.2 on.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn issue(
        self: &Arc<Self>,
        minor: u16,
        aim: Aim,
        randomness: &dyn Randomness,
    ) -> Result<Issued, RecordFailed> {
        loop {
            let mut raw = [0; 20];
            randomness.fill(&mut raw)?;
            let (pid, secret) = raw.split_at(4);
            let pid = i32::from_be_bytes(pid.try_into().unwrap_or_default()) & i32::MAX;
            let secret = if minor >= 2 {
                secret
            } else {
                secret.get(..4).unwrap_or_default()
            };
            let key = CancelKey {
                pid,
                secret: Bytes::copy_from_slice(secret),
            };
            let mut inner = self.inner();
            if pid == 0 || inner.keys.contains_key(&pid) {
                continue;
            }
            inner.keys.insert(pid, (key.clone(), aim));
            return Ok(Issued {
                cancels: self.clone(),
                key,
            });
        }
    }

    /// What a request's key leads to; `None` for a wrong one, or a source that has sent too many of them.
    pub fn aim(&self, key: &CancelKey, from: IpAddr, now: Instant) -> Option<Aim> {
        let mut inner = self.inner();
        if let Some((since, count)) = inner.wrong.get(&from)
            && *count >= WRONG_PER_MINUTE_MAX
            && now.duration_since(*since) < Duration::from_secs(60)
        {
            return None;
        }
        let found = inner
            .keys
            .get(&key.pid)
            .filter(|(ours, _)| ours.matches(key))
            .map(|(_, aim)| aim.clone());
        if found.is_none() {
            if inner.wrong.len() >= SOURCES_MAX {
                inner.wrong.clear();
            }
            let entry = inner.wrong.entry(from).or_insert((now, 0));
            if now.duration_since(entry.0) >= Duration::from_secs(60) {
                *entry = (now, 0);
            }
            entry.1 += 1;
        }
        found
    }
}

/// A session's key, taken back when dropped.
#[derive(Debug)]
pub struct Issued {
    cancels: Arc<Cancels>,
    /// The key, for the client.
    pub key: CancelKey,
}

impl Drop for Issued {
    fn drop(&mut self) {
        self.cancels.inner().keys.remove(&self.key.pid);
    }
}
