//! The log against somebody who can write its files: what is found, and where.

use super::head::HEADS;
use super::segment::{self, PREFIX_BYTES};
use super::tests::{
    check, edit, frames, mend_checksum, only_segment, open, open_sized, put, written,
};
use super::*;
use crate::testing::{Counted, StepClock, entry};
use brattice_core::audit::Position;
use brattice_core::ids::Digest;
use brattice_core::ports::AuditLog;
use std::sync::Arc;
use tempfile::TempDir;

fn problem_at(dir: &TempDir, key: &PublicKey) -> Option<u64> {
    check(dir, key).problem.map(|p| p.position)
}

/// Links all entries anew, as somebody without the signing key can.
fn relink(entries: &mut [Vec<u8>], from: usize, mut before: Digest) {
    for (n, frame) in entries.iter_mut().enumerate().skip(from) {
        let mut fresh = segment::begin_entry();
        fresh.extend_from_slice(&frame[PREFIX_BYTES..frame.len() - segment::CHAIN_BYTES]);
        before = segment::seal_entry(&mut fresh, &before, n as u64).unwrap();
        *frame = fresh;
    }
}

#[tokio::test]
async fn an_untouched_log_verifies_with_the_public_key_alone() {
    let dir = TempDir::new().unwrap();
    let key = written(&dir, 20).await;
    let pem = std::fs::read_to_string(dir.path().join("audit/signing.pub")).unwrap();
    assert_eq!(PublicKey::from_pem(&pem), Ok(key));
    let report = check(&dir, &key);
    assert_eq!(report.problem, None);
    assert_eq!((report.entries, report.signed_below), (20, 20));
    assert_eq!(report.first, Some(Position(0)));
    assert_eq!(report.last, Some(Position(19)));
    assert_eq!(report.heads_checked, 2);
    assert_eq!(report.node.as_deref(), Some("node-1"));
}

#[tokio::test]
async fn an_edit_shows_at_its_position() {
    for mend in [false, true] {
        for position in [0_usize, 7, 19] {
            let dir = TempDir::new().unwrap();
            let key = written(&dir, 20).await;
            let (header, mut entries) = frames(&only_segment(&dir));
            edit(&mut entries[position]);
            if mend {
                mend_checksum(&mut entries[position]);
            }
            put(&only_segment(&dir), &header, &entries);
            assert_eq!(problem_at(&dir, &key), Some(position as u64));
        }
    }
}

#[tokio::test]
async fn a_deletion_shows_at_its_position() {
    for position in [0_usize, 7, 18] {
        let dir = TempDir::new().unwrap();
        let key = written(&dir, 20).await;
        let (header, mut entries) = frames(&only_segment(&dir));
        entries.remove(position);
        put(&only_segment(&dir), &header, &entries);
        assert_eq!(problem_at(&dir, &key), Some(position as u64));
    }
}

#[tokio::test]
async fn a_swap_shows_at_the_first_of_the_two() {
    let dir = TempDir::new().unwrap();
    let key = written(&dir, 20).await;
    let (header, mut entries) = frames(&only_segment(&dir));
    entries.swap(7, 11);
    put(&only_segment(&dir), &header, &entries);
    assert_eq!(problem_at(&dir, &key), Some(7));
}

#[tokio::test]
async fn an_insertion_shows_at_its_position() {
    for position in [0_usize, 7, 20] {
        let dir = TempDir::new().unwrap();
        let key = written(&dir, 20).await;
        let (header, mut entries) = frames(&only_segment(&dir));
        let copy = entries[3].clone();
        entries.insert(position, copy);
        put(&only_segment(&dir), &header, &entries);
        assert_eq!(problem_at(&dir, &key), Some(position as u64));
    }
}

#[tokio::test]
async fn truncation_below_the_newest_head_shows_where_the_log_ends() {
    for left in [0_usize, 7, 19] {
        let dir = TempDir::new().unwrap();
        let key = written(&dir, 20).await;
        let (header, mut entries) = frames(&only_segment(&dir));
        entries.truncate(left);
        put(&only_segment(&dir), &header, &entries);
        assert_eq!(problem_at(&dir, &key), Some(left as u64));
        assert!(matches!(
            open(&dir),
            Err(OpenError::Truncated { entries, signed: 20 }) if entries == left as u64
        ));
    }
}

#[tokio::test]
async fn a_chain_linked_anew_does_not_fit_its_signed_head() {
    let dir = TempDir::new().unwrap();
    let key = {
        let (log, _) = open(&dir).unwrap();
        for n in 0..20 {
            log.append(&entry(n, None)).unwrap();
            if n == 9 {
                log.sign_head().await.unwrap().unwrap();
            }
        }
        log.close().await.unwrap();
        log.public_key()
    };
    let (header, mut entries) = frames(&only_segment(&dir));
    edit(&mut entries[14]);
    let before = entries[13].last_chunk::<32>().copied().unwrap();
    relink(&mut entries, 14, Digest(before));
    put(&only_segment(&dir), &header, &entries);
    let report = check(&dir, &key);
    assert_eq!(report.problem.as_ref().unwrap().position, 10, "{report:?}");
    assert_eq!(report.signed_below, 10);
    assert!(matches!(open(&dir), Err(OpenError::Damaged { .. })));
}

#[tokio::test]
async fn a_head_that_was_kept_elsewhere_convicts_a_rolled_back_directory() {
    let dir = TempDir::new().unwrap();
    let (log, _) = open(&dir).unwrap();
    log.append(&entry(0, None)).unwrap();
    log.sign_head().await.unwrap();
    let old: Vec<(PathBuf, Vec<u8>)> = [only_segment(&dir), dir.path().join("audit").join(HEADS)]
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(&path).unwrap()))
        .collect();
    log.append(&entry(1, None)).unwrap();
    let kept = log.sign_head().await.unwrap().unwrap();
    let key = log.public_key();
    drop(log);
    for (path, bytes) in old {
        std::fs::write(path, bytes).unwrap();
    }
    assert_eq!(check(&dir, &key).problem, None);
    let report = verify(&dir.path().join("audit"), &key, &[kept]).unwrap();
    assert_eq!(report.problem.unwrap().position, 1);
}

#[tokio::test]
async fn a_wrong_key_or_no_heads_is_a_problem() {
    let dir = TempDir::new().unwrap();
    let key = written(&dir, 3).await;
    let other = TempDir::new().unwrap();
    let other_key = {
        let settings = Settings::new(other.path().join("audit"), "node-1");
        let random = Counted::default();
        brattice_core::ports::Randomness::fill(&random, &mut [0; 64]).unwrap();
        let opened = Log::open(settings, &random, Arc::new(StepClock::new()));
        opened.unwrap().0.public_key()
    };
    assert_ne!(key, other_key);
    assert!(check(&dir, &other_key).problem.is_some());
    std::fs::remove_file(dir.path().join("audit").join(HEADS)).unwrap();
    assert!(check(&dir, &key).problem.is_some());
}

#[tokio::test]
async fn segments_follow_each_other_and_one_that_is_missing_shows() {
    let make = async || {
        let dir = TempDir::new().unwrap();
        let (log, _) = open_sized(&dir, 4096).unwrap();
        for n in 0..100 {
            log.append(&entry(n, None)).unwrap();
        }
        log.close().await.unwrap();
        let segments = segments_in(&dir.path().join("audit")).unwrap();
        assert!(segments.len() > 5);
        (dir, log.public_key(), segments)
    };
    let (dir, key, segments) = make().await;
    let report = check(&dir, &key);
    assert_eq!(report.problem, None);
    assert_eq!(report.entries, 100);
    assert_eq!(report.segments, segments.len() as u64);
    let (_, again) = open_sized(&dir, 4096)
        .map(|(log, r)| (log, r.entries))
        .unwrap();
    assert_eq!(again, 100);

    let paths: Vec<PathBuf> = segments.iter().skip(2).map(|(_, p)| p.clone()).collect();
    let heads: Vec<Head> = head::read_heads(&dir.path().join("audit").join(HEADS))
        .unwrap()
        .into_iter()
        .collect::<Result<_, _>>()
        .unwrap();
    let report = verify_segments(&paths, &heads, &key).unwrap();
    assert_eq!(report.problem, None);
    assert_eq!(report.first, Some(Position(segments[2].0)));

    for (gone, (first, path)) in segments.iter().enumerate() {
        let (dir, key, _) = make().await;
        std::fs::remove_file(dir.path().join("audit").join(path.file_name().unwrap())).unwrap();
        assert_eq!(problem_at(&dir, &key), Some(*first), "segment {gone}");
    }
}
