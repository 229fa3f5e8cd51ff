//! A burst of statements, and whether the audit log has an intent for each: nothing lost, nothing twice, however fast.
//!
//! The log's files are read here by their published form (docs), without the gateway's code: who measures does not ask
//! the measured.

use super::error::{BenchError, During};
use super::ledger::{Ledger, Unit};
use super::load::{Length, Load, note};
use super::way::Way;
use super::world::World;
use super::{Plan, say};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

const STATEMENTS: u32 = 300_000;
const CLIENTS: u32 = 8;
/// What only these statements say.
const MARK: &str = "brattice_burst";
const NAME: &str = "burst of 300,000 statements";

pub(super) fn measure(world: &World, _: &Plan, ledger: &mut Ledger) -> Result<(), BenchError> {
    say(NAME);
    let script = world.dir().join("burst.sql");
    fs::write(&script, include_str!("../../../../benches/burst.sql")).during("writing a script")?;
    let load = Load {
        what: &[&format!("--file={}", script.display())],
        protocol: "simple",
        clients: CLIENTS,
        length: Length::Transactions(STATEMENTS / CLIENTS),
    };
    for route in world
        .routes()?
        .into_iter()
        .filter(|r| r.way == Way::Gateway)
    {
        let ran = load.run(world, &route)?;
        note(&ran, NAME, &route, ledger);
        let audit = world.gateway.data_dir().join("audit");
        let intents = intents_in(&audit)?;
        let name = "intents in the log after it";
        ledger.note(name, Unit::Count, route.way, intents as f64);
        if ran.transactions != u64::from(STATEMENTS) || intents != u64::from(STATEMENTS) {
            return Err(BenchError::Wrong(format!(
                "{} statements were answered, and the audit log has {intents} intents for them",
                ran.transactions
            )));
        }
    }
    Ok(())
}

/// Intents for statements of the burst in all segments of a log.
fn intents_in(dir: &Path) -> Result<u64, BenchError> {
    let mut count = 0;
    for entry in fs::read_dir(dir).during("reading the audit log")? {
        let path = entry.during("reading the audit log")?.path();
        if path.extension().is_some_and(|e| e == "seg") {
            let file = File::open(&path).during("reading the audit log")?;
            count += intents_of(BufReader::new(file))?;
        }
    }
    Ok(count)
}

/// A segment is eight bytes of magic and a header, then entries: four bytes of length, four of checksum, JSON; behind
/// each entry stand the 32 bytes that chain it.
fn intents_of(mut segment: impl Read) -> Result<u64, BenchError> {
    let mut magic = [0; 8];
    segment
        .read_exact(&mut magic)
        .during("reading the audit log")?;
    piece(&mut segment, 0)?;
    let mut count = 0;
    while let Some(payload) = piece(&mut segment, 32)? {
        let entry: Value = serde_json::from_slice(&payload)
            .map_err(|e| BenchError::Wrong(format!("the audit log holds no JSON: {e}")))?;
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        count += u64::from(text("kind") == "intent" && text("text").contains(MARK));
    }
    Ok(count)
}

/// What follows a length and a checksum, and skips so much behind it; nothing at the end.
fn piece(segment: &mut impl Read, behind: usize) -> Result<Option<Vec<u8>>, BenchError> {
    let mut prefix = [0; 8];
    match segment.read_exact(&mut prefix) {
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other.during("reading the audit log")?,
    }
    let [a, b, c, d, ..] = prefix;
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    let mut payload = vec![0; length.saturating_add(behind)];
    segment
        .read_exact(&mut payload)
        .during("reading the audit log")?;
    payload.truncate(length);
    Ok(Some(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(json: &str) -> Vec<u8> {
        let mut bytes = u32::try_from(json.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend([0; 4]);
        bytes.extend(json.as_bytes());
        bytes.extend([0; 32]);
        bytes
    }

    #[test]
    fn counts_only_intents_of_the_burst() {
        let mut segment = b"BRATAUD\x01".to_vec();
        segment.extend([0, 0, 0, 2, 0, 0, 0, 0]);
        segment.extend(b"{}");
        for json in [
            r#"{"kind":"boot"}"#,
            r#"{"kind":"intent","text":"SELECT 7 AS brattice_burst"}"#,
            r#"{"kind":"refused","text":"SELECT 7 AS brattice_burst"}"#,
            r#"{"kind":"intent","text":"SELECT 1"}"#,
        ] {
            segment.extend(entry(json));
        }
        assert_eq!(intents_of(&segment[..]).unwrap(), 1);
        assert!(intents_of(&segment[..segment.len() - 1]).is_err());
    }
}
