//! One proof of identity that is used from more than one place: perhaps it was stolen.
//!
//! Lives here: a bounded memory of where each proof was used from, and what goes on record. Never: a decision; a proof
//! that must not be used elsewhere is bound, to a key or to an address.

use crate::audit::Event;
use crate::ids::{CredentialId, Digest, Hasher};
use crate::principal::Identity;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};

/// How many proofs each half of the memory holds. The older half is forgotten when the newer one is full.
const HALF_MAX: usize = 50_000;
/// From how many places one proof's use is told apart; beyond them nothing more is said of it.
const ORIGINS_MAX: usize = 8;

/// Where somebody calls from, as far as it tells callers apart: an IPv4 address, or an IPv6 /64, of which a caller picks
/// addresses freely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Origin(IpAddr);

impl Origin {
    /// The place that an address belongs to.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) if !v6.is_loopback() => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            other => other,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V6(v6) if !v6.is_loopback() => write!(f, "{v6}/64"),
            other => write!(f, "{other}"),
        }
    }
}

/// The memory.
#[derive(Debug, Default)]
pub struct Elsewhere(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    newer: HashMap<Digest, Vec<Origin>>,
    older: HashMap<Digest, Vec<Origin>>,
}

impl Elsewhere {
    /// Remembers that a proof was used from an address. What is to go on record, where it was used from others before:
    /// once for each.
    pub fn noted(&self, identity: &Identity, from: IpAddr) -> Option<Event> {
        let (proof, name) = name_of(identity)?;
        let before = self.origins(name, Origin::of(from))?;
        Some(Event::SeenElsewhere {
            chain: identity.chain.to_string(),
            proof: proof.to_owned(),
            client: from.to_string(),
            before: before.iter().map(Origin::to_string).collect(),
        })
    }

    /// Forgets that a proof was used from an address, where that could not be put on record: it is told again.
    pub fn forget(&self, identity: &Identity, from: IpAddr) {
        let Some((_, name)) = name_of(identity) else {
            return;
        };
        if let Some(known) = self.halves().newer.get_mut(&name) {
            known.retain(|o| *o != Origin::of(from));
        }
    }

    /// The places that were known before, where this one is not among them and is not the first.
    fn origins(&self, proof: Digest, origin: Origin) -> Option<Vec<Origin>> {
        let mut halves = self.halves();
        let mut known = match halves.newer.get(&proof) {
            Some(known) if known.contains(&origin) => return None,
            Some(known) => known.clone(),
            None => halves.older.remove(&proof).unwrap_or_default(),
        };
        let before = known.clone();
        let news = !known.contains(&origin) && known.len() < ORIGINS_MAX;
        if news {
            known.push(origin);
        }
        if halves.newer.len() >= HALF_MAX {
            halves.older = std::mem::take(&mut halves.newer);
        }
        halves.newer.insert(proof, known);
        (news && !before.is_empty()).then_some(before)
    }

    fn halves(&self) -> MutexGuard<'_, Halves> {
        match self.0.lock() {
            Ok(halves) => halves,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// Which proof it is, for people and for the memory.
fn name_of(identity: &Identity) -> Option<(&str, Digest)> {
    let credential = identity.credential.as_ref().map(CredentialId::as_str);
    let proof = credential.or(identity.token_id.as_deref())?;
    let mut name = Hasher::new();
    name.field(identity.chain.to_string().as_bytes())
        .field(proof.as_bytes());
    Some((proof, name.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    fn origin(address: &str) -> Origin {
        Origin::of(address.parse().unwrap())
    }

    fn proof(n: u32) -> Digest {
        Digest::of(&n.to_be_bytes())
    }

    #[test]
    fn tells_each_further_place_once() {
        let memory = Elsewhere::default();
        let (here, there) = (origin("192.0.2.1"), origin("198.51.100.7"));
        assert_eq!(memory.origins(proof(1), here), None);
        assert_eq!(memory.origins(proof(1), here), None);
        assert_eq!(memory.origins(proof(1), there), Some(vec![here]));
        assert_eq!(memory.origins(proof(1), there), None);
        assert_eq!(memory.origins(proof(1), here), None);
        assert_eq!(memory.origins(proof(2), there), None, "another proof");
    }

    #[test]
    fn says_no_more_of_a_proof_that_is_used_from_everywhere() {
        let memory = Elsewhere::default();
        let mut told = 0;
        for n in 0..100 {
            let from = origin(&format!("192.0.2.{n}"));
            told += usize::from(memory.origins(proof(1), from).is_some());
        }
        assert_eq!(told, ORIGINS_MAX - 1);
    }

    #[test]
    fn addresses_that_a_caller_picks_freely_are_one_place() {
        assert_eq!(origin("2001:db8:1:2:3::4"), origin("2001:db8:1:2:ffff::1"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:192.0.2.1"), origin("192.0.2.1"));
        assert_eq!(origin("2001:db8:1:2::9").to_string(), "2001:db8:1:2::/64");
        assert_eq!(origin("::1").to_string(), "::1");
    }

    #[test]
    fn forgets_what_was_not_used_for_long_and_keeps_what_is() {
        let memory = Elsewhere::default();
        let (here, there) = (origin("192.0.2.1"), origin("198.51.100.7"));
        memory.origins(proof(0), here);
        let many = u32::try_from(HALF_MAX).unwrap();
        for n in 1..many * 3 {
            memory.origins(proof(n), here);
            if n % 1000 == 0 {
                memory.origins(proof(0), here);
            }
        }
        let halves = memory.halves();
        assert!(halves.newer.len() + halves.older.len() <= 2 * HALF_MAX);
        drop(halves);
        assert_eq!(memory.origins(proof(0), there), Some(vec![here]));
        assert_eq!(memory.origins(proof(1), there), None, "long forgotten");
    }
}
