//! Every kind of request: what is asked for it, that it reaches the target when it passes and does not when it is refused.

use super::bench::*;
use crate::ssh::sftp::reply::Reply;
use crate::ssh::sftp::request::{OnHandle, OnPath, OnTwo, Request};
use crate::ssh::sftp::{Attributes, Code, Operation, Which};

const SIZE: Attributes = Attributes {
    size: Some(3),
    owner: None,
    permissions: None,
    times: None,
};

/// Requests about `a.txt`, `dir`, or `DIR/new`; what is asked; in the start directory, or below `/secret` when `secret`.
fn cases(secret: bool) -> Vec<(Request, String)> {
    let (d, file) = if secret {
        ("/secret", "/secret/key")
    } else {
        ("/home/u", "/home/u/a.txt")
    };
    let new = format!("{d}/new");
    let free = "/home/u/dir/b.txt";
    let w = |create, truncate, append| Operation::Write {
        create,
        truncate,
        append,
    };
    let rw = Operation::ReadWrite {
        create: true,
        truncate: false,
        append: false,
    };
    let size = Operation::SetAttributes(Which {
        size: true,
        ..Which::default()
    });
    let one =
        |request, operation: Operation, path: &str| (request, format!("{operation:?} {path}"));
    let both = |request, operation: Operation, a: &str, b: &str| {
        (request, format!("{operation:?} {a} {b}"))
    };
    let rename = |replace| Operation::Rename { replace };
    vec![
        one(open(file, READ), Operation::Read, file),
        one(open(file, WRITE), w(false, false, false), file),
        one(
            open(&new, WRITE | CREATE | TRUNCATE),
            w(true, true, false),
            &new,
        ),
        one(open(file, WRITE | APPEND), w(false, false, true), file),
        one(open(file, READ | WRITE | CREATE), rw, file),
        one(on(OnPath::Opendir, d), Operation::List, d),
        one(on(OnPath::Stat, file), Operation::Stat, file),
        one(on(OnPath::Lstat, file), Operation::Stat, file),
        one(on(OnPath::Realpath, file), Operation::Stat, file),
        one(on(OnPath::Readlink, file), Operation::Stat, file),
        one(on(OnPath::Statvfs, file), Operation::Stat, file),
        one(on(OnPath::Setstat(SIZE), file), size, file),
        one(on(OnPath::Lsetstat(SIZE), file), size, file),
        one(on(OnPath::Remove, file), Operation::Delete, file),
        one(on(OnPath::Rmdir, file), Operation::RemoveDirectory, file),
        one(
            on(OnPath::Mkdir { permissions: None }, &new),
            Operation::MakeDirectory,
            &new,
        ),
        both(two(OnTwo::Rename, free, &new), rename(false), free, &new),
        both(
            two(OnTwo::Rename, file, "/home/u/n"),
            rename(false),
            file,
            "/home/u/n",
        ),
        both(
            two(OnTwo::PosixRename, free, file),
            rename(true),
            free,
            file,
        ),
        both(
            two(OnTwo::Hardlink, free, &new),
            Operation::HardLink,
            free,
            &new,
        ),
        both(
            two(OnTwo::Hardlink, file, "/home/u/n"),
            Operation::HardLink,
            file,
            "/home/u/n",
        ),
        both(
            two(OnTwo::Symlink, free, &new),
            Operation::SymbolicLink,
            &new,
            free,
        ),
        both(
            two(OnTwo::Symlink, file, "/home/u/n"),
            Operation::SymbolicLink,
            "/home/u/n",
            file,
        ),
    ]
}

#[test]
fn every_request_passes_once_it_was_asked_about() {
    for (request, asked) in cases(false) {
        let mut b = Bench::new();
        let _reply = b.call(&request);
        assert_eq!(b.asks, [asked.as_str()]);
        let done = b.target.asked.last();
        assert_eq!(done, Some(&request), "{asked}");
        assert_eq!(b.outcomes.len(), 1, "{asked}");
    }
}

#[test]
fn no_refused_request_reaches_the_target() {
    for (request, asked) in cases(true) {
        let mut b = Bench::new();
        let before = b.target.tree.clone();
        let Reply::Status(code, text) = b.call(&request) else {
            panic!("{asked}");
        };
        assert_eq!(code, Code::PermissionDenied, "{asked}");
        assert_eq!(
            text,
            "this is secret; ask for something else; approval apr_0w3ge1r70w3ge1r7; https://gateway/approvals/x"
        );
        assert_eq!(b.asks, [asked.as_str()]);
        assert!(b.target.done().is_empty(), "{asked}: {:?}", b.target.done());
        assert_eq!(b.target.tree, before);
        assert!(b.outcomes.is_empty());
    }
}

#[test]
fn every_request_about_something_open_is_answered() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ | WRITE);
    for (what, answer) in [
        (OnHandle::Fstat, "ATTRS"),
        (OnHandle::Fstatvfs, "EXTENDED_REPLY"),
        (OnHandle::Fsync, "STATUS"),
        (OnHandle::Fsetstat(SIZE), "STATUS"),
    ] {
        assert_eq!(b.call(&handle(what, &file)).kind(), answer);
    }
    assert_eq!(b.call(&read(&file, 0, 5)), Reply::Data("hel".into()));
    assert_eq!(b.code(&write(&file, 3, b"p!")), Code::Ok);
    assert_eq!(b.target.content("/home/u/a.txt"), Some(b"help!".as_slice()));
    let Reply::Handle(directory) = b.call(&on(OnPath::Opendir, "dir")) else {
        panic!("no handle");
    };
    let Reply::Names(names) = b.call(&handle(OnHandle::Readdir, &directory)) else {
        panic!("no names");
    };
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].name, "b.txt");
    assert_eq!(b.code(&handle(OnHandle::Readdir, &directory)), Code::Eof);
    assert_eq!(b.code(&handle(OnHandle::Close, &directory)), Code::Ok);
    assert_eq!(b.code(&handle(OnHandle::Close, &file)), Code::Ok);
    assert_eq!(b.files.len(), 1);
}

#[test]
fn setting_attributes_of_something_open_is_asked_about() {
    let mut b = Bench::new();
    let file = b.opens("a.txt", READ);
    b.silent = true;
    b.send(&handle(OnHandle::Fsetstat(SIZE), &file));
    b.run().unwrap();
    let ask = b.held.take().unwrap();
    assert!(ask.by_handle);
    assert_eq!(ask.path, "/home/u/a.txt");
    assert_eq!(ask.attributes, SIZE);
    assert!(b.sftp.awaits_gate());
    let event = b.sftp.answer(crate::ssh::sftp::Verdict::Deny(denial()));
    assert!(event.is_none());
    b.run().unwrap();
    assert!(matches!(
        b.replies().as_slice(),
        [(_, Reply::Status(Code::PermissionDenied, _))]
    ));
    assert_eq!(
        b.target.content("/home/u/a.txt"),
        Some(b"hello world".as_slice())
    );
}

#[test]
fn the_judge_sees_which_mode_a_new_file_gets() {
    let mut b = Bench::new();
    b.silent = true;
    let request = on(
        OnPath::Mkdir {
            permissions: Some(0o4_777),
        },
        "new",
    );
    b.send(&request);
    b.run().unwrap();
    let ask = b.held.take().unwrap();
    assert_eq!(ask.attributes.permissions, Some(0o4_777));
}

#[test]
fn nothing_more_is_decoded_while_a_question_is_open() {
    let mut b = Bench::new();
    b.silent = true;
    b.send(&on(OnPath::Remove, "a.txt"));
    b.send(&on(OnPath::Remove, "dir/b.txt"));
    b.run().unwrap();
    assert_eq!(b.asks.len(), 1);
    assert!(!b.sftp.wants_client());
    b.silent = false;
    let ask = b.held.take().unwrap();
    b.judge(ask);
    b.run().unwrap();
    assert_eq!(b.asks.len(), 2);
    assert_eq!(b.target.done().len(), 2);
}

#[test]
fn a_frame_that_was_cleared_for_another_question_goes_nowhere() {
    let mut b = Bench::new();
    b.silent = true;
    b.send(&on(OnPath::Remove, "a.txt"));
    b.run().unwrap();
    let other = b.gate.clear("something else".into());
    let event = b.sftp.answer(crate::ssh::sftp::Verdict::Pass {
        cleared: other,
        lane: None,
        masks: None,
    });
    assert!(event.is_some());
    b.run().unwrap();
    assert!(b.target.done().is_empty());
    assert_eq!(b.replies().len(), 1);
}

#[test]
fn opens_nothing_without_a_lane() {
    let mut b = Bench::new();
    b.silent = true;
    b.send(&open("a.txt", READ));
    b.run().unwrap();
    let ask = b.held.take().unwrap();
    let cleared = b.gate.clear(ask.frame);
    let pass = crate::ssh::sftp::Verdict::Pass {
        cleared,
        lane: None,
        masks: None,
    };
    assert!(b.sftp.answer(pass).is_some());
    b.run().unwrap();
    assert!(b.target.done().is_empty());
}

#[test]
fn an_answer_without_a_question_does_nothing() {
    let mut b = Bench::new();
    assert!(
        b.sftp
            .answer(crate::ssh::sftp::Verdict::Deny(denial()))
            .is_none()
    );
    assert!(b.sftp.to_client.is_empty());
}

#[test]
fn what_is_made_gets_its_mode_and_nothing_else() {
    let mut b = Bench::new();
    // OPEN of `n` for writing, made, with all attributes.
    let mut frame: Vec<u8> = vec![3, 0, 0, 0, 9, 0, 0, 0, 1, b'n', 0, 0, 0, 10, 0, 0, 0, 15];
    frame.extend_from_slice(&[0; 16]);
    frame.extend_from_slice(&[0, 0, 1, 0xff, 0, 0, 0, 1, 0, 0, 0, 2]);
    b.from_client
        .extend_from_slice(&u32::try_from(frame.len()).unwrap().to_be_bytes());
    b.from_client.extend_from_slice(&frame);
    b.run().unwrap();
    let Some(Request::Path(OnPath::Open { permissions, .. }, _)) = b.target.asked.last() else {
        panic!("{:?}", b.target.asked);
    };
    assert_eq!(*permissions, Some(0o777));
}

#[test]
fn a_question_fits_one_line_that_no_other_has() {
    let mode = Attributes {
        owner: Some((1, 2)),
        permissions: Some(0o600),
        times: Some((3, 4)),
        ..SIZE
    };
    for (request, line) in [
        (
            open("new", WRITE | CREATE | EXCLUSIVE),
            r#"OPEN write create exclusive "/home/u/new" permissions=0644"#,
        ),
        (on(OnPath::Lstat, "a\"\n"), r#"LSTAT "/home/u/a\"\n""#),
        (
            on(OnPath::Setstat(mode), "a.txt"),
            r#"SETSTAT "/home/u/a.txt" size=3 owner=1:2 permissions=0600 times=3,4"#,
        ),
        (
            two(OnTwo::PosixRename, "a.txt", "dir/b.txt"),
            r#"posix-rename@openssh.com "/home/u/a.txt" "/home/u/dir/b.txt""#,
        ),
        (
            two(OnTwo::Symlink, "../a.txt", "dir/n"),
            r#"SYMLINK "/home/u/dir/n" "/home/u/a.txt" text="../a.txt""#,
        ),
    ] {
        let mut b = Bench::new();
        b.silent = true;
        b.send(&request);
        b.run().unwrap();
        assert_eq!(b.held.unwrap().line, line);
    }
}
