//! The log against the disk, and against itself after a crash.

use super::head::{HEADS, SIGNING_KEY};
use super::segment::{self, PREFIX_BYTES};
use super::*;
use crate::crc::crc32;
use crate::disk::failing::FailingDisk;
use crate::testing::{Counted, StepClock, entry, session};
use brattice_core::audit::Position;
use brattice_core::ports::AuditLog;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

pub(super) fn open(dir: &TempDir) -> Result<(Log, Recovered), OpenError> {
    open_sized(dir, 64 << 20)
}

/// Opens, once nobody else has it: another test of this process that is about to start a child holds all open files,
/// locks with them, for as long as the start takes.
pub(super) fn open_sized(
    dir: &TempDir,
    segment_bytes_max: u64,
) -> Result<(Log, Recovered), OpenError> {
    for _ in 0..100_000 {
        match open_at_once(dir, segment_bytes_max) {
            Err(OpenError::Locked(_)) => std::thread::yield_now(),
            other => return other,
        }
    }
    open_at_once(dir, segment_bytes_max)
}

fn open_at_once(dir: &TempDir, segment_bytes_max: u64) -> Result<(Log, Recovered), OpenError> {
    let settings = Settings {
        segment_bytes_max,
        ..Settings::new(dir.path().join("audit"), "node-1")
    };
    Log::open(settings, &Counted::default(), Arc::new(StepClock::new()))
}

fn open_failing(dir: &TempDir, disk: &FailingDisk) -> Log {
    let settings = Settings::new(dir.path().join("audit"), "node-1");
    let clock = Arc::new(StepClock::new());
    let opened = Log::open_on(Box::new(disk.clone()), settings, &Counted::default(), clock);
    opened.unwrap().0
}

/// A closed log of so many entries, and its key.
pub(super) async fn written(dir: &TempDir, entries: u64) -> PublicKey {
    let (log, _) = open(dir).unwrap();
    for n in 0..entries {
        log.append(&entry(n, Some(session(n % 3)))).unwrap();
    }
    log.close().await.unwrap();
    log.public_key()
}

pub(super) fn check(dir: &TempDir, key: &PublicKey) -> Report {
    verify(&dir.path().join("audit"), key, &[]).unwrap()
}

pub(super) fn only_segment(dir: &TempDir) -> PathBuf {
    let segments = segments_in(&dir.path().join("audit")).unwrap();
    assert_eq!(segments.len(), 1);
    segments[0].1.clone()
}

/// A segment taken apart: its header, and each entry's frame.
pub(super) fn frames(path: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let bytes = std::fs::read(path).unwrap();
    let (mut reader, _) = segment::SegmentReader::open(path).ok().unwrap();
    let mut cuts = vec![usize::try_from(reader.offset()).unwrap()];
    while let segment::Next::Entry { .. } = reader.next().unwrap() {
        cuts.push(usize::try_from(reader.offset()).unwrap());
    }
    let entries = cuts.windows(2).map(|w| bytes[w[0]..w[1]].to_vec());
    (bytes[..cuts[0]].to_vec(), entries.collect())
}

pub(super) fn put(path: &Path, header: &[u8], entries: &[Vec<u8>]) {
    std::fs::write(path, [header, &entries.concat()].concat()).unwrap();
}

pub(super) fn mend_checksum(frame: &mut [u8]) {
    let sum = crc32(&frame[PREFIX_BYTES..]).to_be_bytes();
    frame[4..PREFIX_BYTES].copy_from_slice(&sum);
}

/// Changes one byte of an entry's text.
pub(super) fn edit(frame: &mut [u8]) {
    let place = frame.windows(6).position(|w| w == b"orders").unwrap();
    frame[place] = b'O';
}

#[tokio::test]
async fn a_finished_segment_is_vouched_for_by_a_head() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open_sized(&dir, 2048).unwrap();
    let mut last = Position(0);
    while segments_in(&dir.path().join("audit")).unwrap().len() < 2 {
        last = log.append(&entry(last.0, None)).unwrap();
    }
    log.durable(last).await.unwrap();
    let (second, _) = segments_in(&dir.path().join("audit")).unwrap()[1];
    // The head is signed behind the sync that `durable` waits for, by whoever did that sync.
    let signed = async {
        while log.newest_head().is_none_or(|head| head.entries != second) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), signed)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_entry_torn_at_any_byte_is_cut_and_the_chain_goes_on() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    for n in 0..3 {
        log.append(&entry(n, None)).unwrap();
    }
    drop(log);
    let path = only_segment(&dir);
    let whole = std::fs::read(&path).unwrap();
    let (_, entries) = frames(&path);
    let last = entries[2].len();
    for left in 1..last {
        std::fs::write(&path, &whole[..whole.len() - last + left]).unwrap();
        let (log, recovered) = open(&dir).unwrap();
        assert_eq!((recovered.entries, recovered.cut_bytes), (2, left as u64));
        assert_eq!(log.append(&entry(9, None)).unwrap(), Position(2));
        let key = log.public_key();
        drop(log);
        let report = check(&dir, &key);
        assert_eq!((report.problem, report.entries), (None, 3));
        // Heads that were signed meanwhile are taken back with the files.
        std::fs::remove_file(dir.path().join("audit").join(HEADS)).unwrap();
    }
}

#[tokio::test]
async fn zeros_that_a_dead_machine_left_behind_the_end_are_cut() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    for n in 0..3 {
        log.append(&entry(n, None)).unwrap();
    }
    drop(log);
    let path = only_segment(&dir);
    let mut bytes = std::fs::read(&path).unwrap();
    let (_, entries) = frames(&path);
    let half = bytes.len() - entries[2].len() / 2;
    bytes[half..].fill(0);
    bytes.extend_from_slice(&[0; 4096]);
    std::fs::write(&path, &bytes).unwrap();
    let (_, recovered) = open(&dir).unwrap();
    assert_eq!(recovered.entries, 2);
}

#[tokio::test]
async fn damage_that_is_no_torn_end_refuses_to_start() {
    type Damage = fn(&mut [Vec<u8>]);
    let cases: [(&str, Damage); 4] = [
        ("an edit in the middle", |e| edit(&mut e[5])),
        ("an edit of the last entry", |e| edit(&mut e[19])),
        ("an edited last entry with its checksum mended", |e| {
            edit(&mut e[19]);
            mend_checksum(&mut e[19]);
        }),
        ("a length that runs to the end", |e| e[5][1] = 0x0F),
    ];
    for (what, damage) in cases {
        let dir = TempDir::new().unwrap();
        let (log, _) = open(&dir).unwrap();
        for n in 0..20 {
            log.append(&entry(n, None)).unwrap();
        }
        drop(log);
        let path = only_segment(&dir);
        let (header, mut entries) = frames(&path);
        damage(&mut entries);
        put(&path, &header, &entries);
        let before = std::fs::read(&path).unwrap();
        assert!(
            matches!(open(&dir), Err(OpenError::Damaged { .. })),
            "{what}"
        );
        assert_eq!(
            std::fs::read(&path).unwrap(),
            before,
            "{what}: left as it was"
        );
    }
}

#[tokio::test]
async fn a_segment_that_was_never_begun_is_forgotten() {
    let dir = TempDir::new().unwrap();
    written(&dir, 5).await;
    let stub = dir.path().join("audit").join(segment::file_name(5));
    for bytes in [&b""[..], b"BRATAU", b"BRATAUD\x01\0\0\0\x50\0\0"] {
        std::fs::write(&stub, bytes).unwrap();
        let (log, recovered) = open(&dir).unwrap();
        assert_eq!(recovered.entries, 5);
        assert!(!stub.exists());
        drop(log);
    }
}

#[tokio::test]
async fn a_second_process_another_node_or_a_lost_key_is_refused() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    log.append(&entry(0, None)).unwrap();
    assert!(matches!(
        open_at_once(&dir, 1 << 20),
        Err(OpenError::Locked(_))
    ));
    drop(log);
    let settings = Settings::new(dir.path().join("audit"), "node-2");
    let other = Log::open(settings, &Counted::default(), Arc::new(StepClock::new()));
    assert!(matches!(other, Err(OpenError::OtherNode { .. })));
    std::fs::remove_file(dir.path().join("audit").join(SIGNING_KEY)).unwrap();
    assert!(matches!(open(&dir), Err(OpenError::Io { .. })));
}

#[tokio::test]
async fn the_private_key_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = TempDir::new().unwrap();
    written(&dir, 1).await;
    let mode = |name: &str| {
        let meta = std::fs::metadata(dir.path().join("audit").join(name)).unwrap();
        meta.permissions().mode() & 0o777
    };
    assert_eq!(mode(SIGNING_KEY), 0o600);
    assert_eq!(mode(HEADS), 0o600);
    assert_eq!(mode("."), 0o700);
}

#[tokio::test]
async fn a_torn_line_of_heads_is_cut_and_a_false_one_refused() {
    let dir = TempDir::new().unwrap();
    let key = written(&dir, 5).await;
    let path = dir.path().join("audit").join(HEADS);
    let whole = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("{whole}{{\"node\":\"no")).unwrap();
    assert_eq!(check(&dir, &key).problem, None);
    drop(open(&dir).unwrap());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), whole);
    std::fs::write(&path, whole.replace("\"entries\":5", "\"entries\":4")).unwrap();
    assert!(matches!(open(&dir), Err(OpenError::Heads(_))));
    assert!(check(&dir, &key).problem.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn those_who_wait_together_share_a_sync() {
    let dir = TempDir::new().unwrap();
    let disk = FailingDisk::default();
    let log = open_failing(&dir, &disk);
    let before = disk.syncs();
    let tasks: Vec<_> = (0..400)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move {
                let at = log.append(&entry(n, None)).unwrap();
                log.durable(at).await.unwrap();
                at.0
            })
        })
        .collect();
    let mut positions = Vec::new();
    for task in tasks {
        positions.push(task.await.unwrap());
    }
    positions.sort_unstable();
    assert_eq!(positions, (0..400).collect::<Vec<_>>());
    assert!(
        disk.syncs() - before < 200,
        "{} syncs",
        disk.syncs() - before
    );
}

#[tokio::test]
async fn waiting_for_what_was_never_appended_is_refused() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    assert!(log.durable(Position(0)).await.is_err());
}

#[tokio::test]
async fn a_waiter_that_gives_up_holds_nobody_else_up() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    let at = log.append(&entry(0, None)).unwrap();
    {
        let mut waiting = log.durable(at);
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx)));
        let _pending = polled.await;
    }
    let at = log.append(&entry(1, None)).unwrap();
    log.durable(at).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_ends_the_log_and_a_restart_with_room_goes_on() {
    let dir = TempDir::new().unwrap();
    let disk = FailingDisk::default();
    let log = open_failing(&dir, &disk);
    let first = log.append(&entry(0, None)).unwrap();
    disk.leave_room_for(100);
    let refused = log.append(&entry(1, None)).unwrap_err();
    assert!(refused.to_string().contains("append to the audit log"));
    disk.free();
    assert!(
        log.append(&entry(1, None)).is_err(),
        "room alone mends nothing"
    );
    assert!(log.durable(first).await.is_err());
    assert!(log.sign_head().await.is_err());
    assert!(log.failure().is_some());
    drop(log);
    let (log, recovered) = open(&dir).unwrap();
    assert_eq!((recovered.entries, recovered.cut_bytes), (1, 100));
    assert_eq!(log.append(&entry(1, None)).unwrap(), Position(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_fails_all_who_wait_and_all_who_come() {
    let dir = TempDir::new().unwrap();
    let disk = FailingDisk::default();
    let log = open_failing(&dir, &disk);
    disk.fail_syncs();
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move {
                match log.append(&entry(n, None)) {
                    Ok(at) => log.durable(at).await.is_err(),
                    Err(_) => true,
                }
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap());
    }
    assert!(log.append(&entry(99, None)).is_err());
}

#[tokio::test]
async fn a_closed_log_takes_nothing_and_vouches_for_everything() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    let at = log.append(&entry(0, None)).unwrap();
    log.close().await.unwrap();
    assert!(log.append(&entry(1, None)).is_err());
    assert!(log.durable(at).await.is_ok());
    assert_eq!(log.newest_head().unwrap().entries, 1);
    assert!(log.sign_head().await.unwrap().is_none());
}

#[tokio::test]
async fn an_entry_beyond_the_bound_is_refused_and_harms_nothing() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    let mut huge = entry(0, None);
    if let brattice_core::audit::Event::Intent { text, .. } = &mut huge.event {
        *text = "x".repeat(segment::ENTRY_BYTES_MAX);
    }
    assert!(log.append(&huge).is_err());
    assert_eq!(log.append(&entry(0, None)).unwrap(), Position(0));
}

#[tokio::test]
async fn reading_filters_by_session_and_follows_what_is_added() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open_sized(&dir, 2048).unwrap();
    for n in 0..30 {
        log.append(&entry(n, Some(session(n % 3)))).unwrap();
    }
    let audit = dir.path().join("audit");
    let filter = Filter {
        from: 10,
        session: Some(session(1)),
    };
    let mut entries = Entries::open(&audit, filter.clone());
    let positions =
        |entries: &mut Entries| -> Vec<u64> { entries.map(|e| e.unwrap().position.0).collect() };
    assert_eq!(positions(&mut entries), vec![10, 13, 16, 19, 22, 25, 28]);
    for n in 30..40 {
        log.append(&entry(n, Some(session(n % 3)))).unwrap();
    }
    assert_eq!(positions(&mut entries), vec![31, 34, 37]);

    let mut out = Vec::new();
    assert_eq!(export(&audit, filter, &mut out).unwrap(), 10);
    let lines: Vec<Stored> = String::from_utf8(out)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0].position, Position(10));
    assert_eq!(lines[0].entry.session, Some(session(1)));
}

#[tokio::test]
async fn what_was_written_cannot_forge_a_line_of_the_export() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    let mut hostile = entry(0, None);
    if let brattice_core::audit::Event::Intent { text, .. } = &mut hostile.event {
        *text = "x\"}\r\n{\"kind\":\"boot\"}\u{1b}[2J".to_owned();
    }
    log.append(&hostile).unwrap();
    let mut out = Vec::new();
    export(&dir.path().join("audit"), Filter::default(), &mut out).unwrap();
    assert_eq!(out.iter().filter(|b| **b == b'\n').count(), 1);
    assert!(out.iter().all(|b| *b == b'\n' || *b >= b' '));
}

#[tokio::test]
async fn a_head_is_signed_only_when_there_is_something_new() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    assert!(log.sign_head().await.unwrap().is_none());
    log.append(&entry(0, None)).unwrap();
    let head = log.sign_head().await.unwrap().unwrap();
    assert!(head.is_signed_by(&log.public_key()));
    assert_eq!(head.entries, 1);
    let forged = Head { entries: 2, ..head };
    assert!(!forged.is_signed_by(&log.public_key()));
    assert!(log.sign_head().await.unwrap().is_none());
    let waited = tokio::time::timeout(Duration::from_secs(30), log.durable(Position(0))).await;
    assert!(waited.unwrap().is_ok());
}

#[tokio::test]
async fn a_log_fetched_file_by_file_verifies_elsewhere_and_no_other_file_is_given() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open_sized(&dir, 2048).unwrap();
    for n in 0..30 {
        log.append(&entry(n, None)).unwrap();
    }
    log.close().await.unwrap();
    let audit = dir.path().join("audit");
    let copy = TempDir::new().unwrap();
    for file in files(&audit).unwrap() {
        let mut whole = Vec::new();
        while (whole.len() as u64) < file.bytes {
            let part = read_file(&audit, &file.name, whole.len() as u64, 700);
            whole.extend(part.unwrap().unwrap());
        }
        std::fs::write(copy.path().join(file.name), whole).unwrap();
    }
    let pem = std::fs::read_to_string(copy.path().join("signing.pub")).unwrap();
    let report = verify(copy.path(), &PublicKey::from_pem(&pem).unwrap(), &[]).unwrap();
    assert_eq!((report.problem, report.entries), (None, 30));
    for name in [
        SIGNING_KEY,
        "lock",
        "../audit/heads",
        "x/00000000000000000000.seg",
        "/etc/passwd",
        "",
    ] {
        assert_eq!(read_file(&audit, name, 0, 10).unwrap(), None, "{name}");
    }
}

/// Whatever is done to the file, what the signed head vouched for is found changed, and nothing else happens.
#[tokio::test]
async fn fuzz_audit_verify() {
    let dir = TempDir::new().unwrap();
    let key = written(&dir, 8).await;
    let path = only_segment(&dir);
    let honest = std::fs::read(&path).unwrap();
    let signed = check(&dir, &key).signed_below;
    assert_eq!(signed, 8);
    brattice_fuzz::Fuzz::new("audit-verify", env!("CARGO_MANIFEST_DIR"))
        .seed(&honest)
        .words(&["orders", "\u{0}\u{0}\u{0}\u{1}"])
        .smoke(300)
        .run(|input, _| {
            std::fs::write(&path, input).unwrap();
            let report = verify(&dir.path().join("audit"), &key, &[]).map_err(|e| e.to_string())?;
            let unnoticed = report.problem.is_none() && report.entries >= signed;
            if unnoticed && !input.starts_with(&honest) {
                return Err(format!("a change passes: {report:?}"));
            }
            if report.problem.is_none() && report.entries < signed {
                return Err(format!("a loss passes: {report:?}"));
            }
            let mut rest = Vec::new();
            let exported = export(&dir.path().join("audit"), Filter::default(), &mut rest);
            Ok(brattice_fuzz::digest((
                report.entries,
                report.problem.is_some(),
                exported.is_ok(),
            )))
        });
}
