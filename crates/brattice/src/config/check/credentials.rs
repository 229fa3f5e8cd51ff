//! How the gateway logs in to a target: as whom, with what, and that one suits the other.
//!
//! Lives here: rules about a target's credential. Never: reading one, where sources are (`vaults`, `aws`).

use super::Checker;
use crate::config::checked::{SecretSource, TargetCredential, TlsMode};
use crate::config::place::Place;
use crate::config::raw::RawTlsFiles;
use brattice_identity::lend::{AwsPart, AwsSecret};

/// How a password that is a login for RDS is written; behind it stands who signs.
const RDS: &str = "rds-iam:";

impl Checker<'_> {
    pub(super) fn credential(
        &mut self,
        at: &Place,
        password: Option<String>,
        certificate: Option<RawTlsFiles>,
        has_user: bool,
    ) -> Option<TargetCredential> {
        let password_at = at.key("password");
        if let Some(aws) = password.as_deref().and_then(|p| p.strip_prefix(RDS)) {
            return self.rds(at, aws, certificate.is_some());
        }
        let given = (password.is_some(), certificate.is_some());
        let password = password.and_then(|text| self.secret(&password_at, &text, true));
        let files = certificate.and_then(|f| self.tls_files(&at.key("client_certificate"), f));
        match given {
            (true, true) => match password? {
                SecretSource::Vault(path) if path.field.is_none() => {
                    self.bad(
                        &password_at,
                        "has a user made for each session, to whom no certificate belongs",
                        "take client_certificate out, or name a value that the vault keeps: vault:NAME/MOUNT/PATH#FIELD",
                    );
                    None
                }
                SecretSource::Aws(secret) if matches!(secret.part, AwsPart::Both { .. }) => {
                    self.bad(
                        &password_at,
                        "takes the user from the secret, and the certificate is one user's",
                        "take client_certificate out, or name `user` and only the password's key: aws:NAME/SECRET#KEY",
                    );
                    None
                }
                kept => Some(TargetCredential::Both(kept, files?)),
            },
            (true, false) => password.map(|source| match source {
                SecretSource::Vault(path) if path.field.is_none() => TargetCredential::Issued(path),
                SecretSource::Aws(secret) if matches!(secret.part, AwsPart::Both { .. }) => {
                    TargetCredential::AwsSecret(secret)
                }
                // Of which nothing is named, with no `user` beside it: it has both, as those of RDS do.
                SecretSource::Aws(secret) if !has_user && secret.part == AwsPart::Whole => {
                    TargetCredential::AwsSecret(AwsSecret {
                        part: AwsPart::usual(),
                        ..secret
                    })
                }
                kept => TargetCredential::Password(kept),
            }),
            (false, true) => files.map(TargetCredential::Certificate),
            (false, false) => {
                if !self
                    .report
                    .problems
                    .iter()
                    .any(|p| p.path.starts_with(&password_at.to_string()))
                {
                    self.bad(
                        &password_at,
                        "is missing, and there is no client certificate either",
                        "give password = \"env:NAME\", \"file:PATH\" or \"sealed\", or client_certificate = { cert, key }",
                    );
                }
                None
            }
        }
    }

    fn rds(&mut self, at: &Place, aws: &str, certificate: bool) -> Option<TargetCredential> {
        if certificate {
            self.bad(
                &at.key("client_certificate"),
                "is not asked for by RDS, where the gateway logs in with a signed login",
                "take it out, or give another password",
            );
        }
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if aws.is_empty() || !aws.bytes().all(plain) {
            self.bad(
                &at.key("password"),
                "does not say who signs the login for RDS",
                "write rds-iam:NAME, with the name of an [aws] table",
            );
            return None;
        }
        Some(TargetCredential::RdsIam(aws.to_owned()))
    }

    /// A login at RDS is a password in clear, good for a quarter of an hour on that server: it goes to no other. Everybody's
    /// servers at RDS have certificates of the same authority, so that alone proves nothing.
    pub(super) fn rds_is_verified(
        &mut self,
        at: &Place,
        credential: Option<&TargetCredential>,
        mode: TlsMode,
    ) {
        let Some(TargetCredential::RdsIam(_)) = credential else {
            return;
        };
        let name = match mode {
            TlsMode::Disable => "disable",
            TlsMode::Require => "require",
            TlsMode::VerifyCa => "verify-ca",
            TlsMode::VerifyFull => return,
        };
        self.wrong(
            at,
            name,
            "does not prove that the server is the one that the login is signed for",
            "use verify-full, with the certificates of RDS in `ca`",
        );
    }

    /// The role to log in with; none where a vault makes it, or a secret names it.
    pub(super) fn user(
        &mut self,
        at: &Place,
        user: Option<String>,
        credential: Option<&TargetCredential>,
    ) -> Option<String> {
        match (user, credential) {
            (None, Some(TargetCredential::Issued(_) | TargetCredential::AwsSecret(_))) => {
                Some(String::new())
            }
            (Some(user), Some(TargetCredential::AwsSecret(_))) => {
                self.wrong(
                    at,
                    &user,
                    "is not who logs in, since the secret names the user",
                    "take it out, or name only the password's key: aws:NAME/SECRET#KEY",
                );
                None
            }
            (Some(user), Some(TargetCredential::Issued(_))) => {
                self.wrong(
                    at,
                    &user,
                    "is not who logs in, since a vault makes a user for each session",
                    "take it out",
                );
                None
            }
            (Some(user), _) => self.identifier(at, user),
            (None, _) => {
                self.bad(
                    at,
                    "is required and missing",
                    match credential {
                        Some(TargetCredential::Password(SecretSource::Aws(_))) => {
                            "name the role that the gateway logs in with, or take it from the secret too: aws:NAME/SECRET#KEY,KEY"
                        }
                        _ => "name the role that the gateway logs in with",
                    },
                );
                None
            }
        }
    }

    pub(super) fn template(
        &mut self,
        at: &Place,
        template: Option<String>,
        user: Option<&str>,
        credential: Option<&TargetCredential>,
    ) -> Option<String> {
        let template = self.identifier(at, template?)?;
        if let Some(TargetCredential::Issued(_)) = credential {
            self.wrong(
                at,
                &template,
                "makes a role for each session, and so does the vault that the password comes from",
                "take one of the two out",
            );
            return None;
        }
        if Some(template.as_str()) == user {
            self.wrong(
                at,
                &template,
                "is the role that makes the sessions' roles, so they would have its rights",
                "name the role whose rights agents should have, and let `user` be a member of it WITH ADMIN OPTION",
            );
            return None;
        }
        Some(template)
    }
}
