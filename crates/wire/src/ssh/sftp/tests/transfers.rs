//! Data through handles: pipelines, rights, limits, and what is told of it for the record.

use super::bench::*;
use super::target::Target;
use crate::ssh::sftp::reply::Reply;
use crate::ssh::sftp::request::{OnHandle, OnPath, Request};
use crate::ssh::sftp::{Code, Content, FileDone, Limits, encode};
use brattice_core::ids::Digest;
use brattice_core::mask::Tally;

fn content(bytes: &[u8]) -> Content {
    Content {
        bytes: bytes.len() as u64,
        sha256: Some(Digest::of(bytes).0),
    }
}

#[test]
fn pipelined_reads_are_answered_and_hashed() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ);
    for offset in [0, 4, 8, 12] {
        b.send(&read(&file, offset, 4));
    }
    b.send(&handle(OnHandle::Close, &file));
    b.run().unwrap();
    let kinds: Vec<_> = b.replies().iter().map(|(_, r)| r.kind()).collect();
    assert_eq!(kinds, ["DATA", "DATA", "DATA", "STATUS", "STATUS"]);
    let done = FileDone {
        path: "/home/u/a.txt".to_owned(),
        read: Some(content(b"hello world")),
        written: None,
        masked: Tally::default(),
        withheld: None,
    };
    assert_eq!(b.files, [done]);
}

#[test]
fn reads_answered_out_of_order_are_hashed_in_order() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ);
    b.mute = true;
    b.send(&read(&file, 0, 6));
    b.send(&read(&file, 6, 6));
    b.send(&handle(OnHandle::Close, &file));
    b.run().unwrap();
    let own = last_ids(&b, 3);
    // Even the end of CLOSE may come first.
    encode::status(&mut b.from_target, own[2], Code::Ok, "");
    encode::data(&mut b.from_target, own[1], b"world");
    b.run().unwrap();
    assert!(b.files.is_empty());
    encode::data(&mut b.from_target, own[0], b"hello ");
    b.run().unwrap();
    assert_eq!(b.files[0].read, Some(content(b"hello world")));
}

#[test]
fn pipelined_writes_are_done_in_order_and_hashed() {
    let mut b = Bench::new();
    let file = b.opens("new", WRITE | CREATE | TRUNCATE);
    for (offset, data) in [(0, b"one "), (4, b"two "), (8, b"thre")] {
        b.send(&write(&file, offset, data));
    }
    b.send(&handle(OnHandle::Close, &file));
    b.run().unwrap();
    assert_eq!(b.replies().len(), 4);
    assert_eq!(
        b.target.content("/home/u/new"),
        Some(b"one two thre".as_slice())
    );
    assert_eq!(b.files[0].written, Some(content(b"one two thre")));
    assert_eq!(b.files[0].read, None);
    assert_eq!(b.asks.len(), 1);
}

#[test]
fn a_handle_is_good_only_for_what_it_was_opened_for() {
    let mut b = Bench::new();
    let reader = b.opens("a.txt", READ);
    let writer = b.opens("a.txt", WRITE);
    let Reply::Handle(lister) = b.call(&on(OnPath::Opendir, ".")) else {
        panic!("no handle");
    };
    let before = b.target.asked.len();
    for request in [
        write(&reader, 0, b"x"),
        read(&writer, 0, 1),
        read(&lister, 0, 1),
        write(&lister, 0, b"x"),
        handle(OnHandle::Fsync, &lister),
        handle(OnHandle::Readdir, &reader),
        handle(OnHandle::Fstat, &"t1".into()),
        handle(OnHandle::Fstat, &"".into()),
        handle(OnHandle::Close, &b"\0\0\0\0\0\0\0\x09".as_slice().into()),
    ] {
        assert_eq!(b.code(&request), Code::Failure, "{request:?}");
    }
    assert_eq!(b.target.asked.len(), before);
}

#[test]
fn a_closed_handle_is_never_good_again() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ);
    b.send(&handle(OnHandle::Close, &file));
    b.send(&read(&file, 0, 1));
    b.run().unwrap();
    let replies = b.replies();
    assert!(matches!(
        b.target.asked.last(),
        Some(Request::Handle(OnHandle::Close, _))
    ));
    assert!(
        replies
            .iter()
            .any(|(_, r)| matches!(r, Reply::Status(Code::Failure, _)))
    );
    let again = b.opens("a.txt", READ);
    assert_ne!(again, file);
    assert_eq!(b.code(&read(&file, 0, 1)), Code::Failure);
}

#[test]
fn a_long_read_is_cut_and_a_long_write_fails() {
    let mut target = Target::new();
    target.figures = [0, 0, 64, 0];
    let mut b = Bench::with(target);
    let file = b.opens("a.txt", READ | WRITE);
    let _reply = b.call(&read(&file, 0, u32::MAX));
    let Some(Request::Handle(OnHandle::Read { length, .. }, _)) = b.target.asked.last() else {
        panic!("no read");
    };
    assert_eq!(*length, 256 << 10);
    assert_eq!(b.code(&write(&file, 0, &[0; 65])), Code::Failure);
    assert_eq!(b.code(&write(&file, 0, &[0; 64])), Code::Ok);
}

#[test]
fn nothing_passes_a_lane_once_the_session_is_cut() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ | WRITE);
    b.gate.revoke();
    let before = b.target.asked.len();
    assert_eq!(b.code(&write(&file, 0, b"x")), Code::PermissionDenied);
    assert_eq!(b.code(&read(&file, 0, 1)), Code::PermissionDenied);
    assert_eq!(b.target.asked.len(), before);
    assert_eq!(
        b.refused,
        [
            "WRITE: this identity was revoked",
            "READ: this identity was revoked"
        ]
    );
}

#[test]
fn a_lane_takes_only_so_much() {
    let mut b = Bench::limited(Target::new(), Limits::default(), 100);
    b.open();
    let file = b.opens("a.txt", WRITE);
    assert_eq!(b.code(&write(&file, 0, &[1; 60])), Code::Ok);
    assert_eq!(b.code(&write(&file, 60, &[1; 60])), Code::PermissionDenied);
}

#[test]
fn only_so_many_files_are_open() {
    let limits = Limits {
        handles_max: 2,
        ..Limits::default()
    };
    let mut b = Bench::limited(Target::new(), limits, 1 << 20);
    b.open();
    let first = b.opens("a.txt", READ);
    let _second = b.opens("a.txt", READ);
    assert_eq!(b.code(&open("a.txt", READ)), Code::Failure);
    assert_eq!(b.code(&on(OnPath::Opendir, ".")), Code::Failure);
    assert_eq!(b.code(&handle(OnHandle::Close, &first)), Code::Ok);
    let _third = b.opens("a.txt", READ);
}

#[test]
fn a_file_that_could_not_be_opened_counts_no_more() {
    let limits = Limits {
        handles_max: 1,
        ..Limits::default()
    };
    let mut b = Bench::limited(Target::new(), limits, 1 << 20);
    b.open();
    for _ in 0..3 {
        assert_eq!(b.code(&open("none", READ)), Code::NoSuchFile);
    }
    let _handle = b.opens("a.txt", READ);
}

#[test]
fn only_so_many_requests_are_on_their_way() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ);
    let before = b.target.asked.len();
    b.mute = true;
    for _ in 0..300 {
        b.send(&read(&file, 0, 1));
    }
    b.run().unwrap();
    assert_eq!(b.target.asked.len() - before, 256);
    assert!(!b.from_client.is_empty() && !b.sftp.wants_client());
    for own in last_ids(&b, 256) {
        encode::data(&mut b.from_target, own, b"h");
    }
    b.run().unwrap();
    assert_eq!(b.target.asked.len() - before, 300);
    assert_eq!(b.replies().len(), 256);
}

#[test]
fn nothing_more_is_decoded_while_much_waits_to_be_written() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ | WRITE);
    for _ in 0..16 {
        b.send(&write(&file, 0, &[0; 200_000]));
    }
    let event = b.sftp.client(&mut b.from_client).unwrap();
    assert!(event.is_none());
    assert!(b.sftp.outbox.bytes().len() < (1 << 20) + 300_000);
    assert!(!b.from_client.is_empty());
    b.run().unwrap();
    assert_eq!(b.replies().len(), 16);
}

#[test]
fn no_more_replies_are_read_while_much_waits_for_the_client() {
    let mut b = Bench::new();
    b.target.tree.insert(
        "/home/u/big".to_owned(),
        super::target::Node::File(vec![7; 200_000]),
    );
    let file = b.opens("big", READ);
    for _ in 0..16 {
        b.send(&read(&file, 0, 200_000));
    }
    assert!(b.sftp.client(&mut b.from_client).unwrap().is_none());
    let out = b.sftp.outbox.bytes().to_vec();
    b.sftp.outbox.advance(out.len());
    b.from_target.extend_from_slice(&b.target.take(&out));
    assert!(b.sftp.target(&mut b.from_target).unwrap().is_none());
    assert!(b.sftp.to_client.len() < (1 << 20) + 300_000);
    assert!(!b.from_target.is_empty() && !b.sftp.wants_target());
    b.run().unwrap();
    assert_eq!(b.replies().len(), 16);
}

#[test]
fn the_end_tells_what_was_open_and_what_nobody_knows() {
    let mut b = Bench::new();
    let file = b.opens("new", WRITE | CREATE);
    assert_eq!(b.code(&write(&file, 0, b"abc")), Code::Ok);
    let _other = b.opens("a.txt", READ);
    b.mute = true;
    b.send(&write(&file, 3, b"def"));
    b.send(&on(OnPath::Remove, "/home/u/a.txt"));
    b.run().unwrap();
    // Its look-ups are answered, its own answer is not.
    for (reply, kind) in [("/home/u", 0), ("", 1)] {
        let own = last_ids(&b, 1)[0];
        if kind == 0 {
            let names = [super::target::name(reply, Default::default())];
            encode::names(&mut b.from_target, own, &names);
            b.run().unwrap();
        }
    }
    let ended = b.sftp.end();
    assert_eq!(ended.unanswered, [3]);
    assert_eq!(ended.undecided, None);
    let written = ended.files[0].written.unwrap();
    assert_eq!((written.bytes, written.sha256), (3, None));
    assert_eq!(ended.files[1].read, Some(content(b"")));
    b.send(&on(OnPath::Stat, "a.txt"));
    b.run().unwrap();
    assert!(b.replies().is_empty() && !b.sftp.wants_client() && !b.sftp.wants_target());
}

#[test]
fn the_end_tells_which_question_was_open() {
    let mut b = Bench::new();
    b.silent = true;
    b.send(&on(OnPath::Remove, "a.txt"));
    b.run().unwrap();
    assert_eq!(b.sftp.end().undecided, Some(1));
    assert!(
        b.sftp
            .answer(crate::ssh::sftp::Verdict::Deny(denial()))
            .is_none()
    );
}

#[test]
fn outcomes_are_told_by_the_number_of_the_question() {
    let mut b = Bench::new();
    let _code = b.code(&on(OnPath::Stat, "none"));
    let _reply = b.call(&on(OnPath::Stat, "a.txt"));
    assert_eq!(b.outcomes, [(1, Code::NoSuchFile), (2, Code::Ok)]);
}
