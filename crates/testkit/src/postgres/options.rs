//! How a test wants its server, and the configuration files that say so.

use std::fmt::Write as _;
use std::path::Path;

use super::error::PostgresError;
use super::{SUPERUSER, tls};

/// What kind of server to start. `PostgresOptions::default()` is the newest version, with passwords, without TLS.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// The major version, 13 to 18.
    pub major: u8,
    /// Listen with a certificate for `localhost` and `127.0.0.1`, and refuse connections in clear.
    pub tls: bool,
    /// How connections over TCP prove who they are. The superuser's own, over the Unix socket, need no proof.
    pub auth: Auth,
    /// Settings for `postgresql.conf`; these win over the defaults.
    pub extra_conf: Vec<(String, String)>,
}

/// How the server authenticates connections over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// SCRAM-SHA-256, with channel binding where TLS is on.
    Scram,
    /// The old challenge with MD5.
    Md5,
    /// A password in clear.
    Password,
    /// Nothing is asked.
    Trust,
    /// A client certificate whose common name is the role; needs TLS.
    Cert,
}

impl Default for PostgresOptions {
    fn default() -> PostgresOptions {
        PostgresOptions {
            major: 18,
            tls: false,
            auth: Auth::Scram,
            extra_conf: Vec::new(),
        }
    }
}

impl PostgresOptions {
    /// The defaults, of this version.
    pub fn of(major: u8) -> PostgresOptions {
        PostgresOptions {
            major,
            ..PostgresOptions::default()
        }
    }

    pub(super) fn check(&self) -> Result<(), PostgresError> {
        if self.auth == Auth::Cert && !self.tls {
            return Err(PostgresError::Options {
                reason: "client certificates need tls",
            });
        }
        Ok(())
    }

    /// What is appended to `postgresql.conf`. Nothing must survive a crash, and everything must be in the log.
    pub(super) fn configuration(&self, dir: &Path) -> String {
        let mut text = String::new();
        let mut set = |name: &str, value: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{name} = '{}'",
                value.replace('\\', "\\\\").replace('\'', "''")
            );
        };
        set("listen_addresses", "127.0.0.1");
        set("unix_socket_directories", &dir.to_string_lossy());
        for (name, value) in [
            ("fsync", "off"),
            ("full_page_writes", "off"),
            ("synchronous_commit", "off"),
            ("shared_buffers", "16MB"),
            ("max_wal_size", "64MB"),
            ("autovacuum", "off"),
            ("logging_collector", "off"),
            ("log_destination", "stderr"),
            ("log_statement", "all"),
            ("log_connections", "on"),
            ("log_disconnections", "on"),
            ("lc_messages", "C"),
        ] {
            set(name, value);
        }
        set("log_line_prefix", super::log::LINE_PREFIX);
        if self.major >= 18 {
            // The default starts worker processes, which a server this small does not need.
            set("io_method", "sync");
        }
        set(
            "password_encryption",
            if self.auth == Auth::Md5 {
                "md5"
            } else {
                "scram-sha-256"
            },
        );
        if self.tls {
            set("ssl", "on");
            set(
                "ssl_cert_file",
                &dir.join(tls::SERVER_CERTIFICATE).to_string_lossy(),
            );
            set("ssl_key_file", &dir.join(tls::SERVER_KEY).to_string_lossy());
            set(
                "ssl_ca_file",
                &dir.join(tls::CA_CERTIFICATE).to_string_lossy(),
            );
        }
        for (name, value) in &self.extra_conf {
            set(name, value);
        }
        text
    }

    /// The whole of `pg_hba.conf`. Replication is let in like anything else: that the gateway refuses it must be shown
    /// against a server that would not.
    pub(super) fn host_based_authentication(&self) -> String {
        let method = match self.auth {
            Auth::Scram => "scram-sha-256",
            Auth::Md5 => "md5",
            Auth::Password => "password",
            Auth::Trust => "trust",
            Auth::Cert => "cert",
        };
        let local = if self.auth == Auth::Cert {
            "scram-sha-256"
        } else {
            method
        };
        let host = if self.tls { "hostssl" } else { "host" };
        format!(
            "local all {SUPERUSER} trust\nlocal all all {local}\n\
             {host} all all 127.0.0.1/32 {method}\n{host} replication all 127.0.0.1/32 {method}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted_and_the_test_s_own_settings_come_last() {
        let mut options = PostgresOptions::of(15);
        options
            .extra_conf
            .push(("search_path".into(), "it's, public".into()));
        let text = options.configuration(Path::new("/somewhere"));
        assert!(text.ends_with("search_path = 'it''s, public'\n"), "{text}");
        assert!(!text.contains("io_method"));
    }

    #[test]
    fn with_tls_there_is_no_way_in_without() {
        let options = PostgresOptions {
            tls: true,
            auth: Auth::Cert,
            ..PostgresOptions::default()
        };
        let text = options.host_based_authentication();
        assert!(text.contains("hostssl all all 127.0.0.1/32 cert"), "{text}");
        assert!(!text.contains("\nhost "), "{text}");
    }

    #[test]
    fn certificates_without_tls_are_refused() {
        assert!(
            PostgresOptions {
                auth: Auth::Cert,
                ..PostgresOptions::default()
            }
            .check()
            .is_err()
        );
    }
}
