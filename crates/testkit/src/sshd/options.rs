//! How a test wants its SSH server, and the configuration that says so.
//!
//! Lives here: the options and `sshd_config`. Never: a restriction that the gateway should have made; see the text below.

use std::fmt::Write as _;
use std::path::Path;

use super::account::NAME;
use super::error::SshdError;
use super::keys::KeyKind;

/// What kind of server to start. `SshdOptions::default()` has an Ed25519 host key and lets in by key alone.
#[derive(Debug, Clone)]
pub struct SshdOptions {
    /// The kind of its one host key.
    pub host_key: KeyKind,
    /// Certify the host key, by an authority of the server's own, for `127.0.0.1` and `localhost`.
    pub host_certificate: bool,
    /// A line with the public key of an authority whose user certificates let in.
    pub user_ca: Option<String>,
    /// The principals of such certificates that may log in; none: the account's own name.
    pub principals: Vec<String>,
    /// Also let in by a password, a random one.
    pub password: bool,
    /// Lines for `sshd_config`; these win over the defaults.
    pub extra_conf: Vec<String>,
}

impl Default for SshdOptions {
    fn default() -> SshdOptions {
        SshdOptions {
            host_key: KeyKind::Ed25519,
            host_certificate: false,
            user_ca: None,
            principals: Vec::new(),
            password: false,
            extra_conf: Vec::new(),
        }
    }
}

/// The names of the files in the server's directory.
pub(super) const HOST_KEY: &str = "host";
pub(super) const HOST_CERTIFICATE: &str = "host-cert.pub";
pub(super) const AUTHORIZED: &str = "authorized";
pub(super) const USER_CA: &str = "user-ca.pub";
pub(super) const PRINCIPALS: &str = "principals";
pub(super) const SFTP_LOG: &str = "sftp.log";

/// A program of its own rather than sshd's inner one: the account's shell starts it, so that it is noted like any command.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// sshd keeps the first value of a setting. All that an attack could need is on: straight at this server it must work,
/// so that the gateway is seen to be what stops it.
const DEFAULTS: &str = "\
ListenAddress 127.0.0.1
PidFile none
UsePAM no
UseDNS no
StrictModes no
PrintMotd no
PrintLastLog no
KbdInteractiveAuthentication no
LogLevel DEBUG1
LoginGraceTime 60
MaxSessions 100
MaxStartups 200
AcceptEnv LANG LC_* GIT_* BASH_ENV LD_PRELOAD FOO
PermitUserEnvironment no
PermitTunnel no
AllowTcpForwarding yes
AllowStreamLocalForwarding yes
AllowAgentForwarding yes
";

impl SshdOptions {
    /// The whole of `sshd_config` but for the port, with the files below `dir`.
    pub(super) fn configuration(&self, dir: &Path) -> Result<String, SshdError> {
        let dir = plain(dir)?;
        let mut text = String::new();
        for line in &self.extra_conf {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
        text.push_str(DEFAULTS);
        let password = if self.password { "yes" } else { "no" };
        let _ = writeln!(text, "AllowUsers {NAME}\nPasswordAuthentication {password}");
        let _ = writeln!(text, "AuthorizedKeysFile {dir}/{AUTHORIZED}");
        let _ = writeln!(text, "HostKey {dir}/{HOST_KEY}");
        if self.host_certificate {
            let _ = writeln!(text, "HostCertificate {dir}/{HOST_CERTIFICATE}");
        }
        if self.user_ca.is_some() {
            let _ = writeln!(text, "TrustedUserCAKeys {dir}/{USER_CA}");
            if !self.principals.is_empty() {
                let _ = writeln!(text, "AuthorizedPrincipalsFile {dir}/{PRINCIPALS}");
            }
        }
        let _ = writeln!(text, "Subsystem sftp {}", sftp_command(&dir));
        Ok(text)
    }
}

/// What the account's shell is asked to run for the subsystem; it logs to a file, since the tests have no syslog.
pub(super) fn sftp_command(dir: &str) -> String {
    format!("{SFTP_SERVER} -e -l INFO 2>>{dir}/{SFTP_LOG}")
}

/// The path, which goes unquoted into a configuration and a script.
pub(super) fn plain(dir: &Path) -> Result<String, SshdError> {
    let text = dir.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
    if text.chars().all(is_plain) {
        Ok(text.into_owned())
    } else {
        Err(SshdError::Options {
            reason: "the temporary directory's path has characters that sshd's configuration gives a meaning",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_s_own_lines_come_first_and_so_win() {
        let options = SshdOptions {
            extra_conf: vec!["MaxSessions 1".to_owned()],
            ..SshdOptions::default()
        };
        let text = options.configuration(Path::new("/tmp/x")).unwrap();
        assert!(text.find("MaxSessions 1\n").unwrap() < text.find("MaxSessions 100").unwrap());
    }

    #[test]
    fn a_path_that_would_be_read_as_something_else_is_refused() {
        for path in ["/tmp/a b", "/tmp/%u", "/tmp/'", "/tmp/$(x)"] {
            assert!(
                SshdOptions::default()
                    .configuration(Path::new(path))
                    .is_err()
            );
        }
    }
}
