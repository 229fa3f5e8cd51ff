//! Files of a host whose contents are masked: by every client that copies by SFTP, and by no other way.

use super::{WEB, World};
use crate::world::{READER, WRITER};
use brattice_testkit::ssh_client::SshLibrary;
use serde_json::json;
use std::fs;

const PLAIN: &str = "id,mail,card\n1,ada@example.com,4111 1111 1111 1111\n2,nobody,none\n";
const SHOWN: &str = "id,mail,card\n1,***************,*******************\n2,nobody,none\n";

fn world() -> World {
    World::of(&Default::default(), |sshd, bundle| {
        let host = bundle.hosts.iter_mut().find(|h| h.name == WEB).unwrap();
        host.more = "mask_files = true".to_owned();
        let public = fs::canonicalize(sshd.home()).unwrap().join("public");
        bundle.policies.push((
            "policies/files.cedar".to_owned(),
            format!(
                "@id(\"public-files-as-they-are\") permit (principal in Group::\"dev/agents\", \
                 action == Action::\"ssh.reveal\", resource is File) \
                 when {{ resource.path like \"{}/*\" }};",
                public.display()
            ),
        ));
    })
}

#[test]
fn values_in_copied_files_are_masked_in_place_by_every_client() {
    let world = world();
    let home = world.sshd.home();
    // Longer than what is read at once, with values around each place where a read may be cut.
    let many = PLAIN.repeat(40_000);
    let all_shown = SHOWN.repeat(40_000);
    fs::write(home.join("customers.csv"), PLAIN).unwrap();
    fs::write(home.join("many.csv"), &many).unwrap();
    let (reader, writer) = (world.client(READER, WEB), world.client(WRITER, WEB));
    let to = reader.home().join("got");
    let here = to.display().to_string();
    for (name, expected) in [("customers.csv", SHOWN), ("many.csv", all_shown.as_str())] {
        let there = format!("target:{name}");
        let control = world.direct();
        assert!(control.scp(&[], &there, &here).unwrap().is_good());
        assert!(
            fs::read_to_string(&to).unwrap().contains("ada@"),
            "the control"
        );
        fs::remove_file(&to).unwrap();
        let said = reader.scp(&[], &there, &here).unwrap();
        assert!(said.is_good(), "{said:?}");
        let got = fs::read_to_string(&to).unwrap();
        let at = got.bytes().zip(expected.bytes()).position(|(a, b)| a != b);
        assert!(
            got == expected,
            "scp {name}: {} of {} bytes, differs at {at:?}: {:?}",
            got.len(),
            expected.len(),
            at.map(|at| &got[at.saturating_sub(60)..(at + 60).min(got.len())])
        );
        assert!(
            said.err.contains("values in") && said.err.contains("email"),
            "{said:?}"
        );
        fs::remove_file(&to).unwrap();
        let said = reader.sftp(&format!("get {name} {here}\n")).unwrap();
        assert!(
            fs::read_to_string(&to).unwrap() == expected,
            "sftp {name}: {said:?}"
        );
        fs::remove_file(&to).unwrap();
    }
    let local = writer.home().join("local");
    fs::write(&local, PLAIN).unwrap();
    for library in [SshLibrary::Asyncssh, SshLibrary::Paramiko] {
        let order = json!({ "do": "sftp", "local": local, "remote": "sent", "back": to });
        let told = writer.library(library, order).unwrap();
        assert_eq!(
            fs::read_to_string(home.join("sent")).unwrap(),
            PLAIN,
            "{told}"
        );
        assert_eq!(fs::read_to_string(&to).unwrap_or_default(), SHOWN, "{told}");
        fs::remove_file(home.join("sent")).unwrap();
    }
    let recorded = world.replayed();
    assert!(recorded.contains("\"masked\":{\"email\":1"), "{recorded}");
    assert!(!recorded.contains("ada@example.com"), "{recorded}");
}

#[test]
fn what_cannot_be_masked_is_refused_and_what_a_rule_shows_is_shown() {
    let world = world();
    let home = world.sshd.home();
    let packed: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    fs::create_dir_all(home.join("public")).unwrap();
    fs::write(home.join("customers.csv"), PLAIN).unwrap();
    fs::write(home.join("packed.gz"), &packed).unwrap();
    fs::write(home.join("public/customers.csv"), PLAIN).unwrap();
    fs::write(home.join("public/packed.gz"), &packed).unwrap();
    let (reader, writer) = (world.client(READER, WEB), world.client(WRITER, WEB));
    let to = reader.home().join("got");
    let here = to.display().to_string();

    let said = reader.scp(&[], "target:packed.gz", &here).unwrap();
    assert!(
        !said.is_good() && said.err.contains("ssh.reveal"),
        "{said:?}"
    );
    assert!(fs::read(&to).unwrap_or_default().is_empty());
    for name in ["customers.csv", "packed.gz"] {
        // The old protocol's program is judged by what its line names, so by the whole path.
        let home = fs::canonicalize(&home).unwrap();
        let there = format!("target:{}/public/{name}", home.display());
        let expected = fs::read(home.join("public").join(name)).unwrap();
        for options in [&[][..], &["-O"][..]] {
            let said = reader.scp(options, &there, &here).unwrap();
            assert!(
                said.is_good() && fs::read(&to).unwrap() == expected,
                "{name} {options:?}: {said:?}"
            );
            fs::remove_file(&to).unwrap();
        }
    }
    // Programs that send files in a form of their own.
    let there = format!(
        "target:{}/customers.csv",
        fs::canonicalize(&home).unwrap().display()
    );
    for said in [
        reader.scp(&["-O"], &there, &here).unwrap(),
        reader.rsync(&["-a"], &there, &here).unwrap(),
    ] {
        assert!(
            !said.is_good() && said.err.contains("brattice.mask_files"),
            "{said:?}"
        );
        assert!(!to.exists(), "{said:?}");
    }
    let local = writer.home().join("local");
    fs::write(&local, PLAIN).unwrap();
    let said = writer
        .scp(&["-O"], &local.display().to_string(), "target:sent")
        .unwrap();
    assert!(said.is_good(), "what is sent up is not masked: {said:?}");
    assert_eq!(fs::read_to_string(home.join("sent")).unwrap(), PLAIN);
    // A second name would be one that a rule may show.
    let said = writer.sftp("ln customers.csv public/trick\n").unwrap();
    assert!(
        !said.is_good() && !home.join("public/trick").exists(),
        "{said:?}"
    );
    let said = writer.sftp("rename customers.csv public/trick\n").unwrap();
    assert!(
        !said.is_good() && home.join("customers.csv").exists(),
        "{said:?}"
    );
    // By its own name, wherever a link to it stands.
    std::os::unix::fs::symlink("../customers.csv", home.join("public/link")).unwrap();
    let said = reader.scp(&[], "target:public/link", &here).unwrap();
    assert!(
        said.is_good() && fs::read_to_string(&to).unwrap() == SHOWN,
        "{said:?}"
    );
    let said = reader.ssh(&[], "cat customers.csv", b"").unwrap();
    let out = String::from_utf8_lossy(&said.out).into_owned();
    assert!(out.contains("nobody") && !out.contains("ada@"), "{out}");
}
