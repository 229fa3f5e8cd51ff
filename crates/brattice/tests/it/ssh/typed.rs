//! A typed shell: lines one at a time, each judged, held and run like a command of its own.

use super::{PROD, WEB, World};
use crate::world::{DBA, READER, WRITER};
use brattice_testkit::ssh_client::{SshClient, SshSaid};
use brattice_testkit::sshd::{Ran, SshdOptions};

const TYPED: &str = "brattice-typed";

fn typed(client: &SshClient, lines: &str) -> SshSaid {
    client.ssh(&["-T", "-s"], TYPED, lines.as_bytes()).unwrap()
}

/// How each line ended, and where the next one began.
fn ends(said: &SshSaid) -> Vec<&str> {
    let ends = said
        .err
        .lines()
        .filter_map(|line| line.strip_prefix("brattice: exit="));
    // The first says where the shell begins.
    ends.skip(1).collect()
}

#[test]
fn each_line_is_judged_and_run_where_the_lines_before_led() {
    let world = World::new();
    let reader = world.client(READER, WEB);
    let home = world.sshd.home();
    let app = home.join("my app");
    std::fs::create_dir_all(app.join("logs")).unwrap();
    std::fs::write(app.join("logs/today"), "mail sam@example.com\n").unwrap();
    let mark = world.sshd.mark();
    let here = app.display();

    let said = typed(
        &reader,
        &format!(
            "echo one\ncd '{here}'\n\ncat logs/today\ncd logs\npwd\nrm today\ncd nowhere\nfalse\ncd -\nexport LANG=C.UTF-8\necho $LANG\nls missing\nexit 3\necho never\n"
        ),
    );
    assert_eq!(said.code(), Some(3), "{said:?}");
    let out = said.text();
    assert!(out.starts_with("one\nmail [masked:email]\n"), "{said:?}");
    assert!(
        out.ends_with(&format!("{here}/logs\nC.UTF-8\n")),
        "{said:?}"
    );
    let quoted = format!("'{here}'");
    let logs = format!("'{here}/logs'");
    assert_eq!(
        ends(&said),
        [
            "0 cwd=~".to_owned(),
            format!("0 cwd={quoted}"),
            format!("0 cwd={quoted}"),
            format!("0 cwd={logs}"),
            format!("0 cwd={logs}"),
            format!("77 cwd={logs}"),
            format!("1 cwd={logs}"),
            format!("1 cwd={logs}"),
            format!("0 cwd={quoted}"),
            format!("0 cwd={quoted}"),
            format!("0 cwd={quoted}"),
            format!("2 cwd={quoted}"),
        ],
        "{said:?}"
    );
    assert!(said.err.contains("nothing permits ssh.remove"), "{said:?}");
    assert!(app.join("logs/today").exists());

    // The host was given what was judged, and nothing of what was refused.
    let ran: Vec<String> = world
        .sshd
        .ran_since(mark)
        .into_iter()
        .filter_map(|ran| match ran {
            Ran::Command(text) => Some(text),
            _ => None,
        })
        .collect();
    assert!(
        !ran.iter()
            .any(|text| text.contains("rm ") || text.contains("never")),
        "{ran:?}"
    );
    assert!(
        ran.contains(&format!("cd {quoted} || exit 1\ncat logs/today")),
        "{ran:?}"
    );
    assert!(
        ran.contains(&format!(
            "cd {quoted} || exit 1\nexport LANG=C.UTF-8\necho $LANG"
        )),
        "{ran:?}"
    );
    assert!(world.replayed().contains("cat logs/today"));
}

#[test]
fn lines_are_no_input_for_what_runs_and_one_that_waits_holds_up_the_next() {
    let world = World::new();
    let home = world.sshd.home();
    let reader = world.client(READER, WEB);
    // `cat` reads its input, which is at its end: the next line is a line, whenever it was sent.
    let said = typed(&reader, "cat\ntouch taken\nhead -c 5\necho still here");
    assert_eq!(said.text(), "still here\n", "{said:?}");
    assert_eq!(said.code(), Some(0), "{said:?}");
    assert!(!home.join("taken").exists());

    let writer = world.client(WRITER, PROD);
    let said = std::thread::scope(|scope| {
        let typing = scope.spawn(|| typed(&writer, "cd ~\ntouch ./made\nls made\n"));
        let id = world.question(DBA);
        assert!(!home.join("made").exists());
        world.answer(DBA, &id, true);
        typing.join().unwrap()
    });
    assert_eq!(said.text(), "made\n", "{said:?}");
    assert!(said.err.contains("code=held"), "{said:?}");
    // One that people refuse is refused; the shell goes on.
    let said = std::thread::scope(|scope| {
        let typing = scope.spawn(|| typed(&writer, "touch ~/other\necho next\n"));
        let id = world.question(DBA);
        world.answer(DBA, &id, false);
        typing.join().unwrap()
    });
    assert_eq!(said.text(), "next\n", "{said:?}");
    assert!(!home.join("other").exists());
}

#[test]
fn a_name_in_a_directory_that_was_entered_is_judged_by_its_whole_path() {
    let world = World::of(&SshdOptions::default(), |sshd, bundle| {
        let secrets = sshd.home().join("secrets");
        let rule = format!(
            "@id(\"no-secrets\")\nforbid (principal, action in Action::\"read\", resource in File::\"{WEB}{}\");\n\
             @id(\"not-anywhere\")\nforbid (principal, action == Action::\"ssh.download\", resource is File) when {{ resource.path == \"/\" }};\n",
            secrets.display()
        );
        bundle
            .policies
            .push(("policies/paths.cedar".to_owned(), rule));
    });
    let home = world.sshd.home();
    for dir in ["secrets", "open"] {
        std::fs::create_dir_all(home.join(dir)).unwrap();
        std::fs::write(home.join(dir).join("x"), format!("{dir}\n")).unwrap();
    }
    let reader = world.client(READER, WEB);
    let here = home.display();
    let said = typed(
        &reader,
        &format!(
            "cd {here}/open\ncat x\ncd {here}/secrets\ncat x\ncat < x\ncd ..\ncat secrets/x\ncat open/x\ncat open/../secrets/x\n(cd secrets; cat x)\ncat ./secrets/x\nhead secrets/*\ngrep -r e secrets\nfind secrets -type f -exec cat {{}} +\n"
        ),
    );
    assert_eq!(said.text(), "open\nopen\n", "{said:?}");
    assert!(said.err.contains("no-secrets"), "{said:?}");
    // The control: the host's account can read it.
    let straight = world.direct().ssh(&[], "cat secrets/x", b"").unwrap();
    assert_eq!(straight.text(), "secrets\n");
}

#[test]
fn what_cannot_be_a_line_ends_it_or_is_refused() {
    let world = World::new();
    let reader = world.client(READER, WEB);
    let said = reader.ssh(&["-tt", "-s"], TYPED, b"echo x\n").unwrap();
    assert_eq!(said.code(), Some(77), "{said:?}");
    assert!(said.text().contains("no terminal"), "{said:?}");

    let said = typed(
        &reader,
        &format!("echo {}\necho after\n", "x".repeat(40_000)),
    );
    assert_eq!(
        (said.code(), said.text().as_str()),
        (Some(77), ""),
        "{said:?}"
    );

    let said = reader
        .ssh(&["-T", "-s"], TYPED, b"echo \xff\necho after\n")
        .unwrap();
    assert_eq!(said.text(), "after\n", "{said:?}");
    for line in [
        "echo 'open",
        "f() { rm x; }; f",
        "bash",
        "cat <<E",
        "cd $(pwd)",
        "alias ls=rm",
    ] {
        let said = typed(&reader, &format!("{line}\necho after\n"));
        assert_eq!(said.text(), "after\n", "{line}: {said:?}");
        assert!(!ends(&said)[0].starts_with("0 "), "{line}: {said:?}");
    }
}

#[test]
fn a_variable_that_weighs_on_every_line_is_named_when_one_is_refused() {
    let world = World::new();
    let reader = world.client(READER, WEB);
    let said = typed(&reader, "X=ada\necho one\nunset X\necho two\n");
    assert_eq!(said.text(), "two\n", "{said:?}");
    assert!(said.err.contains("to drop it: unset X"), "{said:?}");
}

#[test]
fn lines_that_are_there_already_hold_up_nobody() {
    let world = World::new();
    let reader = world.client(READER, WEB);
    let began = std::time::Instant::now();
    let many = format!("sleep 1\n{}echo end\n", "\n".repeat(1 << 20));
    let said = typed(&reader, &many);
    assert_eq!(said.text(), "end\n", "{:?}", said.code());
    let took = began.elapsed();
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
}
