//! Everything that is measured: a host, another host to jump over, an identity provider and the gateway, all on loopback.
//!
//! Here live starting them alike, and the routes. Files are on disk, not in memory: what a durable intent or a recording
//! costs is part of the figure.

use super::super::error::{BenchError, During};
use super::super::provider::{self, Minted, Provider};
use super::super::way::Way;
use super::super::{Plan, machine};
use super::route::{Between, Route};
use crate::gateway::{Gateway, GatewayOptions, HostOptions};
use crate::ssh_client::{HOST, SshClient, SshLogin, SshProof};
use crate::sshd::{Sshd, SshdError, SshdOptions};
use std::path::Path;
use std::process::Command;

/// The agent's group and the labels' team.
const NAME: &str = "bench";
/// What the gateway calls the host.
const TARGET: &str = "bench-host";
/// What the clients call the other host.
const JUMP: &str = "jump";
/// Connections that the gateway may have to the host: the idle ones among them.
const CONNECTIONS_MAX: u32 = 400;
/// Spoken on every leg of every way. The cipher authenticates by itself: there is no MAC to agree on.
const KEX: &str = "curve25519-sha256";
const CIPHER: &str = "aes128-gcm@openssh.com";

/// All of it. Dropped in this order: clients of a server before the server.
pub(super) struct World {
    pub gateway: Gateway,
    jump: Sshd,
    pub host: Sshd,
    provider: Provider,
}

impl World {
    pub fn start(binary: &Path) -> Result<World, BenchError> {
        let provider = Provider::start()?;
        let (host, jump) = (sshd()?, sshd()?);
        let gateway = gateway(binary, &provider, &host)?;
        Ok(World {
            gateway,
            jump,
            host,
            provider,
        })
    }

    /// Direct, jump, gateway; the last with a fresh credential. Each has clients with a home of their own.
    pub fn routes(&self) -> Result<Vec<Route>, BenchError> {
        let route = |way, client| Route {
            way,
            client,
            between: None,
        };
        let straight = client(self.login(""), |_| String::new())?;
        Ok(vec![
            route(Way::Direct, straight),
            route(Way::Jump, self.over_the_jump()?),
            self.gateway_route()?,
        ])
    }

    /// The last of these alone.
    pub fn gateway_route(&self) -> Result<Route, BenchError> {
        let token = self.provider.proof("bench-1", "agent", &[NAME])?;
        let Minted { user, password } = provider::mint(&self.gateway, &token, TARGET)?;
        let login = SshLogin {
            port: self.gateway.ssh_port(),
            user,
            proof: SshProof::Password(password),
            known_hosts: self.gateway.known_hosts()?,
        };
        Ok(Route {
            way: Way::Gateway,
            client: client(login, |_| String::new())?,
            between: Some(Between {
                pid: self.gateway_pid()?,
                port: self.gateway.ssh_port(),
            }),
        })
    }

    /// The gateway's process.
    pub fn gateway_pid(&self) -> Result<u32, BenchError> {
        let none = || BenchError::Wrong("the gateway does not run".to_owned());
        self.gateway.pid().ok_or_else(none)
    }

    /// What this is, in words.
    pub fn setting(&self, plan: &Plan) -> Vec<(&'static str, String)> {
        vec![
            ("cores", machine::cores()),
            ("file system", machine::file_system(self.gateway.dir())),
            ("client", version()),
            ("spoken", format!("{KEX}, {CIPHER}, on every leg")),
            (
                "proof",
                "a key, straight and over the jump; a minted credential at the gateway".to_owned(),
            ),
            (
                "rounds",
                format!(
                    "{} in turns, medians; {} MiB, {} connections, {} commands, {} keys each",
                    plan.rounds,
                    plan.bulk_bytes >> 20,
                    plan.logins,
                    plan.commands,
                    plan.keys
                ),
            ),
        ]
    }

    fn over_the_jump(&self) -> Result<SshClient, BenchError> {
        let login = self.login(&self.jump.known_hosts());
        client(login, |client| {
            format!(
                "Host {JUMP}\n\
                 HostName 127.0.0.1\nPort {}\nUser {}\n\
                 IdentityFile \"{}\"\nIdentitiesOnly yes\nPreferredAuthentications publickey\n\
                 UserKnownHostsFile \"{}\"\nGlobalKnownHostsFile none\nStrictHostKeyChecking yes\n\
                 UpdateHostKeys no\nConnectTimeout 20\n\
                 Host {HOST}\nProxyJump {JUMP}\n",
                self.jump.port(),
                self.jump.user(),
                self.jump.key().private().display(),
                client.known_hosts().display(),
            )
        })
    }

    /// At the host itself, with the key that the gateway has.
    fn login(&self, more_known_hosts: &str) -> SshLogin {
        SshLogin {
            port: self.host.port(),
            user: self.host.user().to_owned(),
            proof: SshProof::Key(self.host.key().private().to_owned()),
            known_hosts: format!("{}\n{more_known_hosts}", self.host.known_hosts()),
        }
    }
}

/// All clients speak alike. Newer ones hide when keys are typed by sending them late, and others besides: this is not
/// measured here, and differs by the client's version.
fn client(
    login: SshLogin,
    more: impl FnOnce(&SshClient) -> String,
) -> Result<SshClient, BenchError> {
    let client = SshClient::new(login).during("making a client's home")?;
    let more = more(&client);
    let all = format!(
        "{more}Host *\nKexAlgorithms {KEX}\nCiphers {CIPHER}\nCompression no\n\
         ServerAliveInterval 15\nServerAliveCountMax 4\n\
         IgnoreUnknown ObscureKeystrokeTiming\nObscureKeystrokeTiming no\n"
    );
    client
        .configured(&all)
        .during("writing a client's configuration")
}

/// Without the log of every step that tests want.
fn sshd() -> Result<Sshd, SshdError> {
    Sshd::start_now(&SshdOptions {
        extra_conf: vec![
            "LogLevel INFO".to_owned(),
            format!("KexAlgorithms {KEX}"),
            format!("Ciphers {CIPHER}"),
        ],
        ..SshdOptions::default()
    })
}

fn gateway(binary: &Path, provider: &Provider, host: &Sshd) -> Result<Gateway, BenchError> {
    let options = GatewayOptions {
        binary: binary.to_owned(),
        admin_tls: false,
        tls: false,
        issuers: vec![provider.issuer()],
        targets: Vec::new(),
        hosts: vec![HostOptions {
            name: TARGET.to_owned(),
            port: host.port(),
            user: host.user().to_owned(),
            proof: format!("private_key = \"file:{}\"", host.key().private().display()),
            keys: vec![host.host_key().public().to_owned()],
            shell: "bash".to_owned(),
            labels: vec![
                ("env".to_owned(), NAME.to_owned()),
                ("team".to_owned(), NAME.to_owned()),
            ],
            more: format!("connections_max = {CONNECTIONS_MAX}"),
        }],
        more: "[limits]\nconnections_max = 5000\n".to_owned(),
        policies: vec![(
            "policies/bench.cedar".to_owned(),
            include_str!("../../../../../benches/ssh.cedar").to_owned(),
        )],
        environment: Vec::new(),
    };
    Ok(Gateway::start_in(options, &std::env::temp_dir())?)
}

/// It says so where errors go.
fn version() -> String {
    let said = Command::new("ssh").arg("-V").output();
    said.map(|said| String::from_utf8_lossy(&said.stderr).trim().to_owned())
        .unwrap_or_default()
}
