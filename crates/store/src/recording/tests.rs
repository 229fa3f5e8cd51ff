//! Recordings written, read, cut, changed, and left behind by a process that was killed.

mod follow;

use super::format::{PART_PREFIX_BYTES, split_part_prefix};
use super::*;
use crate::crc::crc32;
use crate::disk::LocalDisk;
use crate::disk::failing::FailingDisk;
use crate::testing::{Counted, START, header, session};
use brattice_core::ids::SessionId;
use brattice_core::ports::{Recorder, Recordings};
use brattice_core::record::{Frame, FrameKind};
use brattice_core::secret::Secret;
use brattice_core::time::Timestamp;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const CHILD: &str = "BRATTICE_TEST_RECORDING_DIR";

fn master(byte: u8) -> Secret {
    Secret::new(vec![byte; 32])
}

fn shelf(dir: &Path) -> Shelf {
    Shelf::open(
        dir,
        MasterKeys::new(&master(1)).unwrap(),
        Arc::new(Counted::default()),
    )
    .unwrap()
}

fn frame(n: u64, bytes: &[u8]) -> Frame<'_> {
    Frame {
        at: START.plus(Duration::from_millis(n)),
        kind: if n.is_multiple_of(2) {
            FrameKind::Command
        } else {
            FrameKind::Output
        },
        command: n / 2,
        bytes,
    }
}

fn text(n: u64) -> Vec<u8> {
    format!("row {n}: ")
        .repeat(1 + usize::try_from(n % 50).unwrap())
        .into_bytes()
}

/// Writes frames; flushes after every tenth.
fn write(recorder: &mut dyn Recorder, frames: u64) {
    for n in 0..frames {
        recorder.frame(frame(n, &text(n))).unwrap();
        if n % 10 == 9 {
            recorder.flush().unwrap();
        }
    }
}

fn path_of(shelf: &Shelf, of: &SessionId) -> PathBuf {
    let found = shelf.find(of).unwrap();
    assert_eq!(found.len(), 1);
    found[0].clone()
}

fn read(shelf: &Shelf, path: &Path) -> Result<(Vec<ReadFrame>, End), ReadError> {
    let mut reader = shelf.read(path)?;
    let frames = reader.by_ref().collect::<Result<_, _>>()?;
    let end = reader.end().unwrap().clone();
    Ok((frames, end))
}

/// Where each part begins, and the file's length.
fn parts(bytes: &[u8]) -> Vec<usize> {
    let size = u32::from_be_bytes(*bytes[8..].first_chunk().unwrap()) as usize;
    let mut at = vec![16 + size];
    while let Some(prefix) = bytes[*at.last().unwrap()..].first_chunk::<PART_PREFIX_BYTES>() {
        at.push(at.last().unwrap() + PART_PREFIX_BYTES + split_part_prefix(*prefix).1);
    }
    at
}

#[test]
fn a_sealed_recording_reads_back_frame_by_frame() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    write(recorder.as_mut(), 100);
    let digest = recorder.seal().unwrap();
    let path = path_of(&shelf, &session(1));
    assert!(
        path.ends_with(format!("2026/11/22/{}.brec", session(1))),
        "{path:?}"
    );
    let (frames, end) = read(&shelf, &path).unwrap();
    assert_eq!(frames.len(), 100);
    for (n, got) in (0..).zip(&frames) {
        let bytes = text(n);
        let put = frame(n, &bytes);
        assert_eq!(
            (got.at, got.kind, got.command),
            (put.at, put.kind, put.command)
        );
        assert_eq!(got.bytes, put.bytes);
        assert!(got.whole);
    }
    let End::Sealed(footer) = end else {
        panic!("{end:?}")
    };
    assert_eq!((footer.frames, footer.blocks), (100, 10));
    assert_eq!(digest_of(&path).unwrap(), digest);
    assert!(shelf.recover().unwrap().is_empty());
    assert_eq!(shelf.days().unwrap(), ["2026/11/22"]);
    assert_eq!(shelf.list("2026/11/22").unwrap(), [(session(1), path)]);
}

#[test]
fn an_empty_recording_has_an_end_too() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    shelf.open(&header(session(1))).unwrap().seal().unwrap();
    let (frames, end) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
    assert!(frames.is_empty());
    assert!(matches!(end, End::Sealed(f) if f.last_at == START));
}

#[test]
fn frames_larger_than_a_block_run_over_several() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    let sizes = [
        0,
        1,
        BLOCK_BYTES_MAX - 40,
        BLOCK_BYTES_MAX - 1,
        BLOCK_BYTES_MAX,
        BLOCK_BYTES_MAX + 1,
        5 * BLOCK_BYTES_MAX + 17,
        3,
    ];
    // Bytes that do not compress: the block's bound must hold for them.
    let noise: Vec<u8> = (0_u64..12_000)
        .flat_map(|n| brattice_core::ids::Digest::of(&n.to_be_bytes()).0)
        .collect();
    for (n, size) in (0..).zip(sizes) {
        recorder.frame(frame(n, &noise[..size])).unwrap();
    }
    recorder.seal().unwrap();
    let (frames, _) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
    let got: Vec<&[u8]> = frames.iter().map(|f| f.bytes.as_slice()).collect();
    let put: Vec<&[u8]> = sizes.iter().map(|size| &noise[..*size]).collect();
    assert!(got == put);
}

#[test]
fn a_clock_that_steps_back_is_kept_as_it_was() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    let times = [START.0 + 5, START.0 - 1_000_000, START.0, 0, i64::MAX];
    for at in times {
        let at = Timestamp(at);
        recorder
            .frame(Frame {
                at,
                ..frame(0, b"x")
            })
            .unwrap();
    }
    recorder.seal().unwrap();
    let (frames, _) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
    assert_eq!(frames.iter().map(|f| f.at.0).collect::<Vec<_>>(), times);
}

#[test]
fn nothing_of_the_stream_is_readable_on_the_disk() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    recorder.frame(frame(0, b"canary-4f1c")).unwrap();
    recorder.seal().unwrap();
    let bytes = std::fs::read(path_of(&shelf, &session(1))).unwrap();
    assert!(!bytes.windows(11).any(|w| w == b"canary-4f1c"));
}

#[test]
fn an_existing_recording_is_never_overwritten() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let open = shelf.open(&header(session(1))).unwrap();
    assert!(shelf.open(&header(session(1))).is_err(), "while it is open");
    open.seal().unwrap();
    let path = path_of(&shelf, &session(1));
    let before = std::fs::read(&path).unwrap();
    assert!(
        shelf.open(&header(session(1))).is_err(),
        "once it is sealed"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(shelf.recover().unwrap().is_empty());
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn only_the_master_keys_at_hand_open_it() {
    let dir = TempDir::new().unwrap();
    let old = shelf(dir.path());
    let mut recorder = old.open(&header(session(1))).unwrap();
    recorder.frame(frame(0, b"x")).unwrap();
    recorder.seal().unwrap();
    let path = path_of(&old, &session(1));
    let other = MasterKeys::new(&master(2)).unwrap();
    assert!(matches!(
        Reader::open(&path, &other),
        Err(ReadError::Key(_))
    ));
    let rotated = other.with_older(&master(1)).unwrap();
    assert_eq!(Reader::open(&path, &rotated).unwrap().count(), 1);
    assert!(MasterKeys::new(&Secret::new(vec![1; 31])).is_err());
}

#[test]
fn a_recording_cut_at_any_byte_yields_what_is_whole_and_gets_its_end() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    write(recorder.as_mut(), 30);
    drop(recorder);
    let path = path_of(&shelf, &session(1));
    let marker = dir.path().join("open").join(session(1).as_str());
    let place = std::fs::read(&marker).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let cuts = parts(&whole);
    assert_eq!(cuts.len(), 4);
    for left in cuts[0]..whole.len() {
        std::fs::write(&path, &whole[..left]).unwrap();
        std::fs::write(&marker, &place).unwrap();
        let blocks = cuts.iter().filter(|cut| **cut <= left).count() - 1;
        let (frames, end) = read(&shelf, &path).unwrap();
        assert_eq!((frames.len(), end), (blocks * 10, End::Unfinished));
        let recovered = shelf.recover().unwrap();
        assert_eq!(recovered.len(), 1);
        assert_eq!(recovered[0].session, session(1));
        let (frames, end) = read(&shelf, &path).unwrap();
        assert_eq!(frames.len(), blocks * 10);
        let End::Interrupted(footer) = end else {
            panic!("{end:?}")
        };
        assert_eq!(&footer, recovered[0].end.as_ref().unwrap());
        assert!(digest_of(&path).is_ok());
        assert!(shelf.recover().unwrap().is_empty());
    }
}

#[test]
fn the_beginning_of_a_frame_that_was_cut_is_shown_as_such() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    recorder
        .frame(frame(0, &vec![b'a'; 3 * BLOCK_BYTES_MAX]))
        .unwrap();
    recorder.flush().unwrap();
    let path = path_of(&shelf, &session(1));
    let bytes = std::fs::read(&path).unwrap();
    let cut = parts(&bytes)[2];
    std::fs::write(&path, &bytes[..cut]).unwrap();
    let (frames, end) = read(&shelf, &path).unwrap();
    assert_eq!(frames.len(), 1);
    assert!(!frames[0].whole);
    assert!(frames[0].bytes.len() > BLOCK_BYTES_MAX);
    assert_eq!(end, End::Unfinished);
}

#[test]
fn any_change_to_a_sealed_recording_is_found() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    write(recorder.as_mut(), 30);
    let digest = recorder.seal().unwrap();
    let path = path_of(&shelf, &session(1));
    let whole = std::fs::read(&path).unwrap();
    let cuts = parts(&whole);
    let whole_again = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let read = read(&shelf, &path);
        let is_whole = matches!(read, Ok((_, End::Sealed(_))));
        (is_whole, digest_of(&path).is_ok_and(|d| d == digest))
    };
    assert_eq!(whole_again(&whole), (true, true));
    for at in (0..whole.len()).step_by(7) {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert_eq!(whole_again(&changed), (false, false), "byte {at}");
    }
    // With checksums mended, the encryption's own tag has to find it.
    for part in 0..cuts.len() - 1 {
        let mut changed = whole.clone();
        let body = cuts[part] + PART_PREFIX_BYTES;
        changed[body] ^= 1;
        let sum = crc32(&changed[body..cuts[part + 1]]).to_be_bytes();
        changed[cuts[part] + 5..body].copy_from_slice(&sum);
        assert_eq!(whole_again(&changed), (false, false), "part {part}");
    }
    let without_second = [&whole[..cuts[1]], &whole[cuts[2]..]].concat();
    assert_eq!(whole_again(&without_second), (false, false));
    let swapped = [
        &whole[..cuts[0]],
        &whole[cuts[1]..cuts[2]],
        &whole[cuts[0]..cuts[1]],
        &whole[cuts[2]..],
    ]
    .concat();
    assert_eq!(whole_again(&swapped), (false, false));
    let longer = [&whole[..], b"x"].concat();
    assert_eq!(whole_again(&longer), (false, false));
    let shorter = &whole[..cuts[3]];
    assert_eq!(whole_again(shorter), (false, false));
}

#[test]
fn a_full_disk_fails_the_recorder_for_good() {
    let dir = TempDir::new().unwrap();
    let disk = FailingDisk::default();
    let shelf = Shelf::open_on(
        Box::new(disk.clone()),
        dir.path().to_owned(),
        MasterKeys::new(&master(1)).unwrap(),
        Arc::new(Counted::default()),
    )
    .unwrap();
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    write(recorder.as_mut(), 10);
    disk.leave_room_for(20);
    recorder.frame(frame(0, b"more")).unwrap();
    assert!(recorder.flush().is_err());
    disk.free();
    assert!(recorder.frame(frame(0, b"more")).is_err());
    assert!(recorder.flush().is_err());
    assert!(recorder.seal().is_err());
    disk.leave_room_for(0);
    assert!(shelf.open(&header(session(2))).is_err());
    disk.free();
    let recovered = shelf.recover().unwrap();
    let ends: Vec<bool> = recovered.iter().map(|r| r.end.is_ok()).collect();
    assert_eq!(ends.iter().filter(|ok| **ok).count(), 1);
    let (frames, end) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
    assert_eq!(frames.len(), 10);
    assert!(matches!(end, End::Interrupted(_)));
}

#[test]
fn the_kernel_saying_that_the_device_is_full_is_an_error() {
    use crate::disk::Disk;
    let full = LocalDisk.extend(Path::new("/dev/full")).unwrap();
    assert!(full.append(b"x").is_err());
    assert!(full.append_two(b"x", b"y").is_err());
}

#[test]
fn buffers_of_idle_sessions_are_given_back() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorders: Vec<_> = (0..20)
        .map(|n| shelf.open(&header(session(n))).unwrap())
        .collect();
    for recorder in &mut recorders {
        write(recorder.as_mut(), 10);
    }
    assert_eq!(shelf.spare(), (1, 1));
}

#[test]
#[ignore = "the child of the test below"]
fn records_until_killed() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let shelf = shelf(Path::new(&dir));
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    for n in 0.. {
        recorder.frame(frame(n, &text(n))).unwrap();
        if n % 5 == 4 {
            recorder.flush().unwrap();
            let ack = format!("\nack {}\n", n + 1);
            std::io::stdout().write_all(ack.as_bytes()).unwrap();
        }
    }
}

#[test]
fn what_was_flushed_before_sigkill_is_read_back() {
    for after in [1, 20, 333] {
        let dir = TempDir::new().unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("recording::tests::records_until_killed")
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut flushed = 0;
        let mut acks = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if let Some(n) = line
                .unwrap()
                .strip_prefix("ack ")
                .and_then(|n| n.parse().ok())
            {
                flushed = n;
                acks += 1;
                if acks == after {
                    child.kill().unwrap();
                }
            }
        }
        child.wait().unwrap();
        assert!(acks >= after);
        let shelf = shelf(dir.path());
        let recovered = shelf.recover().unwrap();
        let footer = recovered[0].end.as_ref().unwrap();
        assert!(footer.interrupted && footer.frames >= flushed);
        let (frames, _) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
        assert_eq!(frames.len() as u64, footer.frames);
        for (n, got) in (0..).zip(&frames) {
            assert_eq!(got.bytes, text(n));
        }
    }
}

/// Of a recording that was changed, no frame is read that was not written.
#[test]
fn fuzz_recording_read() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    write(recorder.as_mut(), 30);
    recorder.seal().unwrap();
    let path = path_of(&shelf, &session(1));
    let honest = std::fs::read(&path).unwrap();
    let frames: Vec<Vec<u8>> = (0..30).map(text).collect();
    brattice_fuzz::Fuzz::new("recording-read", env!("CARGO_MANIFEST_DIR"))
        .seed(&honest)
        .smoke(300)
        .run(|input, _| {
            std::fs::write(&path, input).unwrap();
            let Ok(mut reader) = shelf.read(&path) else {
                return Ok(0);
            };
            let mut read = 0;
            for frame in reader.by_ref() {
                let Ok(frame) = frame else { break };
                let written = frames.get(read).is_some_and(|w| {
                    w.starts_with(&frame.bytes) && (w.len() == frame.bytes.len() || !frame.whole)
                });
                if !written {
                    return Err(format!("frame {read} was never written"));
                }
                read += 1;
            }
            Ok(brattice_fuzz::digest((read, reader.end().is_some())))
        });
}
