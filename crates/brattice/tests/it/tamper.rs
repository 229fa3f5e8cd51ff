//! Somebody who can write to the stored log: what they change is found where they changed it, with the public key alone.

use crate::records::{export_lines, log_dir, public_key, verify};
use crate::world::{OWNER, SHOP, World};
use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn whatever_is_changed_in_the_log_is_found_where_it_was_changed() {
    let mut world = World::of(18);
    let mut wire = world.connect(OWNER, SHOP);
    for n in 0..12 {
        let sql = format!("INSERT INTO notes VALUES ({}, 'entry {n:02}')", 100 + n);
        assert_eq!(wire.query(&sql).unwrap().completed(), ["INSERT 0 1"]);
    }
    drop(wire);
    world.gateway.stop().unwrap();
    let dir = log_dir(&world);
    let key = public_key(&world);
    let (good, words) = verify(&dir, &key);
    assert!(good, "{words}");
    let entries = export_lines(&dir);
    let at = |n: usize| {
        let text = format!("entry {n:02}");
        let entry = entries
            .iter()
            .find(|e| e["text"].as_str().is_some_and(|t| t.contains(&text)));
        entry.unwrap()["position"].as_u64().unwrap()
    };
    let segment = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "seg"))
        .unwrap();
    let whole = fs::read(&segment).unwrap();
    let frames = frames(&whole);
    let frame = |n: usize| frames[usize::try_from(at(n)).unwrap()].clone();
    let three = find(&whole, b"entry 03");

    let mut edited = whole.clone();
    edited[three + 7] = b'9';
    expect(&dir, &key, &segment, &edited, "an edited byte", at(3));

    let mut deleted = whole.clone();
    deleted.drain(frame(5));
    expect(&dir, &key, &segment, &deleted, "a deleted entry", at(5));

    let mut swapped = whole.clone();
    let (a, b) = (whole[frame(6)].to_vec(), whole[frame(7)].to_vec());
    let both = frame(6).start..frame(7).end;
    swapped.splice(both, b.iter().chain(&a).copied());
    expect(&dir, &key, &segment, &swapped, "two entries swapped", at(6));

    let mut inserted = whole.clone();
    let copy = whole[frame(2)].to_vec();
    let before = frame(4).start;
    inserted.splice(before..before, copy);
    expect(&dir, &key, &segment, &inserted, "an entry twice", at(4));

    let cut = &whole[..frame(8).start];
    expect(&dir, &key, &segment, cut, "a truncated tail", at(8));

    fs::write(&segment, &whole).unwrap();
    assert!(verify(&dir, &key).0, "the log itself is good again");
    let other = World::of(18);
    let (good, words) = verify(&dir, &public_key(&other));
    assert!(!good, "another key vouches for it: {words}");
}

fn expect(dir: &Path, key: &Path, segment: &PathBuf, bytes: &[u8], what: &str, position: u64) {
    fs::write(segment, bytes).unwrap();
    let (good, words) = verify(dir, key);
    assert!(!good, "{what} is not found: {words}");
    let found = words["report"]["problem"]["position"].as_u64();
    assert_eq!(found, Some(position), "{what}: {words}");
}

/// Where each entry lies: behind a header of magic, length, checksum and text, each entry is a length, a checksum, so
/// many bytes and 32 of chain.
fn frames(whole: &[u8]) -> Vec<std::ops::Range<usize>> {
    let length = |at: usize| {
        let bytes: [u8; 4] = whole[at..at + 4].try_into().unwrap();
        usize::try_from(u32::from_be_bytes(bytes)).unwrap()
    };
    let mut at = 16 + length(8);
    let mut frames = Vec::new();
    while at < whole.len() {
        let end = at + 8 + length(at) + 32;
        frames.push(at..end);
        at = end;
    }
    frames
}

fn find(in_: &[u8], what: &[u8]) -> usize {
    in_.windows(what.len()).position(|w| w == what).unwrap()
}
