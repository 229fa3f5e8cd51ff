//! Peers that lie: frames that are none, replies that nobody asked for, requests that make no sense.

use super::bench::*;
use super::target::name;
use crate::ssh::sftp::reply::Reply;
use crate::ssh::sftp::request::{OnHandle, OnPath};
use crate::ssh::sftp::{Attributes, Code, encode};
use crate::{PeerMisbehaved, Side};
use bytes::{BufMut, BytesMut};

/// What a mute target is asked, and then says this under the id it was asked with.
fn lies(ask: impl FnOnce(&mut Bench), says: impl FnOnce(&mut BytesMut, u32)) -> PeerMisbehaved {
    let mut b = Bench::new();
    ask(&mut b);
    b.run().unwrap();
    let own = last_id(&b);
    says(&mut b.from_target, own);
    let fault = b.run().unwrap_err();
    assert_eq!(fault.side(), Side::Target);
    fault
}

fn last_id(b: &Bench) -> u32 {
    let (mut id, mut at) = (0, 0);
    while let Some((length, _)) = b.written[at..].split_first_chunk::<4>() {
        id = u32::from_be_bytes(*b.written[at + 5..].first_chunk::<4>().unwrap());
        at += 4 + u32::from_be_bytes(*length) as usize;
    }
    id
}

/// Something is open, and this is asked of it, unanswered.
fn reads(b: &mut Bench) {
    let file = b.opens("a.txt", READ | WRITE);
    b.mute = true;
    b.send(&read(&file, 0, 4));
}

#[test]
fn a_reply_that_nothing_asked_for_ends_it() {
    lies(|_| (), |out, _| encode::status(out, 4_711, Code::Ok, ""));
    lies(reads, |out, own| {
        encode::data(out, own.wrapping_add(1), b"")
    });
    // The same one twice.
    lies(reads, |out, own| {
        encode::data(out, own, b"hell");
        encode::data(out, own, b"hell");
    });
    lies(|_| (), |out, _| encode::version(out, &[]));
}

#[test]
fn a_reply_of_a_kind_that_the_request_cannot_have_ends_it() {
    lies(reads, |out, own| encode::handle(out, own, b"h"));
    lies(reads, |out, own| encode::status(out, own, Code::Ok, "done"));
    lies(reads, |out, own| encode::names(out, own, &[]));
    lies(reads, |out, own| encode::figures(out, own, &[1; 11]));
    lies(reads, |out, own| encode::data(out, own, b"hello"));
    let stats = |b: &mut Bench| {
        let file = b.opens("a.txt", READ);
        b.mute = true;
        b.send(&handle(OnHandle::Fstat, &file));
    };
    lies(stats, |out, own| encode::data(out, own, b""));
    let closes = |b: &mut Bench| {
        let file = b.opens("a.txt", READ);
        b.mute = true;
        b.send(&handle(OnHandle::Close, &file));
    };
    lies(closes, |out, own| encode::handle(out, own, b"h"));
    let figures = |b: &mut Bench| {
        let file = b.opens("a.txt", READ);
        b.mute = true;
        b.send(&handle(OnHandle::Fstatvfs, &file));
    };
    lies(figures, |out, own| encode::figures(out, own, &[1; 4]));
    lies(figures, |out, own| encode::figures(out, own, &[1; 12]));
}

#[test]
fn a_question_of_one_name_is_answered_with_one() {
    let no = Attributes::default();
    for names in [vec![], vec![name("a", no), name("b", no)]] {
        let mut b = Bench::new();
        b.silent = true;
        b.send(&on(OnPath::Readlink, "key"));
        b.run().unwrap();
        b.mute = true;
        let ask = b.held.take().unwrap();
        b.judge(ask);
        b.run().unwrap();
        let own = last_id(&b);
        encode::names(&mut b.from_target, own, &names);
        assert!(matches!(b.run(), Err(PeerMisbehaved::TooMany { .. })));
    }
}

#[test]
fn a_look_up_answered_with_something_else_ends_it() {
    let looks = |b: &mut Bench| {
        b.mute = true;
        b.send(&on(OnPath::Stat, "a.txt"));
    };
    let no = Attributes::default();
    lies(looks, |out, own| encode::attributes(out, own, &no));
    lies(looks, |out, own| encode::status(out, own, Code::Ok, ""));
    lies(looks, |out, own| encode::names(out, own, &[]));
    lies(looks, |out, own| {
        encode::names(out, own, &[name("/a", no), name("/b", no)]);
    });
}

#[test]
fn a_look_up_answered_with_what_is_no_path_is_refused() {
    for real in ["", "a.txt", "/a/../b", "/a//b", "/a\0b", "/"] {
        let mut b = Bench::new();
        b.mute = true;
        b.send(&on(OnPath::Remove, "dir/b.txt"));
        b.run().unwrap();
        let own = last_id(&b);
        let names = [name(real, Attributes::default())];
        encode::names(&mut b.from_target, own, &names);
        b.run().unwrap();
        let asked = real == "/";
        assert_eq!(b.asks.len(), usize::from(asked), "{real:?}");
        assert_eq!(b.refused.len(), usize::from(!asked), "{real:?}");
    }
    // Latin-1.
    let mut b = Bench::new();
    b.mute = true;
    b.send(&on(OnPath::Remove, "dir/b.txt"));
    b.run().unwrap();
    let mut one = name("", Attributes::default());
    one.name = b"/caf\xe9".as_slice().into();
    let own = last_id(&b);
    encode::names(&mut b.from_target, own, &[one]);
    b.run().unwrap();
    assert!(b.asks.is_empty() && b.refused.len() == 1);
}

#[test]
fn attributes_that_do_not_tell_whether_it_is_a_link_refuse() {
    let mut b = Bench::new();
    b.mute = true;
    b.send(&on(OnPath::Stat, "a.txt"));
    b.run().unwrap();
    let own = last_id(&b);
    let real = [name("/home/u/a.txt", Attributes::default())];
    encode::names(&mut b.from_target, own, &real);
    b.run().unwrap();
    let own = last_id(&b);
    encode::attributes(&mut b.from_target, own, &Attributes::default());
    b.run().unwrap();
    assert!(b.asks.is_empty() && b.refused.len() == 1);
}

#[test]
fn a_handle_that_is_in_use_ends_it() {
    let mut b = Bench::new();
    let _first = b.opens("a.txt", READ);
    b.silent = true;
    b.send(&open("a.txt", READ));
    b.run().unwrap();
    b.mute = true;
    let ask = b.held.take().unwrap();
    b.judge(ask);
    b.run().unwrap();
    let own = last_id(&b);
    encode::handle(&mut b.from_target, own, b"t1");
    assert!(matches!(b.run(), Err(PeerMisbehaved::Repeated { .. })));
}

#[test]
fn names_beyond_what_the_frame_holds_end_it() {
    let lists = |b: &mut Bench| {
        let Reply::Handle(directory) = b.call(&on(OnPath::Opendir, ".")) else {
            panic!("no handle");
        };
        b.mute = true;
        b.send(&handle(OnHandle::Readdir, &directory));
    };
    let fault = lies(lists, |out, own| {
        out.put_u32(9);
        out.put_u8(104);
        out.put_u32(own);
        out.put_u32(u32::MAX);
    });
    assert!(matches!(fault, PeerMisbehaved::TooMany { .. }));
    for bad in ["", "a/b", "../x", "a\0b"] {
        lies(lists, |out, own| {
            encode::names(out, own, &[name(bad, Attributes::default())]);
        });
    }
}

#[test]
fn frames_that_are_none_end_it_on_either_side() {
    let frames: [&[u8]; 8] = [
        &[0, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff],
        &[0, 4, 4, 1],
        // No id.
        &[0, 0, 0, 3, 17, 0, 0],
        // A type of version 6, and none at all.
        &[0, 0, 0, 5, 21, 0, 0, 0, 1],
        &[0, 0, 0, 5, 0, 0, 0, 0, 1],
        // A string that ends beyond its frame.
        &[0, 0, 0, 10, 17, 0, 0, 0, 1, 0, 0, 0, 9, b'a'],
        // The other side's.
        &[0, 0, 0, 9, 103, 0, 0, 0, 1, 0, 0, 0, 0],
    ];
    for frame in frames {
        let mut b = Bench::new();
        b.from_client.extend_from_slice(frame);
        assert_eq!(b.run().unwrap_err().side(), Side::Client, "{frame:?}");
    }
    for frame in &frames[..6] {
        let mut b = Bench::new();
        b.from_target.extend_from_slice(frame);
        assert_eq!(b.run().unwrap_err().side(), Side::Target, "{frame:?}");
    }
}

#[test]
fn bytes_behind_the_last_field_end_it() {
    for request in [
        on(OnPath::Stat, "a.txt"),
        open("a.txt", READ),
        handle(OnHandle::Fstat, &"h".into()),
        write(&"h".into(), 0, b"x"),
    ] {
        let mut frame = BytesMut::new();
        encode::request(&mut frame, 5, &request);
        frame.put_u8(0);
        let length = u32::try_from(frame.len() - 4).unwrap();
        frame[..4].copy_from_slice(&length.to_be_bytes());
        let mut b = Bench::new();
        b.from_client = frame;
        assert!(matches!(b.run(), Err(PeerMisbehaved::TrailingBytes { .. })));
    }
}

#[test]
fn what_is_framed_well_and_makes_no_sense_is_answered() {
    let path = |bytes: &[u8]| {
        let mut out = vec![17, 0, 0, 0, 5];
        out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_be_bytes());
        out.extend_from_slice(bytes);
        out
    };
    let opens = |flags: u8| vec![3, 0, 0, 0, 5, 0, 0, 0, 1, b'n', 0, 0, 0, flags, 0, 0, 0, 0];
    let sets = |flags: [u8; 4]| {
        let mut out = vec![9, 0, 0, 0, 5, 0, 0, 0, 1, b'n'];
        out.extend_from_slice(&flags);
        out
    };
    for (frame, code) in [
        (path(b"a\0b"), Code::BadMessage),
        (path(b"caf\xe9"), Code::BadMessage),
        (path(&[b'a'; 4_097]), Code::BadMessage),
        (opens(0), Code::BadMessage),
        (opens(1 | 16), Code::BadMessage),
        (opens(1 | 8), Code::BadMessage),
        (opens(2 | 32), Code::BadMessage),
        (opens(64 | 1), Code::BadMessage),
        (sets([0x80, 0, 0, 0]), Code::OpUnsupported),
        (sets([0, 0, 0, 0x10]), Code::OpUnsupported),
    ] {
        let mut b = Bench::new();
        let before = b.target.asked.len();
        b.from_client.put_u32(u32::try_from(frame.len()).unwrap());
        b.from_client.extend_from_slice(&frame);
        b.run().unwrap();
        let replies = b.replies();
        assert!(
            matches!(replies.as_slice(), [(5, Reply::Status(c, _))] if *c == code),
            "{frame:?}: {replies:?}"
        );
        assert_eq!(b.target.asked.len(), before);
        assert_eq!(b.refused.len(), 1);
        let extended = frame.ends_with(&[0x80, 0, 0, 0]);
        assert_eq!(b.refused[0].contains("extended attributes"), extended);
    }
}

#[test]
fn the_targets_words_arrive_on_one_line_and_cut() {
    let mut b = Bench::new();
    reads(&mut b);
    b.run().unwrap();
    let own = last_id(&b);
    let text = format!("no\x1b]52;c;x\x07\n{}", "é".repeat(1_000));
    encode::status(&mut b.from_target, own, Code::Failure, &text);
    b.run().unwrap();
    let replies = b.replies();
    let [(_, Reply::Status(Code::Failure, text))] = replies.as_slice() else {
        panic!("{replies:?}");
    };
    assert!(text.starts_with("no ]52;c;x  é") && text.len() <= 1_024);
}
