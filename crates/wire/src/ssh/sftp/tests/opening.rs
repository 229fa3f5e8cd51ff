//! The opening: versions, extensions, limits, and what waits for them.

use super::bench::{Bench, on};
use super::target::{Target, name};
use crate::ssh::sftp::reply::{self, FromTarget, Reply};
use crate::ssh::sftp::request::{OnPath, Request};
use crate::ssh::sftp::{Attributes, Code, Extension, Limits, encode};
use bytes::{BufMut, BytesMut};

fn init(version: u32, pairs: &[(&str, &str)]) -> BytesMut {
    let mut body = BytesMut::new();
    body.put_u8(1);
    body.put_u32(version);
    for (name, version) in pairs {
        for text in [name, version] {
            body.put_u32(u32::try_from(text.len()).unwrap());
            body.put_slice(text.as_bytes());
        }
    }
    let mut frame = BytesMut::new();
    frame.put_u32(u32::try_from(body.len()).unwrap());
    frame.put_slice(&body);
    frame
}

#[test]
fn offers_what_the_target_offers_and_the_gateway_models() {
    let mut target = Target::new();
    target.extensions = vec![Extension::Fsync, Extension::Statvfs];
    let mut b = Bench::before(target);
    b.from_client = init(6, &[("anything@example.org", "9")]);
    b.run().unwrap();
    let Some(FromTarget::Version(greeting)) = reply::next(&mut b.seen, &Limits::default()).unwrap()
    else {
        panic!("no VERSION");
    };
    assert_eq!(greeting.version, 3);
    assert_eq!(greeting.extensions, [Extension::Fsync, Extension::Statvfs]);
}

#[test]
fn drops_extensions_of_another_version_and_those_nobody_models() {
    let mut b = Bench::before(Target::new());
    b.mute = true;
    encode::init(&mut b.from_client);
    b.run().unwrap();
    let mut version = init(
        3,
        &[
            ("fsync@openssh.com", "2"),
            ("copy-data", "1"),
            ("hardlink@openssh.com", "1"),
            ("hardlink@openssh.com", "1"),
        ],
    );
    version[4] = 2;
    b.from_target.extend_from_slice(&version);
    b.run().unwrap();
    encode::names(
        &mut b.from_target,
        1,
        &[name("/home/u", Attributes::default())],
    );
    b.run().unwrap();
    let Some(FromTarget::Version(greeting)) = reply::next(&mut b.seen, &Limits::default()).unwrap()
    else {
        panic!("no VERSION");
    };
    assert_eq!(greeting.extensions, [Extension::Hardlink]);
}

#[test]
fn answers_an_extension_that_the_target_lacks_by_itself() {
    let mut target = Target::new();
    target.extensions.clear();
    let mut b = Bench::with(target);
    let before = b.target.asked.len();
    assert_eq!(b.code(&on(OnPath::Statvfs, "/home/u")), Code::OpUnsupported);
    assert_eq!(b.code(&Request::Limits), Code::OpUnsupported);
    assert_eq!(b.target.asked.len(), before);
}

#[test]
fn answers_an_unknown_extension_without_a_byte_to_the_target() {
    let mut b = Bench::new();
    let before = b.target.asked.len();
    let mut body = BytesMut::new();
    body.put_u8(200);
    body.put_u32(77);
    body.put_u32(9);
    body.put_slice(b"copy-datawhatever follows");
    b.from_client.put_u32(u32::try_from(body.len()).unwrap());
    b.from_client.put_slice(&body);
    b.run().unwrap();
    let replies = b.replies();
    assert!(
        matches!(
            replies.as_slice(),
            [(77, Reply::Status(Code::OpUnsupported, _))]
        ),
        "{replies:?}"
    );
    assert_eq!(b.target.asked.len(), before);
    assert_eq!(b.refused.len(), 1);
}

#[test]
fn tells_limits_that_hold_on_both_sides() {
    let mut target = Target::new();
    target.figures = [100_000, 64_000, 0, 10];
    let mut b = Bench::with(target);
    let Reply::Figures(figures) = b.call(&Request::Limits) else {
        panic!("no figures");
    };
    assert_eq!(figures, [257 << 10, 64_000, 255 << 10, 64]);
}

#[test]
fn holds_requests_until_the_opening_is_over() {
    let mut b = Bench::before(Target::new());
    b.mute = true;
    encode::init(&mut b.from_client);
    b.send(&on(OnPath::Stat, "a.txt"));
    b.run().unwrap();
    assert!(b.seen.is_empty() && b.asks.is_empty());
    assert!(!b.sftp.wants_client());
    assert_eq!(b.target.asked.len(), 0);
}

#[test]
fn refuses_a_request_before_the_greeting_and_a_second_greeting() {
    let mut b = Bench::before(Target::new());
    b.send(&on(OnPath::Stat, "a.txt"));
    assert!(b.run().is_err());
    let mut b = Bench::new();
    encode::init(&mut b.from_client);
    assert!(b.run().is_err());
}

#[test]
fn speaks_no_other_version() {
    let mut b = Bench::before(Target::new());
    b.from_client = init(2, &[]);
    assert!(b.run().is_err());
    for version in [0, 2, 4, u32::MAX] {
        let mut b = Bench::before(Target::new());
        b.mute = true;
        let mut said = init(version, &[]);
        said[4] = 2;
        b.from_target = said;
        assert!(b.run().is_err(), "{version}");
    }
}

#[test]
fn ends_when_the_target_has_no_start_directory() {
    for start in ["", "home", "/home/../etc", "/a\0b"] {
        let mut b = Bench::before(Target::new());
        b.mute = true;
        let mut version = init(3, &[]);
        version[4] = 2;
        b.from_target.extend_from_slice(&version);
        b.run().unwrap();
        encode::names(&mut b.from_target, 1, &[name(start, Attributes::default())]);
        assert!(b.run().is_err(), "{start:?}");
    }
}

#[test]
fn tells_the_start_directory_without_asking_anybody() {
    let mut b = Bench::new();
    for path in [".", "", "/home/u", "./"] {
        let Reply::Names(names) = b.call(&on(OnPath::Realpath, path)) else {
            panic!("no name");
        };
        assert_eq!(names[0].name, "/home/u");
    }
    assert!(b.asks.is_empty());
}
