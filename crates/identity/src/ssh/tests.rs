//! What can be said of certificates without a client.

use super::*;
use std::process::Command;

struct Counting;
impl Randomness for Counting {
    fn fill(&self, buf: &mut [u8]) -> Result<(), RecordFailed> {
        (0..).zip(buf.iter_mut()).for_each(|(i, b)| *b = i ^ 0x5a);
        Ok(())
    }
}

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|n| (*n).to_owned()).collect()
}

fn terms<'a>(holder: For<'a>, principals: &'a [String]) -> Terms<'a> {
    Terms {
        holder,
        key_id: "crd_1 dev/etl-7",
        principals,
        after: NOW,
        before: Timestamp(NOW.0 + 900_000_000),
    }
}

#[test]
fn ssh_keygen_reads_a_user_certificate_as_it_was_meant() {
    let authority = Authority::new(new_key(&Counting).unwrap()).unwrap();
    let subject = new_key(&Counting).unwrap();
    let from = ["10.0.0.0/24".parse().unwrap(), "::1/128".parse().unwrap()];
    let principals = names(&["deploy@web-1", "web-1"]);
    let certificate = authority
        .certify(
            subject.public_key(),
            &terms(For::User(&from), &principals),
            &Counting,
        )
        .unwrap();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key-cert.pub");
    std::fs::write(&path, certificate.to_openssh().unwrap()).unwrap();
    let shown = Command::new("ssh-keygen")
        .args(["-L", "-f"])
        .arg(&path)
        .env("TZ", "UTC")
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    for part in [
        "ssh-ed25519-cert-v01@openssh.com user certificate",
        "Key ID: \"crd_1 dev/etl-7\"",
        "from 2023-11-14T22:13:20 to 2023-11-14T22:28:20",
        "deploy@web-1\n                web-1\n",
        "source-address 10.0.0.0/24,::1/128",
        "Extensions: \n                permit-pty\n",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_host_certificate_has_neither_options_nor_extensions() {
    let authority = Authority::new(new_key(&Counting).unwrap()).unwrap();
    let principals = names(&["gw.example.com"]);
    let subject = new_key(&Counting).unwrap();
    let certificate = authority
        .certify(
            subject.public_key(),
            &terms(For::Host, &principals),
            &Counting,
        )
        .unwrap();
    assert!(certificate.cert_type().is_host());
    assert!(certificate.critical_options().is_empty() && certificate.extensions().is_empty());
}

#[test]
fn nobody_is_never_certified() {
    let authority = Authority::new(new_key(&Counting).unwrap()).unwrap();
    let subject = new_key(&Counting).unwrap();
    let made = authority.certify(subject.public_key(), &terms(For::User(&[]), &[]), &Counting);
    assert!(matches!(made, Err(SshError::Nobody)));
}

#[test]
fn only_keys_whose_logins_can_be_checked_are_certified() {
    let key = new_key(&Counting).unwrap();
    let text = key.public_key().to_openssh().unwrap();
    let read = subject(&format!("{text} alice@laptop\n")).unwrap();
    assert_eq!(key_sha256(&read), key_sha256(key.public_key()));
    assert!(matches!(
        subject("ssh-ed25519 AAAA"),
        Err(SshError::NotAKey)
    ));
    assert!(matches!(
        subject(&format!("{text}\n{text}")),
        Err(SshError::NotAKey)
    ));
    assert!(matches!(subject(""), Err(SshError::NotAKey)));
    let certified = Authority::new(new_key(&Counting).unwrap())
        .unwrap()
        .certify(
            key.public_key(),
            &terms(For::User(&[]), &names(&["x"])),
            &Counting,
        )
        .unwrap();
    // A certificate is no key, also not as something to certify.
    assert!(subject(&certified.to_openssh().unwrap()).is_err());
    let security_key = "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAICFo/k5LU8863u66YC9eUO2170QduohPURkQnbLa/dczAAAABHNzaDo=";
    assert!(matches!(subject(security_key), Err(SshError::Kind(_))));
}
