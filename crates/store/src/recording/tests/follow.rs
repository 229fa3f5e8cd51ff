//! Recordings that are read while they are written.

use super::*;
use std::time::Instant;

/// Reads on to where a recording ends for now. The last frame may be there in part.
fn read_on(reader: &mut Reader, into: &mut Vec<ReadFrame>) -> bool {
    reader.look_again().unwrap();
    into.extend(reader.by_ref().map(Result::unwrap).filter(|f| f.whole));
    matches!(reader.end(), Some(End::Sealed(_)))
}

#[test]
fn who_looks_on_reads_what_was_buffered_and_nothing_twice() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    let now = Instant::now();
    let later = |n: u64| now + Duration::from_secs(n);
    assert!(shelf.follow(&session(2), now).unwrap().is_none());
    recorder.frame(frame(0, b"first")).unwrap();
    let mut reader = shelf.follow(&session(1), now).unwrap().unwrap();
    let mut seen = Vec::new();
    assert!(!read_on(&mut reader, &mut seen));
    assert_eq!(seen.len(), 1);
    // A frame that runs over blocks is given once, when all of it is there.
    let large = vec![b'x'; 5 * BLOCK_BYTES_MAX / 2];
    recorder.frame(frame(1, &large)).unwrap();
    assert!(!read_on(&mut reader, &mut seen));
    assert_eq!(seen.len(), 1);
    assert!(shelf.write_out(&session(1), later(1)).unwrap());
    assert!(!read_on(&mut reader, &mut seen));
    assert_eq!((seen.len(), seen[1].bytes == large), (2, true));
    // However many look on, blocks are not made smaller more often than that.
    recorder.frame(frame(2, b"third")).unwrap();
    assert!(shelf.write_out(&session(1), later(1)).unwrap());
    assert!(!read_on(&mut reader, &mut seen));
    assert_eq!(seen.len(), 2);
    assert!(shelf.write_out(&session(1), later(2)).unwrap());
    assert!(!read_on(&mut reader, &mut seen));
    assert_eq!((seen.len(), reader.behind()), (3, 0));
    recorder.frame(frame(3, b"last")).unwrap();
    recorder.seal().unwrap();
    assert!(!shelf.write_out(&session(1), later(3)).unwrap());
    assert!(shelf.follow(&session(1), later(3)).unwrap().is_none());
    assert!(read_on(&mut reader, &mut seen));
    let (whole, _) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
    assert_eq!(seen, whole);
}

#[test]
fn who_looks_on_while_it_is_written_sees_what_the_finished_recording_has() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    let mut reader = shelf.follow(&session(1), Instant::now()).unwrap().unwrap();
    let mut seen = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..3000_u64 {
                let size = usize::try_from(n * n % 70_001).unwrap();
                let bytes: Vec<u8> = (0..size).map(|i| (i * 31 + size) as u8).collect();
                recorder.frame(frame(n, &bytes)).unwrap();
            }
            recorder.seal().unwrap();
        });
        while !read_on(&mut reader, &mut seen) {
            shelf.write_out(&session(1), Instant::now()).unwrap();
        }
    });
    let (whole, _) = read(&shelf, &path_of(&shelf, &session(1))).unwrap();
    assert!(seen == whole, "{} of {} frames", seen.len(), whole.len());
}

#[test]
fn a_disk_that_fills_up_while_somebody_looks_on_ends_the_session() {
    let dir = TempDir::new().unwrap();
    let disk = FailingDisk::default();
    let keys = MasterKeys::new(&master(1)).unwrap();
    let random = Arc::new(Counted::default());
    let shelf = Shelf::open_on(Box::new(disk.clone()), dir.path().into(), keys, random).unwrap();
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    recorder.frame(frame(0, b"seen by nobody")).unwrap();
    disk.leave_room_for(5);
    assert!(shelf.follow(&session(1), Instant::now()).is_err());
    assert!(recorder.frame(frame(1, b"more")).is_err());
}

#[test]
fn a_session_that_lets_go_of_its_recording_is_not_looked_on_any_more() {
    let dir = TempDir::new().unwrap();
    let shelf = shelf(dir.path());
    let mut recorder = shelf.open(&header(session(1))).unwrap();
    let mut reader = shelf.follow(&session(1), Instant::now()).unwrap().unwrap();
    recorder.frame(frame(0, b"the last words")).unwrap();
    drop(recorder);
    assert!(!shelf.write_out(&session(1), Instant::now()).unwrap());
    let mut seen = Vec::new();
    assert!(!read_on(&mut reader, &mut seen));
    assert_eq!((seen.len(), reader.end()), (1, Some(&End::Unfinished)));
}
