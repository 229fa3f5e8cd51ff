//! Commands by exec: what passes arrives as it was sent, what does not pass never arrives.

use super::{PROD, WEB, World};
use crate::world::{AUDITOR, OWNER, READER, WRITER};
use brattice_testkit::sshd::Ran;

#[test]
fn an_allowed_command_runs_as_it_was_sent_and_a_refused_one_never_arrives() {
    let world = World::new();
    let reader = world.client(READER, WEB);
    let home = world.sshd.home();
    std::fs::write(
        home.join("notes"),
        "call 4111 1111 1111 1111 or sam@example.com\n",
    )
    .unwrap();
    let mark = world.sshd.mark();

    // Input, output, errors and status.
    let said = reader.ssh(&[], "echo one; ls -d / ./nothing", b"").unwrap();
    assert_eq!(said.code(), Some(2), "{said:?}");
    assert!(said.text().starts_with("one\n/\n"), "{said:?}");
    assert!(said.err.contains("nothing"), "{said:?}");
    let said = reader.ssh(&[], "wc -c", b"12345").unwrap();
    assert_eq!(
        (said.code(), said.text().trim()),
        (Some(0), "5"),
        "{said:?}"
    );

    // Refused: the session says why, and the host never hears of it.
    let before = world.sshd.ran_since(mark).len();
    for (line, why) in [
        ("rm -rf ~/notes", "nothing permits ssh.remove"),
        ("touch ~/x", "nothing permits ssh.change"),
        ("frobnicate", "nothing permits ssh.run"),
        ("r\"\"m -rf ~/notes", "nothing permits ssh.remove"),
        ("$(echo rm) -rf ~/notes", "name must be spelled out"),
        (
            "echo cm0gLXJmIH4= | base64 -d | sh",
            "nothing permits ssh.run",
        ),
    ] {
        let said = reader.ssh(&[], line, b"").unwrap();
        assert_eq!(said.code(), Some(77), "{line}: {said:?}");
        assert!(said.err.contains(why), "{line}: {said:?}");
        assert!(said.err.contains("retry=false"), "{line}: {said:?}");
    }
    assert_eq!(world.sshd.ran_since(mark).len(), before);
    assert!(home.join("notes").exists());

    // The exact bytes that were judged are what the host's shell is given.
    let odd = "echo  'a  b'   \"c\"\\ d  # not a word";
    let said = reader.ssh(&[], odd, b"").unwrap();
    assert_eq!(said.text(), "a  b c d\n", "{said:?}");
    let ran = world.sshd.ran_since(mark);
    assert!(
        matches!(ran.last(), Some(Ran::Command(text)) if text == odd),
        "{ran:?}"
    );

    // What it shows is masked.
    let said = reader.ssh(&[], "cat ~/notes", b"").unwrap();
    assert!(
        !said.text().contains("4111") && !said.text().contains("sam@"),
        "{said:?}"
    );
    assert!(said.text().contains("[masked:"), "{said:?}");
    let straight = world.direct().ssh(&[], "cat ~/notes", b"").unwrap();
    assert!(
        straight.text().contains("4111 1111 1111 1111"),
        "{straight:?}"
    );
}

#[test]
fn large_streams_signals_and_statuses_arrive_whole() {
    let world = World::new();
    let owner = world.client(OWNER, WEB);
    let bytes: Vec<u8> = (0..8_u32 << 20)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80)
        .collect();
    let said = owner.ssh(&[], "cat", &bytes).unwrap();
    assert!(
        said.is_good() && said.out == bytes,
        "{} of {}",
        said.out.len(),
        bytes.len()
    );
    for status in [0, 1, 7, 255] {
        let said = owner.ssh(&[], &format!("exit {status}"), b"").unwrap();
        assert_eq!(said.code(), Some(status), "{said:?}");
    }
    // OpenSSH's client says 255 of a signal.
    let said = owner.ssh(&[], "kill -9 $$", b"").unwrap();
    assert_eq!(said.code(), Some(255), "{said:?}");
    let said = owner
        .ssh(
            &["-tt"],
            "test -t 0 && test -t 1 && echo on a terminal",
            b"",
        )
        .unwrap();
    assert!(said.text().contains("on a terminal"), "{said:?}");
    // A shell is one thing; whoever may not run anything has none.
    let said = owner.ssh(&["-tt"], "", b"echo $((6 * 7)); exit\n").unwrap();
    assert!(said.text().contains("42"), "{said:?}");
    let said = world
        .client(WRITER, WEB)
        .ssh(&["-tt"], "", b"id\n")
        .unwrap();
    assert_eq!(said.code(), Some(77), "{said:?}");
    assert!(
        said.text().contains("nothing permits ssh.shell"),
        "{said:?}"
    );
}

#[test]
fn a_session_is_on_record_with_what_it_ran() {
    let world = World::new();
    let client = world.client(READER, PROD);
    assert!(client.ssh(&[], "echo on record", b"").unwrap().is_good());
    assert_eq!(
        client.ssh(&[], "rm -rf /srv", b"").unwrap().code(),
        Some(77)
    );
    let sessions = world.get(AUDITOR, "/api/v1/sessions");
    let text = sessions.json().to_string();
    assert!(text.contains("prod-1"), "{text}");
}
