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
    assert!(checked(&with("certificate = \"mine\"")).is_err());
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
