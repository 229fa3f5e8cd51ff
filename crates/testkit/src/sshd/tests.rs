//! That servers let in whom they should, know their clients' ways to know them, and end with all that they began.

use super::*;
use crate::client::Running;
use crate::ssh_client::{SshAgent, SshClient, SshLogin, SshProof};
use std::time::Duration;

fn login(sshd: &Sshd, proof: SshProof) -> SshLogin {
    SshLogin {
        port: sshd.port(),
        user: sshd.user().to_owned(),
        proof,
        known_hosts: sshd.known_hosts(),
    }
}

fn lets_in(login: SshLogin) -> bool {
    let client = SshClient::new(login).unwrap();
    let said = client.ssh(&[], "true", b"").unwrap();
    assert!(matches!(said.code(), Some(0 | 255)), "{said:?}");
    said.is_good()
}

fn key(key: &SshKey) -> SshProof {
    SshProof::Key(key.private().to_owned())
}

#[tokio::test]
async fn lets_in_the_welcome_key_and_the_password_and_nobody_else() {
    let sshd = Sshd::start(SshdOptions {
        password: true,
        ..SshdOptions::default()
    })
    .await
    .unwrap();
    let agent = SshAgent::start(&[sshd.key().private()]).unwrap();
    let password = sshd.password().unwrap().to_owned();
    let cases = [
        (key(sshd.key()), true),
        (SshProof::Agent(agent.socket()), true),
        (SshProof::Password(password.clone()), true),
        (key(sshd.stranger()), false),
        (SshProof::Password(format!("{password}x")), false),
    ];
    for (proof, expected) in cases {
        assert_eq!(lets_in(login(&sshd, proof.clone())), expected, "{proof:?}");
    }
    assert!(!sshd.log().contains(&password));
}

#[test]
fn certificates_let_in_whom_they_name_while_they_are_good() {
    let dir = tempfile::tempdir().unwrap();
    let ca = SshKey::create(&dir.path().join("ca"), KeyKind::Ed25519).unwrap();
    let other_ca = SshKey::create(&dir.path().join("other"), KeyKind::Ed25519).unwrap();
    let agent = SshKey::create(&dir.path().join("agent"), KeyKind::Ecdsa).unwrap();
    let sshd = Sshd::start_now(&SshdOptions {
        user_ca: Some(ca.public().to_owned()),
        principals: vec!["agents".to_owned()],
        ..SshdOptions::default()
    })
    .unwrap();
    let cases = [
        (&ca, "agents", "-1m:+5m", true),
        (&ca, "people", "-1m:+5m", false),
        (&ca, "agents", "-5m:-1m", false),
        (&other_ca, "agents", "-1m:+5m", false),
    ];
    for (number, (ca, principal, valid, expected)) in cases.into_iter().enumerate() {
        let certificate = dir.path().join(format!("{number}-cert.pub"));
        let terms = Terms {
            host: false,
            id: "test",
            principals: &[principal],
            valid,
            options: &[],
        };
        ca.certify(&agent, &terms, &certificate).unwrap();
        let proof = SshProof::Certificate {
            key: agent.private().to_owned(),
            certificate,
        };
        assert_eq!(lets_in(login(&sshd, proof)), expected, "case {number}");
    }
}

#[test]
fn is_known_by_its_key_of_any_kind_or_by_its_authority_and_not_by_another() {
    for kind in [KeyKind::Ed25519, KeyKind::Ecdsa, KeyKind::Rsa] {
        let sshd = Sshd::start_now(&SshdOptions {
            host_key: kind,
            host_certificate: kind == KeyKind::Ed25519,
            ..SshdOptions::default()
        })
        .unwrap();
        assert!(lets_in(login(&sshd, key(sshd.key()))), "{kind:?}");
        let by = |public: &str| SshLogin {
            known_hosts: known_hosts_line(sshd.port(), public),
            ..login(&sshd, key(sshd.key()))
        };
        assert!(lets_in(by(sshd.host_key().public())), "{kind:?}");
        assert!(!lets_in(by(sshd.stranger().public())), "{kind:?}");
    }
}

#[test]
fn sessions_end_with_the_server() {
    let sshd = Sshd::start_now(&SshdOptions::default()).unwrap();
    let dir = sshd.base.path().to_owned();
    let client = SshClient::new(login(&sshd, key(sshd.key()))).unwrap();
    let command = client.ssh_command(&[], "echo $PPID; echo there; sleep 600");
    let mut running = Running::start(command).unwrap();
    assert!(running.reads("there", Duration::from_secs(20)).is_some());
    drop(sshd);
    running.close();
    let said = running.wait(Duration::from_secs(20));
    assert_eq!(said.status.and_then(|status| status.code()), Some(255));
    let session: u32 = said.out.lines().next().unwrap().parse().unwrap();
    let state = fs::read_to_string(format!("/proc/{session}/stat")).unwrap_or_default();
    // One that nobody has reaped yet is as dead.
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
    assert!(!dir.exists());
}
