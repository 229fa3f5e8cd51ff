//! One name, settled by a script of answers.

use super::*;
use crate::ssh::sftp::Attributes;
use crate::ssh::sftp::reply::Name;
use bytes::Bytes;

fn real(path: &str) -> Reply {
    let name = Bytes::copy_from_slice(path.as_bytes());
    Reply::Names(vec![Name {
        long: name.clone(),
        name,
        attributes: Attributes::default(),
    }])
}

fn is(mode: u32) -> Reply {
    Reply::Attributes(Attributes {
        permissions: Some(mode),
        ..Attributes::default()
    })
}

fn no(code: Code) -> Reply {
    Reply::Status(code, String::new())
}

fn look(path: &str) -> Turn {
    Turn::Look(Lookup::Realpath(path.to_owned()))
}

fn link(path: &str) -> Turn {
    Turn::Look(Lookup::Lstat(path.to_owned()))
}

fn settled(path: &str) -> Turn {
    Turn::Settled(path.to_owned())
}

/// Begins, and checks each turn.
fn plays(path: &str, follow: bool, first: &str, script: Vec<(Reply, Turn)>) {
    let (mut settling, lookup) = Settling::new(path, follow, 3, 64);
    assert_eq!(lookup, Lookup::Realpath(first.to_owned()));
    for (reply, turn) in script {
        assert_eq!(settling.heard(reply).unwrap(), turn, "{path}");
    }
}

#[test]
fn what_exists_is_resolved_whole() {
    plays(
        "/a/b",
        true,
        "/a/b",
        vec![
            (real("/x/y"), link("/x/y")),
            (is(0o100_600), settled("/x/y")),
        ],
    );
    plays("/", true, "/", vec![(real("/"), settled("/"))]);
    plays("/", false, "/", vec![(real("/"), settled("/"))]);
}

#[test]
fn a_link_itself_is_resolved_up_to_its_name() {
    plays("/a/b", false, "/a", vec![(real("/x"), settled("/x/b"))]);
    plays("/b", false, "/", vec![(real("/"), settled("/b"))]);
}

#[test]
fn what_does_not_exist_is_resolved_as_far_as_it_does() {
    plays(
        "/a/b/c",
        true,
        "/a/b/c",
        vec![
            (no(Code::NoSuchFile), look("/a/b")),
            (no(Code::PermissionDenied), look("/a")),
            (real("/x"), link("/x/b")),
            (no(Code::NoSuchFile), settled("/x/b/c")),
        ],
    );
    plays(
        "/a/b/c",
        false,
        "/a/b",
        vec![
            (no(Code::NoSuchFile), look("/a")),
            (real("/x"), link("/x/b")),
            (is(0o120_777), Turn::Refused(Unsettled::DeadLink)),
        ],
    );
}

#[test]
fn what_the_target_cannot_tell_is_refused() {
    let untold = || Turn::Refused(Unsettled::Untold);
    plays("/a", true, "/a", vec![(no(Code::Failure), untold())]);
    plays(
        "/a",
        true,
        "/a",
        vec![
            (no(Code::NoSuchFile), look("/")),
            (no(Code::NoSuchFile), untold()),
        ],
    );
    plays(
        "/a",
        true,
        "/a",
        vec![(real("/a"), link("/a")), (is(0o600), untold())],
    );
    plays(
        "/a",
        true,
        "/a",
        vec![(real("/a"), link("/a")), (no(Code::Failure), untold())],
    );
    plays(
        "/a/b/c/d/e",
        true,
        "/a/b/c/d/e",
        vec![
            (no(Code::NoSuchFile), look("/a/b/c/d")),
            (no(Code::NoSuchFile), look("/a/b/c")),
            (no(Code::NoSuchFile), look("/a/b")),
            (no(Code::NoSuchFile), untold()),
        ],
    );
}

#[test]
fn what_becomes_too_long_is_refused() {
    let long = format!("/{}", "x".repeat(60));
    plays(
        "/a/bcde",
        false,
        "/a",
        vec![(real(&long), Turn::Refused(Unsettled::TooLong))],
    );
}

#[test]
fn an_answer_to_another_question_is_a_lie() {
    for reply in [no(Code::Ok), is(0o100_600), Reply::Data(Bytes::new())] {
        let (mut settling, _) = Settling::new("/a", true, 3, 64);
        assert!(settling.heard(reply).is_err());
    }
    for reply in [no(Code::Ok), real("/a"), Reply::Names(Vec::new())] {
        let (mut settling, _) = Settling::new("/a", true, 3, 64);
        settling.heard(real("/a")).unwrap();
        assert!(settling.heard(reply).is_err());
    }
}
