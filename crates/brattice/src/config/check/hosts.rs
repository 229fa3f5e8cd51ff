//! Targets that are hosts: how they prove to be themselves, who may be asked for, how command lines are read.

use super::Checker;
use crate::config::checked::{
    SecretSource, SshTarget, TargetConfig, TargetCredential, TargetTls, TlsMode,
};
use crate::config::place::Place;
use crate::config::raw::{RawShell, RawTarget};
use brattice_core::approval::HoldTimes;
use brattice_core::classify::shell::Shell;
use brattice_core::target::{Protocol, Target};
use brattice_identity::lend::VaultPath;
use brattice_proxy::ssh::PublicKey;

/// How it is written that the gateway certifies its own logins.
const OWN: &str = "gateway";

/// How a host's key is written.
const HOST_KEY: &str = "write it as in /etc/ssh/ssh_host_ed25519_key.pub: ssh-ed25519 AAAA…";
/// How the key of one who certifies hosts is written.
const AUTHORITY: &str = "give the public key that hosts' keys are signed with (the file of `ssh-keygen -s`, with .pub): ssh-ed25519 AAAA…, without \"@cert-authority\"";

impl Checker<'_> {
    pub(super) fn host_target(
        &mut self,
        name: String,
        at: &Place,
        raw: RawTarget,
        holds: HoldTimes,
    ) -> Option<TargetConfig> {
        self.not_of_a_host(at, &raw);
        let labels = raw
            .labels
            .map(|labels| self.labels(&at.key("labels"), labels));
        let host = raw.host.and_then(|host| self.host(&at.key("host"), host));
        let credential = self.host_credential(at, raw.password, raw.private_key, raw.certificate);
        let user = match raw.user {
            Some(user) => self.account(&at.key("user"), user),
            None => {
                self.bad(
                    &at.key("user"),
                    "is required and missing",
                    "name the account that the gateway logs in to",
                );
                None
            }
        };
        let mut accounts: Vec<String> = user.iter().cloned().collect();
        for (i, account) in raw.accounts.into_iter().enumerate() {
            let account = self.account(&at.key("accounts").index(i), account);
            accounts.extend(account.filter(|a| Some(a) != user.as_ref()));
        }
        let keys = self.public_keys(&at.key("host_keys"), &raw.host_keys, HOST_KEY);
        let authorities = at.key("host_authorities");
        let authorities = self.public_keys(&authorities, &raw.host_authorities, AUTHORITY);
        if raw.host_keys.is_empty() && raw.host_authorities.is_empty() {
            self.bad(
                &at.key("host_keys"),
                "is required and missing, so nothing could tell the host from another",
                "on the host, print them with `cat /etc/ssh/ssh_host_*_key.pub`, and give at least one; or in `host_authorities` the key that certifies hosts",
            );
        }
        let shell = self.shell(&at.key("shell"), raw.shell);
        let holds = self.holds(raw.holds, &at.key("holds"), holds);
        Some(TargetConfig {
            target: Target {
                name,
                protocol: Protocol::Ssh,
                labels: labels?,
                observe: raw.observe,
            },
            host: host?,
            port: raw.port.unwrap_or(22),
            tls: TargetTls {
                mode: TlsMode::Disable,
                ca: None,
            },
            database: None,
            databases: Vec::new(),
            user: user?,
            credential: credential?,
            template: None,
            connections_max: raw.connections_max.unwrap_or(50),
            holds,
            search_path: Vec::new(),
            functions: Vec::new(),
            ssh: Some(SshTarget {
                keys: keys?,
                authorities: authorities?,
                accounts,
                shell: shell?,
                masks_files: raw.mask_files.unwrap_or_default(),
            }),
        })
    }

    fn host_credential(
        &mut self,
        at: &Place,
        password: Option<String>,
        private_key: Option<String>,
        certificate: Option<String>,
    ) -> Option<TargetCredential> {
        if let Some(certificate) = certificate {
            let by = self.certified_by(&at.key("certificate"), &certificate);
            if password.is_some() || private_key.is_some() {
                self.bad(
                    &at.key("certificate"),
                    "is not needed beside private_key or password",
                    "take one of them out",
                );
                return None;
            }
            return by;
        }
        match (password, private_key) {
            (None, Some(key)) => {
                let source = self.secret(&at.key("private_key"), &key, true)?;
                if let SecretSource::Vault(path) = &source
                    && path.field.is_none()
                {
                    self.bad(
                        &at.key("private_key"),
                        "is not a value that a vault keeps",
                        "write vault:NAME/MOUNT/PATH#FIELD",
                    );
                    return None;
                }
                Some(TargetCredential::PrivateKey(source))
            }
            (Some(password), None) => {
                let credential = self.credential(at, Some(password), None, true)?;
                match credential {
                    TargetCredential::Password(_) => Some(credential),
                    _ => {
                        self.bad(
                            &at.key("password"),
                            "is not the password of an account of a host",
                            "give one value, as in env:NAME, file:PATH, sealed or vault:NAME/MOUNT/PATH#FIELD",
                        );
                        None
                    }
                }
            }
            (Some(_), Some(_)) => {
                self.bad(
                    &at.key("password"),
                    "is not needed beside private_key",
                    "take one of the two out",
                );
                None
            }
            (None, None) => {
                self.bad(
                    &at.key("private_key"),
                    "is missing, and there is no password either",
                    "give certificate = \"gateway\", or private_key = \"file:PATH\", \"env:NAME\" or \"sealed\"",
                );
                None
            }
        }
    }

    /// Whose certificate it is that opens a host. What was written is not repeated: it may be a key in the wrong place.
    fn certified_by(&mut self, at: &Place, text: &str) -> Option<TargetCredential> {
        if text == OWN {
            return Some(TargetCredential::Gateway);
        }
        match text.parse::<VaultPath>() {
            Ok(path) if is_signing(&path) => Some(TargetCredential::Signed(path)),
            Ok(_) => {
                self.bad(
                    at,
                    "is not where a vault signs certificates for SSH",
                    "write vault:NAME/MOUNT/sign/ROLE, with where its SSH secrets engine is mounted, and a role of it",
                );
                None
            }
            Err(_) => {
                self.bad(
                    at,
                    "does not say who certifies the gateway's logins",
                    "write \"gateway\", or \"vault:NAME/MOUNT/sign/ROLE\" for the SSH secrets engine of a vault",
                );
                None
            }
        }
    }

    /// An account that can be written in `ACCOUNT@TARGET`.
    fn account(&mut self, at: &Place, account: String) -> Option<String> {
        let fine = |c: char| c.is_ascii_alphanumeric() || "._-@$".contains(c);
        let good = !account.is_empty()
            && account.len() <= 64
            && !account.starts_with('-')
            && account.chars().all(fine);
        if !good {
            self.wrong(
                at,
                &account,
                "is not the name of an account",
                "use letters, digits and . _ - @",
            );
            return None;
        }
        Some(account)
    }

    fn public_keys(&mut self, at: &Place, listed: &[String], mend: &str) -> Option<Vec<PublicKey>> {
        let mut keys = Vec::new();
        for (i, text) in listed.iter().enumerate() {
            match PublicKey::from_openssh(text.trim()) {
                Ok(key) if is_taken(&key) => keys.push(key),
                Ok(_) => self.wrong(
                    &at.index(i),
                    text,
                    "is of a kind that is not taken",
                    "give the host's Ed25519 or ECDSA key",
                ),
                Err(_) => self.wrong(&at.index(i), text, "is not a public key", mend),
            }
        }
        (keys.len() == listed.len()).then_some(keys)
    }

    fn shell(&mut self, at: &Place, raw: Option<RawShell>) -> Option<Shell> {
        match raw {
            Some(RawShell::Sh) => Some(Shell::Sh),
            Some(RawShell::Bash) => Some(Shell::Bash),
            Some(RawShell::Zsh) => Some(Shell::Zsh),
            Some(RawShell::Forced) => Some(Shell::Forced),
            None => {
                self.bad(
                    at,
                    "is required and missing: it decides how command lines are read",
                    "say sh, bash or zsh, as `getent passwd ACCOUNT` shows it; forced for an account with a command of its own",
                );
                None
            }
        }
    }

    fn not_of_a_host(&mut self, at: &Place, raw: &RawTarget) {
        let given = [
            ("database", raw.database.is_some()),
            ("databases", !raw.databases.is_empty()),
            ("search_path", raw.search_path.is_some()),
            ("functions", !raw.functions.is_empty()),
            ("ephemeral", raw.ephemeral.is_some()),
            ("client_certificate", raw.client_certificate.is_some()),
            ("tls", raw.tls.mode.is_some() || raw.tls.ca.is_some()),
        ];
        self.foreign(at, &given, "ssh");
    }

    pub(super) fn not_of_a_database(&mut self, at: &Place, raw: &RawTarget) {
        let given = [
            ("private_key", raw.private_key.is_some()),
            ("certificate", raw.certificate.is_some()),
            ("host_keys", !raw.host_keys.is_empty()),
            ("host_authorities", !raw.host_authorities.is_empty()),
            ("accounts", !raw.accounts.is_empty()),
            ("shell", raw.shell.is_some()),
            ("mask_files", raw.mask_files.is_some()),
        ];
        self.foreign(at, &given, "postgres");
    }

    fn foreign(&mut self, at: &Place, given: &[(&str, bool)], protocol: &str) {
        for (key, is_given) in given {
            if *is_given {
                self.bad(
                    &at.key(key),
                    format!("means nothing for a target that speaks {protocol}"),
                    "take it out",
                );
            }
        }
    }
}

/// Whether this is a role's endpoint that certifies a key. Its neighbour, `issue`, makes the private key too, and has it go
/// over the network.
fn is_signing(path: &VaultPath) -> bool {
    let mut steps = path.path.rsplit('/');
    let (role, verb) = (steps.next(), steps.next());
    path.field.is_none() && role.is_some() && verb == Some("sign")
}

fn is_taken(key: &PublicKey) -> bool {
    key.algorithm().is_ed25519() || key.algorithm().is_ecdsa()
}
