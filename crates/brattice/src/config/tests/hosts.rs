//! Hosts, and the keys of the listener for SSH.

use super::*;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

/// The minimal bundle with a host that is entered like this.
fn with(credential: &str) -> String {
    format!(
        "{MINIMAL}\n[targets.web-1]\nprotocol = \"ssh\"\nhost = \"web-1\"\nlabels = {{ env = \"test\" }}\n\
         user = \"deploy\"\nhost_keys = [\"{KEY}\"]\nshell = \"bash\"\n{credential}\n"
    )
}

#[test]
fn a_host_is_entered_in_one_way() {
    let bundle = checked(&with("certificate = \"gateway\"")).unwrap();
    let credential = &bundle.targets["web-1"].credential;
    assert_eq!(*credential, TargetCredential::Gateway);
    assert_eq!(credential.key(), "certificate");
    for beside in ["private_key = \"file:key\"", "password = \"env:PW\""] {
        let text = with(&format!("certificate = \"gateway\"\n{beside}"));
        let found = problem(&text, "targets.web-1.certificate");
        assert!(found.what.contains("beside"), "{found:?}");
    }
    let none = problem(&with(""), "targets.web-1.private_key");
    assert!(none.mend.contains("certificate = \"gateway\""), "{none:?}");
    let mine = problem(&with("certificate = \"mine\""), "targets.web-1.certificate");
    assert!(mine.mend.contains("gateway"), "{mine:?}");
}

#[test]
fn a_host_is_entered_by_certificates_that_a_vault_signs() {
    const VAULT: &str =
        "[vaults.corp]\naddress = \"https://vault.example.com\"\ntoken = \"file:/run/token\"\n";
    const AT: &str = "targets.web-1.certificate";
    for place in ["corp/ssh/sign/deploy", "corp/teams/ssh/sign/deploy"] {
        let text = with(&format!("certificate = \"vault:{place}\"\n{VAULT}"));
        let bundle = checked(&text).unwrap();
        let credential = &bundle.targets["web-1"].credential;
        assert_eq!(credential.key(), "certificate");
        let TargetCredential::Signed(path) = credential else {
            panic!("{credential:?}");
        };
        assert_eq!(path.to_string(), format!("vault:{place}"));
    }
    for (place, what) in [
        ("corp/ssh/issue/deploy", "where a vault signs"),
        ("corp/ssh/creds/deploy", "where a vault signs"),
        ("corp/ssh/sign/deploy#signed_key", "where a vault signs"),
        ("corp/sign/deploy", "where a vault signs"),
        ("corp/ssh/deploy/sign", "where a vault signs"),
        ("corp/ssh/sign/../sys", "who certifies"),
        ("corp", "who certifies"),
        ("crop/ssh/sign/deploy", "is not a vault of this bundle"),
    ] {
        let text = with(&format!("certificate = \"vault:{place}\"\n{VAULT}"));
        let found = problem(&text, AT);
        assert!(
            found.what.contains(what) && !found.mend.is_empty(),
            "{place}: {found:?}"
        );
    }
    // All that is wrong at once, and no key that was put in the wrong place.
    let both = with("certificate = \"canary\"\nprivate_key = \"file:key\"");
    let report = checked(&both).unwrap_err();
    assert!(!report.to_string().contains("canary"), "{report}");
    let found = report.problems.iter().filter(|p| p.path == AT);
    assert_eq!(found.count(), 2, "{report}");
}

#[test]
fn a_database_has_no_certificate_of_ssh() {
    let text = format!("{MINIMAL}certificate = \"gateway\"\n");
    let found = problem(&text, "targets.orders-db.certificate");
    assert!(found.what.contains("means nothing"), "{found:?}");
}

#[test]
fn the_keys_of_the_listener_are_files_of_the_bundle() {
    let keys = "[listen.ssh]\naddress = \"127.0.0.1:2222\"\nuser_ca = \"user_ca\"\ntarget_ca = \"/keys/target_ca\"\n";
    let bundle = checked(&format!("{MINIMAL}\n{keys}")).unwrap();
    let ssh = bundle.listen.ssh.unwrap();
    assert_eq!(ssh.user_ca, Some(PathBuf::from("/bundle/user_ca")));
    assert_eq!(ssh.target_ca, Some(PathBuf::from("/keys/target_ca")));
    assert_eq!((ssh.host_ca, ssh.host_key), (None, None));
}
