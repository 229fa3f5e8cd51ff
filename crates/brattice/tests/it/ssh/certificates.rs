//! Logging in with a certificate: whoever holds the key of one that is good gets in, and nobody else by anything near it.

use super::{PROD, WEB, World};
use crate::world::{AUDITOR, OWNER, READER, Who};
use brattice_testkit::ssh_client::{SshAgent, SshClient, SshLibrary, SshLogin, SshProof, SshSaid};
use brattice_testkit::sshd::{KeyKind, SshKey, known_hosts_line};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Keys and certificates of clients, in files.
struct Ring {
    dir: TempDir,
}

impl Ring {
    fn new() -> Ring {
        let dir = tempfile::tempdir().unwrap();
        Ring { dir }
    }

    fn key(&self, name: &str) -> SshKey {
        SshKey::create(&self.dir.path().join(name), KeyKind::Ed25519).unwrap()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Signed by a key that is in a file, on these terms: what an authority's owner could sign by hand.
    fn sign(&self, authority: &Path, key: &SshKey, name: &str, terms: &[&str]) -> PathBuf {
        let public = self.file(&format!("{name}.pub"), key.public());
        let done = Command::new("ssh-keygen")
            .args(["-q", "-s"])
            .arg(authority)
            .args(terms)
            .arg(&public)
            .status()
            .unwrap();
        assert!(done.success(), "{name}");
        self.dir.path().join(format!("{name}-cert.pub"))
    }
}

impl World {
    /// What the API answers who asks for a certificate.
    fn certified(&self, who: Who, target: &str, key: &SshKey, more: Value) -> Value {
        let mut body = json!({ "target": target, "public_key": key.public(), "ttl_seconds": 900 });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = self
            .gateway
            .api(
                "POST",
                "/api/v1/ssh/certificates",
                &self.token(who),
                Some(&body),
            )
            .unwrap();
        assert_eq!(reply.status, 201, "{reply:?}");
        reply.json()
    }

    /// The same, as the file of a certificate.
    fn certificate(&self, ring: &Ring, who: Who, target: &str, key: &SshKey) -> PathBuf {
        let body = self.certified(who, target, key, json!({}));
        let text = body["certificate"].as_str().unwrap();
        ring.file(&format!("{}-cert.pub", body["id"].as_str().unwrap()), text)
    }

    fn with(&self, user: &str, proof: SshProof) -> SshClient {
        SshClient::new(SshLogin {
            port: self.gateway.ssh_port(),
            user: user.to_owned(),
            proof,
            known_hosts: self.authority_line(),
        })
        .unwrap()
    }

    fn with_certificate(&self, user: &str, key: &SshKey, certificate: &Path) -> SshClient {
        self.with(
            user,
            SshProof::Certificate {
                key: key.private().to_owned(),
                certificate: certificate.to_owned(),
            },
        )
    }

    /// The one line by which clients know every gateway of this authority.
    fn authority_line(&self) -> String {
        let front = self.get(READER, "/api/v1/ssh").json();
        let key = front["host_ca"].as_str().unwrap().to_owned();
        format!(
            "@cert-authority {}",
            known_hosts_line(self.gateway.ssh_port(), &key)
        )
    }

    fn user_ca(&self) -> PathBuf {
        self.gateway.data_dir().join("ssh_user_ca_ed25519_key")
    }
}

fn is_out(said: &SshSaid) -> bool {
    said.code() == Some(255) && said.err.contains("Permission denied")
}

#[test]
fn a_certified_key_is_as_good_as_the_credential_behind_it() {
    let (world, ring) = (World::new(), Ring::new());
    let key = ring.key("key");
    let body = world.certified(READER, WEB, &key, json!({}));
    let file = ring.file("good-cert.pub", body["certificate"].as_str().unwrap());
    let id = body["id"].as_str().unwrap().to_owned();
    let usual = body["users"][0].as_str().unwrap().to_owned();
    assert_eq!(usual, format!("{}@{WEB}", world.sshd.user()));

    // From files, with the host known by its authority alone.
    for user in [usual.as_str(), WEB] {
        let said = world
            .with_certificate(user, &key, &file)
            .ssh(&[], "echo in", b"");
        let said = said.unwrap();
        assert_eq!(said.text(), "in\n", "{said:?}");
    }
    // It is READER who is in: what READER may not do is refused.
    let said = world
        .with_certificate(WEB, &key, &file)
        .ssh(&[], "rm -rf x", b"");
    assert_eq!(said.unwrap().code(), Some(77));
    // From an agent, which holds other keys too.
    let other = ring.key("other");
    let beside = ring.key("beside");
    fs::copy(&file, ring.dir.path().join("beside-cert.pub")).unwrap();
    fs::copy(key.private(), beside.private()).unwrap();
    let agent = SshAgent::start(&[other.private(), beside.private()]).unwrap();
    let said = world.with(WEB, SshProof::Agent(agent.socket()));
    let said = said.ssh(&[], "echo by agent", b"").unwrap();
    assert_eq!(said.text(), "by agent\n", "{said:?}");

    // Listed and revoked like every credential.
    let listed = world.get(READER, "/api/v1/credentials").json().to_string();
    assert!(listed.contains(&id), "{listed}");
    let path = format!("/api/v1/credentials/{id}/revoke");
    let token = world.token(READER);
    let done = world.gateway.api("POST", &path, &token, None).unwrap();
    assert_eq!(done.status, 200, "{done:?}");
    let said = world
        .with_certificate(WEB, &key, &file)
        .ssh(&[], "echo in", b"");
    assert!(is_out(&said.unwrap()));
}

#[test]
fn nothing_near_a_good_certificate_opens_anything() {
    let (world, ring) = (World::new(), Ring::new());
    let (key, other) = (ring.key("key"), ring.key("other"));
    let good = world.certificate(&ring, OWNER, WEB, &key);
    let id = key_id(&good);
    let ca = world.user_ca();
    let foreign = ring.key("foreign");
    let host_ca = world.gateway.data_dir().join("ssh_host_ca_ed25519_key");
    let mark = world.sshd.mark();
    let refused = |why: &str, user: &str, key: &SshKey, certificate: &Path| {
        let said = world
            .with_certificate(user, key, certificate)
            .ssh(&[], "echo in", b"");
        let said = said.unwrap();
        assert!(is_out(&said), "{why}: {said:?}");
    };
    let terms = |name: &str, authority: &Path, key: &SshKey, more: &[&str]| {
        let usual = ["-I", id.as_str(), "-V", "-5m:+5m"];
        ring.sign(authority, key, name, &[&usual, more].concat())
    };
    // The same things signed by our key, to see that it is the thing that is refused.
    let twin = terms("twin", &ca, &key, &["-n", WEB]);
    let said = world
        .with_certificate(WEB, &key, &twin)
        .ssh(&[], "echo in", b"");
    assert_eq!(said.unwrap().text(), "in\n");

    refused("another target", PROD, &key, &good);
    refused("another account", &format!("root@{WEB}"), &key, &good);
    refused(
        "another key",
        WEB,
        &other,
        &terms("stolen", &ca, &other, &["-n", WEB]),
    );
    refused(
        "a foreign authority",
        WEB,
        &key,
        &terms("far", foreign.private(), &key, &["-n", WEB]),
    );
    refused(
        "the hosts' authority",
        WEB,
        &key,
        &terms("hosts", &host_ca, &key, &["-n", WEB]),
    );
    refused(
        "one that is certified itself",
        WEB,
        &other,
        &terms("nested", key.private(), &other, &["-n", WEB]),
    );
    refused(
        "a host's",
        WEB,
        &key,
        &terms("host", &ca, &key, &["-h", "-n", WEB]),
    );
    refused("for anybody", WEB, &key, &terms("anybody", &ca, &key, &[]));
    refused(
        "for a part of the name",
        WEB,
        &key,
        &terms("part", &ca, &key, &["-n", "web,web-*,WEB-1"]),
    );
    refused(
        "of old",
        WEB,
        &key,
        &terms("old", &ca, &key, &["-n", WEB, "-V", "-2h:-1h"]),
    );
    refused(
        "of tomorrow",
        WEB,
        &key,
        &terms("early", &ca, &key, &["-n", WEB, "-V", "+1d:+2d"]),
    );
    refused(
        "from elsewhere",
        WEB,
        &key,
        &terms(
            "away",
            &ca,
            &key,
            &["-n", WEB, "-O", "source-address=192.0.2.0/24"],
        ),
    );
    refused(
        "with a command",
        WEB,
        &key,
        &terms("forced", &ca, &key, &["-n", WEB, "-O", "force-command=id"]),
    );
    refused(
        "with an unknown option",
        WEB,
        &key,
        &terms("odd", &ca, &key, &["-n", WEB, "-O", "critical:x@y=1"]),
    );
    refused(
        "of no credential",
        WEB,
        &key,
        &ring.sign(
            &ca,
            &key,
            "nobody",
            &["-I", "root", "-n", WEB, "-V", "-5m:+5m"],
        ),
    );
    // A credential with a secret is not proven by a key that is certified in its name.
    let (_, secret) = world.credential(OWNER, WEB);
    let of_secret = secret.split(':').next().unwrap().to_owned();
    refused(
        "of a secret",
        WEB,
        &key,
        &ring.sign(
            &ca,
            &key,
            "secret",
            &["-I", &of_secret, "-n", WEB, "-V", "-5m:+5m"],
        ),
    );
    // Nor is one of a key by a password.
    let said = world.client_as(WEB, &format!("{id}:{}", "a".repeat(32)));
    assert!(is_out(&said.ssh(&[], "echo in", b"").unwrap()));
    // The key alone, and the certificate with another key.
    let said = world.with(WEB, SshProof::Key(key.private().to_owned()));
    assert!(is_out(&said.ssh(&[], "echo in", b"").unwrap()));
    let said = world
        .with_certificate(WEB, &other, &good)
        .ssh(&[], "echo in", b"");
    assert!(is_out(&said.unwrap()));

    assert_eq!(world.sshd.ran_since(mark).len(), 1, "only the twin ran");
    // Why is on record, for those who read it.
    let record = world.get(AUDITOR, "/api/v1/audit?limit=100");
    let record = String::from_utf8_lossy(&record.body).into_owned();
    for why in ["does not name this user", "another key", "not signed by"] {
        assert!(record.contains(why), "{why} in {record}");
    }
}

#[test]
fn bounds_hold_for_keys_as_for_secrets() {
    let (world, ring) = (World::new(), Ring::new());
    let key = ring.key("key");
    let ask = |more: Value| {
        let body = world.certified(READER, WEB, &key, more);
        let id = body["id"].as_str().unwrap();
        ring.file(
            &format!("{id}-cert.pub"),
            body["certificate"].as_str().unwrap(),
        )
    };
    let says = |file: &Path| {
        let said = world
            .with_certificate(WEB, &key, file)
            .ssh(&[], "echo in", b"");
        said.unwrap()
    };
    let once = ask(json!({ "single_use": true }));
    assert_eq!(says(&once).text(), "in\n");
    assert!(is_out(&says(&once)));
    assert_eq!(
        says(&ask(json!({ "from": ["127.0.0.0/8"] }))).text(),
        "in\n"
    );
    assert!(is_out(&says(&ask(json!({ "from": ["192.0.2.7"] })))));

    // What cannot be certified is told, and what may not be is refused.
    let rsa = SshKey::create(&ring.dir.path().join("rsa"), KeyKind::Rsa).unwrap();
    let asked = |who: Who, target: &str, key: &str| {
        let body = json!({ "target": target, "public_key": key, "ttl_seconds": 60 });
        let token = world.token(who);
        let reply = world
            .gateway
            .api("POST", "/api/v1/ssh/certificates", &token, Some(&body));
        reply.unwrap().status
    };
    assert_eq!(asked(READER, WEB, rsa.public()), 400);
    assert_eq!(asked(READER, WEB, "ssh-ed25519 AAAA"), 400);
    assert_eq!(asked(READER, "no-such-host", key.public()), 403);
    let ecdsa = SshKey::create(&ring.dir.path().join("ecdsa"), KeyKind::Ecdsa).unwrap();
    let file = world.certificate(&ring, READER, WEB, &ecdsa);
    let said = world
        .with_certificate(WEB, &ecdsa, &file)
        .ssh(&[], "echo in", b"");
    assert_eq!(said.unwrap().text(), "in\n");
}

#[test]
fn a_session_ends_with_the_credential_of_its_certificate() {
    let (world, ring) = (World::new(), Ring::new());
    let key = ring.key("key");
    let file = world.certificate(&ring, OWNER, WEB, &key);
    let id = key_id(&file);
    let client = world.with_certificate(WEB, &key, &file);
    let running = client.ssh_command(&[], "echo begun; exec sleep 60");
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| client.run(running, b"").unwrap());
        let sessions = || {
            world
                .get(AUDITOR, "/api/v1/sessions?state=live")
                .json()
                .to_string()
        };
        let begun = std::time::Instant::now();
        while !sessions().contains(WEB) {
            assert!(begun.elapsed().as_secs() < 20, "no session");
            std::thread::yield_now();
        }
        let path = format!("/api/v1/credentials/{id}/revoke");
        let token = world.token(OWNER);
        assert_eq!(
            world
                .gateway
                .api("POST", &path, &token, None)
                .unwrap()
                .status,
            200
        );
        running.join().unwrap()
    });
    assert!(!done.is_good(), "{done:?}");
}

#[test]
fn libraries_log_in_with_certificates_too() {
    let (world, ring) = (World::new(), Ring::new());
    let key = ring.key("key");
    let certificate = world.certificate(&ring, READER, WEB, &key);
    // paramiko knows no authorities of hosts, and is shown the key itself.
    let known = world.gateway.known_hosts().unwrap();
    for (library, known_hosts) in [
        (SshLibrary::Asyncssh, world.authority_line()),
        (SshLibrary::Paramiko, known),
    ] {
        let client = SshClient::new(SshLogin {
            port: world.gateway.ssh_port(),
            user: WEB.to_owned(),
            proof: SshProof::Certificate {
                key: key.private().to_owned(),
                certificate: certificate.clone(),
            },
            known_hosts,
        })
        .unwrap();
        let said = client
            .library(library, json!({ "do": "run", "command": "echo in" }))
            .unwrap();
        assert_eq!(said["exit"], 0, "{library:?}: {said}");
        assert_eq!(said["stdout"], "in\n", "{library:?}: {said}");
    }
}

/// The credential of a certificate: the first word of its key id.
fn key_id(certificate: &Path) -> String {
    let shown = Command::new("ssh-keygen")
        .arg("-Lf")
        .arg(certificate)
        .output()
        .unwrap();
    let text = String::from_utf8(shown.stdout).unwrap();
    let at = text.split("Key ID: \"").nth(1).unwrap();
    at.split([' ', '"']).next().unwrap().to_owned()
}
