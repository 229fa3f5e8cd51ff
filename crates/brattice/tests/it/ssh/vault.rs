//! Hosts that trust the authority of a real OpenBao, and a gateway that has its logins certified by it.

use super::{World, host};
use crate::world::{AUDITOR, OWNER, READER, SECURITY};
use brattice_testkit::bao::Bao;
use brattice_testkit::ssh_client::{SshLibrary, SshSaid};
use brattice_testkit::sshd::{Mark, Sshd, SshdOptions};
use serde_json::json;

/// What the guide has people write for a role.
const ALLOWED: [&str; 5] = [
    "key_type=ca",
    "allow_user_certificates=true",
    "allowed_extensions=permit-pty,permit-port-forwarding",
    "allow_user_key_ids=true",
    "max_ttl=10m",
];

/// A vault, and a host that takes what it signs and nothing else.
struct Signed {
    world: World,
    bao: Bao,
    sshd: Sshd,
}

impl Signed {
    fn open(tls: bool) -> Signed {
        let bao = Bao::start(tls);
        let world = World::new();
        bao.cli(&["secrets", "enable", "ssh"]);
        let make = ["generate_signing_key=true", "key_type=ed25519"];
        bao.cli(&[&["write", "ssh/config/ca"], make.as_slice()].concat());
        let authority = bao.cli(&["read", "-field=public_key", "ssh/config/ca"]);
        let sshd = Sshd::start_now(&SshdOptions {
            user_ca: Some(authority),
            extra_conf: vec!["AuthorizedKeysFile none".to_owned()],
            ..SshdOptions::default()
        })
        .unwrap();
        let signed = Signed { world, bao, sshd };
        signed.role("ssh/roles/deploy", &[]);
        let policy = signed.bao.keep(
            "gateway.hcl",
            "path \"ssh/sign/*\" { capabilities = [\"update\"] }\n\
             path \"rsa/sign/*\" { capabilities = [\"update\"] }\n\
             path \"nothing/sign/*\" { capabilities = [\"update\"] }\n",
        );
        signed.bao.cli(&["policy", "write", "gateway", &policy]);
        signed
    }

    /// A role as the guide has it, but for these settings.
    fn role(&self, at: &str, but: &[&str]) {
        let user = format!("allowed_users={}", self.sshd.user());
        let key = |setting: &str| setting.split('=').next().unwrap_or_default().to_owned();
        let usual = ALLOWED.into_iter().chain([user.as_str()]);
        let kept = usual.filter(|s| !but.iter().any(|b| key(b) == key(s)));
        let arguments: Vec<&str> = ["write", at].into_iter().chain(kept).collect();
        self.bao.cli(&[&arguments[..], but].concat());
    }

    /// The host as targets of these names, each certified there.
    fn targets(&self, certified: &[(&str, &str)]) {
        let create = ["token", "create", "-policy=gateway", "-field=token"];
        let token = self.bao.keep("token", &self.bao.cli(&create));
        let mut bundle = self.world.gateway.read("brattice.toml").unwrap();
        bundle.push_str(&format!(
            "\n[vaults.corp]\naddress = \"{}\"\ntoken = \"file:{token}\"\n",
            self.bao.address()
        ));
        if self.bao.address().starts_with("https") {
            bundle.push_str(&format!("ca = \"{}\"\n", self.bao.ca().display()));
        }
        for (name, place) in certified {
            let mut target = host(&self.sshd, name, "test");
            target.proof = format!("certificate = \"vault:corp/{place}\"");
            bundle.push_str(&format!("\n{}", target.toml()));
        }
        self.world.gateway.write("brattice.toml", &bundle).unwrap();
        let token = self.world.token(SECURITY);
        let reloaded = self.world.gateway.reload(&token).unwrap();
        assert_eq!(reloaded.status, 200, "{reloaded:?}");
    }

    fn run(&self, target: &str) -> SshSaid {
        let client = self.world.client(READER, target);
        client.ssh(&[], "echo in", b"").unwrap()
    }

    /// Nobody gets in; the operators are told this and the caller is not.
    fn refuses(&self, target: &str, what: &str) {
        let (mark, before) = (self.sshd.mark(), self.world.gateway.log().len());
        let said = self.run(target);
        assert!(!said.is_good() && said.text().is_empty(), "{said:?}");
        let heard = &said.err;
        assert!(heard.contains("cannot be reached"), "{said:?}");
        for secret in ["vault", "ssh/sign", "role"] {
            assert!(!heard.contains(secret), "{secret}: {heard}");
        }
        let log = self.world.gateway.log().split_off(before);
        assert!(log.contains(what), "{what} is not in\n{log}");
        assert!(log.contains("vault:corp/"), "{log}");
        assert!(!self.let_in(mark), "{}", self.sshd.log());
    }

    fn let_in(&self, mark: Mark) -> bool {
        self.sshd.log_since(mark).contains("Accepted publickey")
    }
}

/// The serial numbers of the certificates that let in since.
fn serials(log: &str) -> Vec<String> {
    let accepted = log.lines().filter(|l| l.contains("Accepted publickey"));
    let serial = |line: &str| {
        let (_, behind) = line.split_once("(serial ")?;
        Some(behind.split(')').next()?.to_owned())
    };
    accepted.filter_map(serial).collect()
}

#[test]
fn a_vault_certifies_a_session_once_and_the_host_logs_who_came() {
    let signed = Signed::open(true);
    signed.role("ssh/roles/unnamed", &["allow_user_key_ids=false"]);
    let roles = [
        ("signed-1", "ssh/sign/deploy"),
        ("unnamed-1", "ssh/sign/unnamed"),
    ];
    signed.targets(&roles);
    let Signed { world, sshd, .. } = &signed;

    let mark = sshd.mark();
    let said = signed.run("signed-1");
    assert_eq!(said.text(), "in\n", "{said:?}\n{}", world.gateway.log());
    let log = sshd.log_since(mark);
    let named = format!("Accepted publickey for {}", sshd.user());
    for part in [&named, "brattice session=ses_", "agent=reader-1"] {
        assert!(log.contains(part), "{part} is not in\n{log}");
    }

    // Several connections to the host, one certificate; another session has another.
    let mark = sshd.mark();
    let order = json!({ "do": "channels", "command": "cat", "count": 4 });
    let client = world.client(READER, "signed-1");
    let said = client.library(SshLibrary::Asyncssh, order).unwrap();
    assert_eq!(said["ended_well"], 4, "{said}");
    let first = serials(&sshd.log_since(mark));
    assert!(first.len() >= 3, "{first:?}");
    assert!(first.iter().all(|s| *s == first[0]), "{first:?}");
    let mark = sshd.mark();
    assert!(signed.run("signed-1").is_good());
    assert_ne!(serials(&sshd.log_since(mark))[0], first[0]);

    // A terminal, and a connection beyond the host.
    let terminal = world.client(READER, "signed-1");
    let said = terminal
        .ssh(&["-tt"], "test -t 0 && echo on a terminal", b"")
        .unwrap();
    assert!(said.text().contains("on a terminal"), "{said:?}");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming().flatten() {
            let _ = { stream }.write_all(b"beyond");
        }
    });
    let owner = world.client(OWNER, "signed-1");
    let said = owner.ssh(&["-W", &to], "", b"").unwrap();
    assert_eq!(said.text(), "beyond", "{said:?}");

    // A role that names logins itself: they work, under its name.
    let mark = sshd.mark();
    assert_eq!(signed.run("unnamed-1").text(), "in\n");
    let log = sshd.log_since(mark);
    assert!(!log.contains("brattice session"), "{log}");
    let told = "the hosts' logs do not name sessions";
    assert!(world.gateway.log().contains(told));
    let sessions = world.get(AUDITOR, "/api/v1/sessions").json();
    assert!(!sessions.to_string().contains("vault:"), "{sessions}");
}

#[test]
fn a_vault_that_signs_nothing_or_something_else_lets_nobody_in() {
    let signed = Signed::open(false);
    let bao = &signed.bao;
    signed.role("ssh/roles/other", &["allowed_users=somebody"]);
    signed.role("ssh/roles/brief", &["max_ttl=1m"]);
    signed.role(
        "ssh/roles/hosts",
        &[
            "allow_user_certificates=false",
            "allow_host_certificates=true",
        ],
    );
    signed.role("ssh/roles/plain", &["allowed_extensions=permit-pty"]);
    let forced = json!({
        "key_type": "ca",
        "allow_user_certificates": true,
        "allowed_users": signed.sshd.user(),
        "allowed_extensions": "permit-pty,permit-port-forwarding",
        "default_critical_options": { "force-command": "/bin/true" },
    });
    let forced = format!("@{}", bao.keep("forced.json", &forced.to_string()));
    bao.cli(&["write", "ssh/roles/forced", &forced]);
    bao.cli(&["secrets", "enable", "-path=rsa", "ssh"]);
    bao.cli(&["write", "rsa/config/ca", "generate_signing_key=true"]);
    signed.role("rsa/roles/deploy", &[]);
    let denied = "it denied the request";
    let not_signed = "it does not sign; its role has to exist and to let users be certified as";
    let cases = [
        ("other", "ssh/sign/other", not_signed),
        ("brief", "ssh/sign/brief", not_signed),
        ("hosts", "ssh/sign/hosts", not_signed),
        ("plain", "ssh/sign/plain", not_signed),
        ("missing", "ssh/sign/missing", not_signed),
        ("nowhere", "nothing/sign/deploy", "it has nothing there"),
        ("forbidden", "shh/sign/deploy", denied),
        (
            "forced",
            "ssh/sign/forced",
            "a critical option that was not asked for",
        ),
        ("rsa", "rsa/sign/deploy", "key_type=ed25519"),
    ];
    let mut targets: Vec<(&str, &str)> = cases.iter().map(|c| (c.0, c.1)).collect();
    targets.push(("good", "ssh/sign/deploy"));
    signed.targets(&targets);
    for (target, _, what) in cases {
        signed.refuses(target, what);
    }
    assert!(signed.run("good").is_good());
    // An open session goes on with its certificate; a new one does not open.
    bao.freeze(true);
    signed.refuses("good", "it did not answer: it took too long");
    bao.freeze(false);
    assert!(signed.run("good").is_good());
    bao.cli(&["operator", "seal"]);
    signed.refuses("good", "it is sealed or not ready");
    let Signed { world, bao, sshd } = signed;
    let (address, token) = (bao.address(), bao.root_token().to_owned());
    drop(bao);
    let said = world
        .client(READER, "good")
        .ssh(&[], "echo in", b"")
        .unwrap();
    assert!(!said.is_good(), "{said:?}");
    let log = world.gateway.log();
    assert!(log.contains("it did not answer"), "{log}");
    assert!(
        !log.contains(&token) && !log.contains("ssh-ed25519-cert"),
        "{address}\n{log}"
    );
    // The host that needs no vault is there as ever.
    assert!(
        world
            .client(READER, super::WEB)
            .ssh(&[], "echo in", b"")
            .unwrap()
            .is_good()
    );
    drop(sshd);
}

#[test]
fn a_host_that_trusts_another_authority_takes_nothing_that_the_vault_signs() {
    let signed = Signed::open(false);
    let bao = &signed.bao;
    bao.cli(&["secrets", "enable", "-path=rsa", "ssh"]);
    let make = ["generate_signing_key=true", "key_type=ed25519"];
    bao.cli(&[&["write", "rsa/config/ca"], make.as_slice()].concat());
    signed.role("rsa/roles/deploy", &[]);
    signed.targets(&[("strange", "rsa/sign/deploy")]);
    let mark = signed.sshd.mark();
    let said = signed.run("strange");
    assert!(!said.is_good() && said.text().is_empty(), "{said:?}");
    let log = signed.world.gateway.log();
    assert!(log.contains("the login was not accepted"), "{log}");
    assert!(!signed.let_in(mark));
}
