//! A real sshd behind the gateway, and stock clients in front of it.
//!
//! Here live the world of these cases and the logins. The oracle is the host: the commands that its login shell was given,
//! its files, and what its own clients see without the gateway.

mod attacks;
mod certificates;
mod clients;
mod commands;
mod exec;
mod files;
mod forwards;
mod holds;
mod masked;
mod people;
mod records;
mod trusted;
mod typed;
mod vault;
mod watch;
mod wire;

use crate::world::{Who, now};
use brattice_testkit::gateway::{Gateway, GatewayOptions, HostOptions, Reply};
use brattice_testkit::idp::Idp;
use brattice_testkit::ssh_client::{SshClient, SshLogin, SshProof};
use brattice_testkit::sshd::{Sshd, SshdOptions};
use serde_json::json;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// A target whose changes nobody has to approve.
pub const WEB: &str = "web-1";
/// The same host as a target of production: changes wait for an operator.
pub const PROD: &str = "prod-1";

/// A host, a provider and the gateway. Dropped in this order.
pub struct World {
    pub gateway: Gateway,
    pub sshd: Sshd,
    pub idp: Idp,
    // Answers the provider's requests until the world ends.
    _runtime: Runtime,
}

impl World {
    pub fn new() -> World {
        World::of(&SshdOptions::default(), |_, _| {})
    }

    pub fn of(options: &SshdOptions, change: impl FnOnce(&Sshd, &mut GatewayOptions)) -> World {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let idp = runtime.block_on(Idp::start()).unwrap();
        let sshd = Sshd::start_now(options).unwrap();
        let mut bundle = bundle(&idp, &sshd);
        change(&sshd, &mut bundle);
        let gateway = Gateway::start(bundle).unwrap();
        World {
            gateway,
            sshd,
            idp,
            _runtime: runtime,
        }
    }

    /// A fresh token, good for an hour.
    pub fn token(&self, who: Who) -> String {
        self.token_for(who, 3600)
    }

    /// A fresh token, good for so many seconds.
    pub fn token_for(&self, who: Who, seconds: i64) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let now = now();
        self.idp
            .token(now)
            .claim("sub", who.name)
            .claim("kind", who.kind)
            .claim("groups", json!(who.groups))
            .claim("exp", now + seconds)
            .claim(
                "jti",
                format!("{}-{}", who.name, COUNT.fetch_add(1, Ordering::Relaxed)),
            )
            .sign()
            .unwrap()
    }

    /// A credential for a target, as the API gives it: the user name and the password.
    pub fn credential(&self, who: Who, target: &str) -> (String, String) {
        let body = json!({ "target": target, "ttl_seconds": 900 });
        let reply = self
            .gateway
            .api("POST", "/api/v1/credentials", &self.token(who), Some(&body))
            .unwrap();
        assert_eq!(reply.status, 201, "{reply:?}");
        let text = |key: &str| reply.json()[key].as_str().unwrap().to_owned();
        (text("user"), text("password"))
    }

    /// A stock client that logs in through the gateway.
    pub fn client(&self, who: Who, target: &str) -> SshClient {
        let (user, password) = self.credential(who, target);
        self.client_as(&user, &password)
    }

    pub fn client_as(&self, user: &str, password: &str) -> SshClient {
        SshClient::new(SshLogin {
            port: self.gateway.ssh_port(),
            user: user.to_owned(),
            proof: SshProof::Password(password.to_owned()),
            known_hosts: self.gateway.known_hosts().unwrap(),
        })
        .unwrap()
    }

    /// The same straight at the host, with the key that the gateway has.
    pub fn direct(&self) -> SshClient {
        SshClient::new(SshLogin {
            port: self.sshd.port(),
            user: self.sshd.user().to_owned(),
            proof: SshProof::Key(self.sshd.key().private().to_owned()),
            known_hosts: self.sshd.known_hosts(),
        })
        .unwrap()
    }

    /// Waits until there is a question; its id.
    pub fn question(&self, who: Who) -> String {
        let by = Instant::now() + Duration::from_secs(10);
        loop {
            let open = self.get(who, "/api/v1/approvals?state=pending").json();
            if let Some(id) = open["approvals"][0]["id"].as_str() {
                return id.to_owned();
            }
            assert!(Instant::now() < by, "nobody is asked: {open}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Answers a question.
    pub fn answer(&self, who: Who, id: &str, yes: bool) {
        let token = self.token(who);
        let path = format!("/api/v1/approvals/{id}");
        let seen = self.gateway.api("GET", &path, &token, None).unwrap();
        let verb = if yes { "approve" } else { "deny" };
        let body = json!({ "action": seen.json()["action"], "reason": "by a test" });
        let path = format!("/api/v1/approvals/{id}/{verb}");
        let reply = self
            .gateway
            .api("POST", &path, &token, Some(&body))
            .unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text());
    }

    /// All that the recordings of all sessions hold, as the command line shows it.
    pub fn replayed(&self) -> String {
        let token = self.token(crate::world::AUDITOR);
        let sessions = self.get(crate::world::AUDITOR, "/api/v1/sessions").json();
        let mut text = String::new();
        for session in sessions["sessions"].as_array().unwrap() {
            let id = session["id"].as_str().unwrap();
            let replay = ["sessions", "replay", id, "--output"];
            let said = self.gateway.cli(&replay, &token).unwrap();
            assert!(said.status.success(), "{said:?}");
            text.push_str(&String::from_utf8_lossy(&said.stdout));
        }
        text
    }

    /// What the API answers somebody.
    pub fn get(&self, who: Who, path: &str) -> Reply {
        self.gateway
            .api("GET", path, &self.token(who), None)
            .unwrap()
    }
}

/// A server as a target, entered by the key that it lets in.
pub fn host(sshd: &Sshd, name: &str, env: &str) -> HostOptions {
    HostOptions {
        name: name.to_owned(),
        port: sshd.port(),
        user: sshd.user().to_owned(),
        proof: format!("private_key = \"file:{}\"", sshd.key().private().display()),
        keys: vec![sshd.host_key().public().trim().to_owned()],
        shell: "bash".to_owned(),
        labels: vec![
            ("env".to_owned(), env.to_owned()),
            ("role".to_owned(), "web".to_owned()),
        ],
        more: String::new(),
    }
}

fn bundle(idp: &Idp, sshd: &Sshd) -> GatewayOptions {
    GatewayOptions {
        binary: env!("CARGO_BIN_EXE_brattice").into(),
        tls: false,
        admin_tls: false,
        issuers: vec![("dev".to_owned(), idp.issuer().to_owned())],
        targets: Vec::new(),
        hosts: vec![host(sshd, WEB, "test"), host(sshd, PROD, "production")],
        more: "[limits]\nquestions_per_minute_max = 1000\n\n".to_owned(),
        policies: vec![(
            "policies/ssh.cedar".to_owned(),
            include_str!("ssh.cedar").to_owned(),
        )],
        environment: Vec::new(),
    }
}
