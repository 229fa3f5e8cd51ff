//! Vaults: where they are, how the gateway proves itself to them, and that whoever speaks of one has it.

use super::{Checker, Pem, named};
use crate::config::checked::{SecretSource, TargetConfig, TargetCredential, Vault, VaultLogin};
use crate::config::place::Place;
use crate::config::raw::{RawAppRole, RawVault, RawVaultJwt};
use std::collections::BTreeMap;

/// Where Kubernetes puts a pod's own token.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl Checker<'_> {
    pub(super) fn vaults(&mut self, raw: BTreeMap<String, RawVault>) -> BTreeMap<String, Vault> {
        named(self, "vaults", raw, false)
            .into_iter()
            .filter_map(|(name, at, raw)| Some((name, self.vault(&at, raw)?)))
            .collect()
    }

    fn vault(&mut self, at: &Place, raw: RawVault) -> Option<Vault> {
        let address = raw
            .address
            .and_then(|text| self.url(&at.key("address"), &text));
        let ca = raw
            .ca
            .map(|ca| self.pem(&at.key("ca"), &ca, Pem::Certificates));
        let namespace = raw.namespace;
        if let Some(namespace) = &namespace
            && !is_path(namespace)
        {
            self.wrong(
                &at.key("namespace"),
                namespace,
                "is not a namespace",
                "write its path, e.g. teams/orders",
            );
        }
        let login = match (raw.token, raw.approle, raw.jwt) {
            (Some(text), None, None) => self
                .secret(&at.key("token"), &text, false)
                .map(VaultLogin::Token),
            (None, Some(approle), None) => self.approle(&at.key("approle"), approle),
            (None, None, Some(jwt)) => self.vault_jwt(&at.key("jwt"), jwt),
            _ => {
                self.bad(
                    at,
                    "must say in exactly one way how the gateway proves itself to it",
                    "give one of token = \"file:PATH\", approle = { role_id, secret_id } or jwt = { role }",
                );
                None
            }
        };
        Some(Vault {
            address: address?.to_string(),
            ca: match ca {
                Some(given) => Some(given?),
                None => None,
            },
            namespace,
            login: login?,
        })
    }

    fn approle(&mut self, at: &Place, raw: RawAppRole) -> Option<VaultLogin> {
        let mount = self.mount(at, raw.mount, "approle");
        let role_id = self.secret(&at.key("role_id"), &raw.role_id?, false);
        let secret_id = self.secret(&at.key("secret_id"), &raw.secret_id?, false);
        Some(VaultLogin::AppRole {
            mount: mount?,
            role_id: role_id?,
            secret_id: secret_id?,
        })
    }

    fn vault_jwt(&mut self, at: &Place, raw: RawVaultJwt) -> Option<VaultLogin> {
        let mount = self.mount(at, raw.mount, "kubernetes");
        let token = match raw.token {
            Some(text) => self.secret(&at.key("token"), &text, false),
            None => Some(SecretSource::File(POD_TOKEN.into())),
        };
        Some(VaultLogin::Jwt {
            mount: mount?,
            role: raw.role?,
            token: token?,
        })
    }

    fn mount(&mut self, at: &Place, given: Option<String>, usual: &str) -> Option<String> {
        let mount = given.unwrap_or_else(|| usual.to_owned());
        if !is_path(&mount) {
            self.wrong(
                &at.key("mount"),
                &mount,
                "is not where a method is mounted",
                format!("write its path, e.g. {usual}"),
            );
            return None;
        }
        Some(mount)
    }

    /// A vault that a target speaks of is one of the bundle's.
    pub(super) fn vaults_of(
        &mut self,
        targets: &BTreeMap<String, TargetConfig>,
        vaults: &[String],
    ) {
        for (name, target) in targets {
            let (TargetCredential::Password(SecretSource::Vault(path))
            | TargetCredential::Both(SecretSource::Vault(path), _)
            | TargetCredential::PrivateKey(SecretSource::Vault(path))
            | TargetCredential::Signed(path)
            | TargetCredential::Issued(path)) = &target.credential
            else {
                continue;
            };
            if !vaults.contains(&path.vault) {
                let at = Place::root().keys(&["targets", name, target.credential.key()]);
                self.no_such(&at, &path.vault, "vault", vaults.iter().map(String::as_str));
            }
        }
    }
}

/// Steps of letters, digits and a few signs, which mean themselves in a URL.
fn is_path(text: &str) -> bool {
    !text.is_empty()
        && text.split('/').all(|step| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
            !step.is_empty() && !step.bytes().all(|b| b == b'.') && step.bytes().all(plain)
        })
}
