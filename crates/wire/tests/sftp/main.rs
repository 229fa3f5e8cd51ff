//! The SFTP machine in front of OpenSSH's own server, with a client of this test's and with OpenSSH's own.
//!
//! Here live the cases; the pump between both sides is beside them. The same machine is played against a small stand-in,
//! with liars on both sides, beside its code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "../../src/ssh/sftp/tests/gate.rs"]
#[allow(dead_code, reason = "the transcripts beside the code use more of it")]
mod gate;
#[path = "../../src/nobody.rs"]
mod nobody;
mod stage;

use brattice_core::ids::Digest;
use brattice_wire::ssh::sftp::reply::Reply;
use brattice_wire::ssh::sftp::request::{OnHandle, OnPath, OnTwo, Request};
use brattice_wire::ssh::sftp::{Attributes, Code, OpenFlags};
use bytes::Bytes;
use stage::Stage;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

const NEW: OpenFlags = OpenFlags {
    read: false,
    write: true,
    append: false,
    create: true,
    truncate: true,
    exclusive: false,
};
const OLD: OpenFlags = OpenFlags {
    read: true,
    write: false,
    append: false,
    create: false,
    truncate: false,
    exclusive: false,
};

fn on(what: OnPath, path: &str) -> Request {
    Request::Path(what, path.to_owned())
}

fn two(what: OnTwo, first: &str, second: &str) -> Request {
    Request::Two(what, first.to_owned(), second.to_owned())
}

fn opens(flags: OpenFlags) -> OnPath {
    OnPath::Open {
        flags,
        permissions: Some(0o640),
    }
}

fn open(stage: &mut Stage, flags: OpenFlags, path: &str) -> Bytes {
    match stage.call(&on(opens(flags), path)) {
        Reply::Handle(handle) => handle,
        other => panic!("{path}: {other:?}"),
    }
}

#[test]
fn a_file_goes_there_and_back_and_its_digest_is_told() {
    let mut stage = Stage::new("file");
    let data: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
    let up = open(&mut stage, NEW, "up");
    let mut sent = 0;
    for (at, piece) in data.chunks(32_768).enumerate() {
        let offset = at as u64 * 32_768;
        let data = Bytes::copy_from_slice(piece);
        stage.send(&Request::Handle(
            OnHandle::Write { offset, data },
            up.clone(),
        ));
        sent += 1;
    }
    stage.send(&Request::Handle(OnHandle::Close, up));
    for (_, reply) in stage.wait(sent + 1) {
        assert!(matches!(reply, Reply::Status(Code::Ok, _)), "{reply:?}");
    }
    assert_eq!(fs::read(stage.home.join("up")).unwrap(), data);
    let mode = fs::metadata(stage.home.join("up")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o640);
    let down = open(&mut stage, OLD, "up");
    let mut asked = 0;
    for offset in (0..data.len() as u64).step_by(32_768) {
        let length = 32_768;
        stage.send(&Request::Handle(
            OnHandle::Read { offset, length },
            down.clone(),
        ));
        asked += 1;
    }
    stage.send(&Request::Handle(OnHandle::Close, down));
    let got: Vec<u8> = stage
        .wait(asked + 1)
        .into_iter()
        .flat_map(|(_, reply)| match reply {
            Reply::Data(data) => data.to_vec(),
            _ => Vec::new(),
        })
        .collect();
    assert_eq!(got, data);
    let digest = Some(Digest::of(&data).0);
    let [up, down] = stage.files.as_slice() else {
        panic!("{:?}", stage.files);
    };
    assert_eq!(up.written.unwrap().sha256, digest);
    assert_eq!(down.read.unwrap().sha256, digest);
    assert_eq!(down.read.unwrap().bytes, data.len() as u64);
}

#[test]
fn each_request_does_on_the_real_server_what_it_says() {
    let mut s = Stage::new("each");
    let home = s.home.clone();
    fs::write(home.join("a"), "a").unwrap();
    let mode = Attributes {
        permissions: Some(0o600),
        ..Attributes::default()
    };
    s.ok(&on(OnPath::Mkdir { permissions: None }, "d"));
    s.ok(&on(OnPath::Setstat(mode), "a"));
    assert_eq!(fs::metadata(home.join("a")).unwrap().mode() & 0o777, 0o600);
    s.ok(&two(OnTwo::Rename, "a", "d/b"));
    s.ok(&two(OnTwo::Hardlink, "d/b", "c"));
    fs::write(home.join("e"), "e").unwrap();
    assert_eq!(s.code(&two(OnTwo::Rename, "e", "c")), Code::Failure);
    s.ok(&two(OnTwo::PosixRename, "e", "c"));
    s.ok(&two(OnTwo::Symlink, "../c", "d/link"));
    assert_eq!(fs::read_to_string(home.join("d/link")).unwrap(), "e");
    let Reply::Names(names) = s.call(&on(OnPath::Readlink, "d/link")) else {
        panic!("no name");
    };
    assert_eq!(names[0].name, "../c");
    let Reply::Names(names) = s.call(&on(OnPath::Realpath, "d/./link")) else {
        panic!("no name");
    };
    assert_eq!(names[0].name, home.join("c").to_str().unwrap());
    let times = Attributes {
        times: Some((7, 8)),
        ..Attributes::default()
    };
    s.ok(&on(OnPath::Lsetstat(times), "d/link"));
    assert_eq!(
        fs::symlink_metadata(home.join("d/link")).unwrap().mtime(),
        8
    );
    for what in [OnPath::Stat, OnPath::Lstat] {
        assert_eq!(s.call(&on(what, "c")).kind(), "ATTRS");
    }
    assert_eq!(s.call(&on(OnPath::Statvfs, ".")).kind(), "EXTENDED_REPLY");
    let Reply::Figures(limits) = s.call(&Request::Limits) else {
        panic!("no limits");
    };
    assert_eq!(limits[1..3], [255 << 10, 255 << 10]);
    let file = open(&mut s, NEW, "new");
    s.ok(&Request::Handle(OnHandle::Fsync, file.clone()));
    s.ok(&Request::Handle(OnHandle::Fsetstat(mode), file.clone()));
    for (what, kind) in [
        (OnHandle::Fstat, "ATTRS"),
        (OnHandle::Fstatvfs, "EXTENDED_REPLY"),
    ] {
        assert_eq!(s.call(&Request::Handle(what, file.clone())).kind(), kind);
    }
    s.ok(&Request::Handle(OnHandle::Close, file));
    let Reply::Handle(directory) = s.call(&on(OnPath::Opendir, "d")) else {
        panic!("no handle");
    };
    let Reply::Names(names) = s.call(&Request::Handle(OnHandle::Readdir, directory.clone())) else {
        panic!("no names");
    };
    assert_eq!(names.len(), 4);
    s.ok(&Request::Handle(OnHandle::Close, directory));
    s.ok(&on(OnPath::Remove, "d/link"));
    s.ok(&on(OnPath::Remove, "d/b"));
    s.ok(&on(OnPath::Rmdir, "d"));
    assert!(!home.join("d").exists());
    assert!(s.refused.is_empty(), "{:?}", s.refused);
}

#[test]
fn names_mean_to_the_judge_what_they_mean_to_the_server() {
    let mut s = Stage::new("names");
    let home = s.home.clone();
    fs::create_dir(home.join("d")).unwrap();
    symlink(s.secret(), home.join("vault")).unwrap();
    symlink(s.secret().join("key"), home.join("key")).unwrap();
    symlink(s.secret().join("new"), home.join("soon")).unwrap();
    symlink("/no/where", home.join("dead")).unwrap();
    symlink("loop", home.join("loop")).unwrap();
    let new_directory = OnPath::Mkdir { permissions: None };
    for request in [
        on(opens(OLD), "key"),
        on(opens(OLD), "vault/key"),
        on(opens(OLD), "d/../vault/key"),
        on(opens(NEW), "soon"),
        on(opens(NEW), "vault/new"),
        on(new_directory, "vault/new/er"),
        on(OnPath::Opendir, "vault"),
        on(OnPath::Stat, "key"),
        on(OnPath::Remove, "vault/key"),
        two(OnTwo::Rename, "vault/key", "mine"),
        two(OnTwo::Hardlink, "key", "mine"),
        two(OnTwo::Symlink, "vault/key", "mine"),
        two(OnTwo::Symlink, "../secret/key", "mine"),
    ] {
        assert_eq!(s.code(&request), Code::PermissionDenied, "{request:?}");
    }
    for request in [
        on(opens(NEW), "dead"),
        on(opens(NEW), "loop"),
        on(opens(NEW), "loop/x"),
    ] {
        assert_eq!(s.code(&request), Code::Failure, "{request:?}");
    }
    assert_eq!(s.refused.len(), 3);
    assert_eq!(fs::read_to_string(s.secret().join("key")).unwrap(), "k");
    assert_eq!(fs::read_dir(s.secret()).unwrap().count(), 1);
    assert!(!home.join("mine").exists());
    // What a link is not followed for stays possible.
    s.ok(&on(OnPath::Remove, "dead"));
    s.ok(&on(OnPath::Remove, "key"));
}

#[test]
fn a_name_below_what_may_not_be_searched_is_judged_all_the_same() {
    let mut s = Stage::new("closed");
    let closed = s.home.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let _code = s.call(&on(OnPath::Stat, "closed/a/b"));
    let path = closed.join("a/b");
    assert_eq!(s.asks.last().unwrap(), &format!("Stat {}", path.display()));
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn openssh_s_own_client_gets_puts_and_is_told_what_is_refused() {
    let mut s = Stage::before("client");
    let home = s.home.clone();
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 249) as u8).collect();
    fs::write(home.join("here"), &data).unwrap();
    symlink(s.secret(), home.join("vault")).unwrap();
    let local = s.root.join("local");
    fs::create_dir(&local).unwrap();
    let commands = format!(
        "-get vault/key {local}/key\nget here {local}/there\nput -p {local}/there back\nmkdir d\nrename back d/moved\n\
         ln d/moved hard\nln -s d/moved soft\nls -l d\ndf .\nchmod 600 d/moved\n-rm vault/key\nrm hard\ncd d\npwd\nrm moved\ncd ..\nrmdir d\nbye\n",
        local = local.display()
    );
    let said = s.client(&commands);
    // This client tells the code, and not the text that comes with it.
    assert!(said.contains("Permission denied"), "{said}");
    assert!(said.contains("moved"), "{said}");
    assert_eq!(fs::read(local.join("there")).unwrap(), data);
    assert!(!local.join("key").exists());
    assert!(!home.join("hard").exists() && !home.join("d").exists());
    assert_eq!(fs::read_to_string(s.secret().join("key")).unwrap(), "k");
    let digest = Some(Digest::of(&data).0);
    let read = s.files.iter().find_map(|f| f.read).unwrap();
    let written = s.files.iter().find_map(|f| f.written).unwrap();
    assert_eq!((read.sha256, written.sha256), (digest, digest));
}
