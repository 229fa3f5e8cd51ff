//! SIGKILL at many instants: nothing that was acknowledged is missing, and the chain goes on.
//!
//! The test runs itself again as a process of its own, which appends under load and acknowledges each entry on its
//! standard output after `append` has returned; it is killed once so many acknowledgements have been read.

use super::*;
use crate::testing::{Counted, StepClock, entry, session};
use brattice_core::ports::AuditLog;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

const DIR: &str = "BRATTICE_TEST_KILL_DIR";

fn open(dir: &Path) -> (Log, Recovered) {
    let settings = Settings {
        segment_bytes_max: 64 * 1024,
        ..Settings::new(dir, "node-1")
    };
    Log::open(settings, &Counted::default(), Arc::new(StepClock::new())).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the test below"]
async fn appends_until_killed() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let (log, _) = open(Path::new(&dir));
    let tasks: Vec<_> = (0..4)
        .map(|task| {
            let log = log.clone();
            tokio::spawn(async move {
                for n in 0.. {
                    let number = task * 1_000_000_000 + n;
                    let at = log.append(&entry(number, Some(session(task)))).unwrap();
                    let ack = format!("\nack {} {number}\n", at.0);
                    std::io::stdout().write_all(ack.as_bytes()).unwrap();
                    if n % 64 == 0 {
                        log.durable(at).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn nothing_acknowledged_is_missing_after_sigkill() {
    let dir = TempDir::new().unwrap();
    let audit = dir.path().join("audit");
    let mut acknowledged = BTreeMap::new();
    for instant in [1, 10, 97, 500, 1_000, 1_777, 3_000] {
        acknowledged.extend(run_and_kill(&audit, instant));
        let (log, recovered) = open(&audit);
        let newest = acknowledged.keys().last().copied().unwrap_or(0);
        assert!(
            recovered.entries > newest,
            "{recovered:?}, acknowledged {newest}"
        );
        let key = log.public_key();
        drop(log);
        let report = verify(&audit, &key, &[]).unwrap();
        assert_eq!(report.problem, None);
        assert_eq!(report.entries, recovered.entries);
    }
    let mut seen = 0;
    for stored in Entries::open(&audit, Filter::default()) {
        let stored = stored.unwrap();
        if let Some(number) = acknowledged.get(&stored.position.0) {
            assert_eq!(stored.entry.sequence, Some(*number));
            seen += 1;
        }
    }
    assert_eq!(seen, acknowledged.len());
}

/// Lets a child append until so many acknowledgements were read, kills it, and tells all that it acknowledged.
fn run_and_kill(audit: &Path, after: usize) -> BTreeMap<u64, u64> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("audit::tests_kill::appends_until_killed")
        .env(DIR, audit)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = BTreeMap::new();
    for line in BufReader::new(child.stdout.take().unwrap()).split(b'\n') {
        let line = String::from_utf8(line.unwrap()).unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        if let ["ack", position, number] = words.as_slice()
            && let (Ok(position), Ok(number)) = (position.parse(), number.parse())
        {
            acknowledged.insert(position, number);
            if acknowledged.len() == after {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(acknowledged.len() >= after);
    acknowledged
}
