//! Files whose content is masked: however it is read, nothing of a value is shown, and everything else is as it was.

use super::bench::*;
use super::target::{Node, Target};
use crate::ssh::sftp::reply::Reply;
use crate::ssh::sftp::request::{OnHandle, Request};
use crate::ssh::sftp::{Code, encode};
use brattice_core::mask::{Classes, Detector};
use bytes::Bytes;
use std::sync::Arc;

const PATH: &str = "/home/u/customers.csv";

fn masked(content: &[u8]) -> Bench {
    let mut target = Target::new();
    target
        .tree
        .insert(PATH.to_owned(), Node::File(content.to_vec()));
    let mut b = Bench::with(target);
    b.masks = Some(Arc::new(Detector::new(&Classes::builtin()).unwrap()));
    b
}

/// All of the file by reads of so many bytes, as clients do it.
fn read_all(b: &mut Bench, file: &Bytes, piece: u32) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match b.call(&read(file, all.len() as u64, piece)) {
            Reply::Data(data) => all.extend_from_slice(&data),
            Reply::Status(Code::Eof, _) => return all,
            other => panic!("{other:?}"),
        }
    }
}

fn close(b: &mut Bench, file: &Bytes) {
    assert_eq!(b.code(&handle(OnHandle::Close, file)), Code::Ok);
}

#[test]
fn values_are_masked_in_place_however_they_are_read() {
    let content = b"name,mail,card\nada,ada@example.com,4111 1111 1111 1111\nbob,none,12\n";
    let expected = b"name,mail,card\nada,***************,*******************\nbob,none,12\n";
    for piece in [1, 2, 7, 16, 1000] {
        // Servers that give less than they are asked for, too.
        for given in [usize::MAX, 3] {
            let mut b = masked(content);
            b.target.piece = given;
            let file = b.opens(PATH, READ);
            let came = read_all(&mut b, &file, piece);
            let came = String::from_utf8_lossy(&came).into_owned();
            assert_eq!(came.as_bytes(), expected, "{piece} {given}: {came}");
            close(&mut b, &file);
            let masked: u64 = b.files[0].masked.masked.values().sum();
            assert_eq!(masked, 2, "{piece} {given}: {:?}", b.files);
        }
    }
}

#[test]
fn a_value_far_from_the_beginning_is_seen_whole() {
    let mut content = b"x ".repeat(40_000);
    let key = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}-----END RSA PRIVATE KEY-----\n",
        "MIIJKAIBAAKCAgEAq7c4\n".repeat(400)
    );
    content.extend_from_slice(key.as_bytes());
    let tail = b"the end\n";
    content.extend_from_slice(tail);
    let mut b = masked(&content);
    let file = b.opens(PATH, READ);
    // Its last lines alone.
    let at = (content.len() - tail.len() - 200) as u64;
    let Reply::Data(data) = b.call(&read(&file, at, 1000)) else {
        panic!("no data");
    };
    let shown = String::from_utf8_lossy(&data).into_owned();
    assert!(
        !shown.contains("MII") && !shown.contains("KCAgE"),
        "{shown}"
    );
    assert!(shown.ends_with("\nthe end\n"), "{shown}");
}

#[test]
fn what_is_no_text_is_withheld_and_told() {
    let mut b = masked(b"\x1f\x8b\x08\x00 packed");
    let file = b.opens(PATH, READ);
    let Reply::Status(code, text) = b.call(&read(&file, 4, 4)) else {
        panic!("it is shown");
    };
    assert_eq!(code, Code::PermissionDenied);
    assert!(text.contains("ssh.reveal"), "{text}");
    close(&mut b, &file);
    assert!(b.files[0].withheld.is_some());
    assert_eq!(b.files[0].read.as_ref().map(|r| r.bytes), Some(0));
}

#[test]
fn a_file_that_is_closed_is_not_read_on() {
    let mut b = masked(b"plain text that comes in pieces");
    b.target.piece = 4;
    let file = b.opens(PATH, READ);
    b.mute = true;
    b.send(&read(&file, 0, 31));
    b.send(&handle(OnHandle::Close, &file));
    b.run().unwrap();
    let own: Vec<u32> = last_ids(&b, 2);
    encode::data(&mut b.from_target, own[0], b"plai");
    b.run().unwrap();
    let reads = |b: &Bench| {
        let is_read = |r: &&Request| matches!(r, Request::Handle(OnHandle::Read { .. }, _));
        b.target.asked.iter().filter(is_read).count()
    };
    assert_eq!(reads(&b), 1, "the handle may name another file by now");
    let replies = b.replies();
    assert!(
        matches!(replies[..], [(_, Reply::Status(Code::Failure, _))]),
        "{replies:?}"
    );
    encode::status(&mut b.from_target, own[1], Code::Ok, "");
    b.run().unwrap();
    assert_eq!(b.files.len(), 1);
}

#[test]
fn a_server_that_gives_more_than_it_was_asked_for_ends_the_session() {
    for data in [&b""[..], &[b'x'; 100_000]] {
        let mut b = masked(b"text");
        let file = b.opens(PATH, READ);
        b.mute = true;
        b.send(&read(&file, 0, 4));
        b.run().unwrap();
        let own = last_ids(&b, 1);
        encode::data(&mut b.from_target, own[0], data);
        assert!(b.run().is_err());
    }
}

#[test]
fn a_long_read_is_answered_with_less_and_goes_on_from_there() {
    let content = b"plain text, and a number: 17\n".repeat(20_000);
    let mut b = masked(&content);
    let file = b.opens(PATH, READ);
    let mut at = 0;
    while at < content.len() {
        let Reply::Data(data) = b.call(&read(&file, at as u64, 261_120)) else {
            panic!("it ends at {at} of {}", content.len());
        };
        assert_eq!(data, content[at..at + data.len()], "at {at}");
        at += data.len();
    }
}
