//! Names are settled by the target before anybody judges them.

use super::bench::*;
use super::target::{Node, Target};
use crate::ssh::sftp::Code;
use crate::ssh::sftp::reply::Reply;
use crate::ssh::sftp::request::{OnPath, OnTwo};

#[test]
fn a_link_to_something_forbidden_is_refused_where_it_is_followed() {
    for request in [
        open("key", READ),
        open("vault/key", READ),
        open("dir/../vault/./key", READ),
        open("soon", WRITE | CREATE),
        on(OnPath::Opendir, "vault"),
        on(OnPath::Stat, "key"),
        on(OnPath::Realpath, "key"),
        on(OnPath::Remove, "vault/key"),
        on(OnPath::Lstat, "vault/key"),
        on(OnPath::Mkdir { permissions: None }, "vault/new"),
        on(OnPath::Mkdir { permissions: None }, "vault/new/deep/er"),
        two(OnTwo::Rename, "vault/key", "mine"),
        two(OnTwo::Rename, "a.txt", "vault/a"),
        two(OnTwo::Hardlink, "key", "mine"),
    ] {
        for lenient in [true, false] {
            let mut target = Target::new();
            target.lenient = lenient;
            let mut b = Bench::with(target);
            let before = b.target.tree.clone();
            let _reply = b.call(&request);
            assert!(b.target.done().is_empty(), "{request:?}");
            assert_eq!(b.target.tree, before);
        }
    }
}

#[test]
fn a_link_itself_may_be_looked_at_and_removed() {
    let mut b = Bench::new();
    assert!(matches!(
        b.call(&on(OnPath::Readlink, "key")),
        Reply::Names(names) if names[0].name == "/secret/key"
    ));
    assert_eq!(b.call(&on(OnPath::Lstat, "key")).kind(), "ATTRS");
    assert_eq!(b.code(&on(OnPath::Remove, "dead")), Code::Ok);
    assert_eq!(b.code(&on(OnPath::Remove, "loop")), Code::Ok);
    assert_eq!(b.code(&on(OnPath::Remove, "key")), Code::Ok);
    assert_eq!(b.target.content("/secret/key"), Some(b"k".as_slice()));
}

#[test]
fn the_frame_carries_the_path_that_was_judged() {
    let mut b = Bench::new();
    let _handle = b.opens("up/./b.txt", READ);
    assert_eq!(b.asks, ["Read /home/u/dir/b.txt"]);
    assert_eq!(b.target.done(), [&open("/home/u/dir/b.txt", READ)]);
}

#[test]
fn what_does_not_exist_is_judged_where_it_would_be() {
    for lenient in [true, false] {
        let mut target = Target::new();
        target.lenient = lenient;
        let mut b = Bench::with(target);
        let _handle = b.opens("up/new", WRITE | CREATE);
        assert_eq!(b.target.content("/home/u/dir/new"), Some(b"".as_slice()));
        assert_eq!(
            b.code(&on(OnPath::Stat, "up/no/such/file")),
            Code::NoSuchFile
        );
        assert_eq!(b.asks[1], "Stat /home/u/dir/no/such/file");
    }
}

#[test]
fn a_client_cannot_tell_what_exists_where_it_may_not_look() {
    let mut b = Bench::new();
    b.target
        .tree
        .insert("/secret/d".to_owned(), Node::Directory);
    let answers = [
        "/secret/d/x",
        "/secret/no/x",
        "/secret/key",
        "/secret/key/x",
    ]
    .map(|path| b.call(&on(OnPath::Stat, path)));
    assert!(answers.iter().all(|a| a == &answers[0]), "{answers:?}");
}

#[test]
fn a_link_whose_end_cannot_be_found_is_refused() {
    for path in ["dead", "loop", "loop/x", "dead/x"] {
        let mut b = Bench::new();
        let text = b.text(&open(path, WRITE | CREATE));
        assert!(text.contains("symbolic link whose end"), "{path}: {text}");
        assert!(b.asks.is_empty() && b.target.done().is_empty());
        assert_eq!(b.refused.len(), 1);
    }
}

#[test]
fn a_link_to_what_is_not_there_yet_leads_to_its_end() {
    // OpenSSH's REALPATH tells it; a stricter one does not, and then nobody knows.
    let mut b = Bench::new();
    b.target
        .tree
        .insert("/home/u/next".to_owned(), Node::Link("dir/next".to_owned()));
    let _handle = b.opens("next", WRITE | CREATE);
    assert_eq!(b.target.content("/home/u/dir/next"), Some(b"".as_slice()));
    let mut target = Target::new();
    target.lenient = false;
    target.tree = b.target.tree.clone();
    target.tree.remove("/home/u/dir/next");
    let mut b = Bench::with(target);
    assert_eq!(b.code(&open("next", WRITE | CREATE)), Code::Failure);
    assert!(b.target.done().is_empty());
}

#[test]
fn a_file_that_must_be_new_is_not_made_at_the_end_of_a_link() {
    let mut b = Bench::new();
    let _reply = b.call(&open("soon", WRITE | CREATE | EXCLUSIVE));
    assert_eq!(b.asks.len(), 1);
    assert!(b.asks[0].ends_with(" /home/u/soon"), "{:?}", b.asks);
}

#[test]
fn a_target_that_leaves_links_in_place_is_found_out() {
    let mut target = Target::new();
    target.textual = true;
    let mut b = Bench::with(target);
    assert_eq!(b.code(&open("key", READ)), Code::Failure);
    assert!(b.target.done().is_empty());
}

#[test]
fn the_judge_sees_where_a_new_link_leads() {
    for (text, place, asked) in [
        ("/secret/key", "n", Some("/home/u/n /secret/key")),
        ("../../secret/key", "n", Some("/home/u/n /secret/key")),
        ("../../../../secret", "up/n", Some("/home/u/dir/n /secret")),
        ("key", "n", Some("/home/u/n /secret/key")),
        ("vault", "n", Some("/home/u/n /secret")),
        ("vault/later", "n", Some("/home/u/n /secret/later")),
        ("dir/../../../secret", "n", None),
        ("dead", "n", None),
        ("", "n", None),
    ] {
        let mut b = Bench::new();
        let before = b.target.tree.clone();
        let _reply = b.call(&two(OnTwo::Symlink, text, place));
        let asks: Vec<String> = asked.iter().map(|a| format!("SymbolicLink {a}")).collect();
        assert_eq!(b.asks, asks, "{text}");
        assert_eq!(b.target.tree, before, "{text}");
        assert_eq!(b.refused.len(), usize::from(asked.is_none()));
    }
}

#[test]
fn a_links_text_is_written_as_it_came() {
    let mut b = Bench::new();
    assert_eq!(b.code(&two(OnTwo::Symlink, "../a.txt", "dir/n")), Code::Ok);
    assert_eq!(b.asks, ["SymbolicLink /home/u/dir/n /home/u/a.txt"]);
    assert_eq!(
        b.target.tree.get("/home/u/dir/n"),
        Some(&Node::Link("../a.txt".to_owned()))
    );
}

#[test]
fn paths_beyond_their_maximum_are_answered_and_go_nowhere() {
    let mut b = Bench::new();
    let before = b.target.asked.len();
    let long = format!("/{}", "a/".repeat(2_048));
    assert_eq!(b.code(&on(OnPath::Stat, &long)), Code::BadMessage);
    // Within the maximum as sent, beyond it from the start directory.
    let long = "a".repeat(4_095);
    assert_eq!(b.code(&on(OnPath::Stat, &long)), Code::BadMessage);
    assert_eq!(b.target.asked.len(), before);
}

#[test]
fn a_name_that_is_too_deep_to_settle_is_refused() {
    let mut b = Bench::new();
    let deep = format!("/no{}", "/a".repeat(500));
    assert_eq!(b.code(&on(OnPath::Stat, &deep)), Code::Failure);
    assert!(b.asks.is_empty());
}
