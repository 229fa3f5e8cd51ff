//! The world's credentials and principals.

use super::*;

impl CredentialsApi for World {
    fn create<'a>(
        &'a self,
        _: &'a Identity,
        target: &'a str,
        _: Duration,
        _: brattice_core::ports::Bounds,
    ) -> BoxFuture<'a, Result<Minted, CreateError>> {
        Box::pin(async move {
            self.did("create");
            Ok(Minted {
                id: credential_id(),
                user: credential_id().to_string(),
                password: Secret::new("pw"),
                target: target.to_owned(),
                host: HOST.to_owned(),
                port: 5432,
                database: Some("orders-db/app".to_owned()),
                expires_at: NOW,
            })
        })
    }
    fn get<'a>(
        &'a self,
        id: &'a CredentialId,
    ) -> BoxFuture<'a, Result<Option<CredentialView>, Failed>> {
        Box::pin(async move { Ok((*id == credential_id()).then(credential)) })
    }
    fn list<'a>(
        &'a self,
        of: Option<&'a Principal>,
    ) -> BoxFuture<'a, Result<Vec<CredentialView>, Failed>> {
        let is_of = of.is_none_or(|p| asking_chain().acting.is_same(p));
        Box::pin(async move { Ok(is_of.then(credential).into_iter().collect()) })
    }
    fn revoke<'a>(&'a self, _: &'a CredentialId) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async {
            self.did("revoke");
            Ok(true)
        })
    }
}

impl SshApi for World {
    fn fingerprint(&self, public_key: &str) -> Result<String, String> {
        match public_key.starts_with("ssh-ed25519 ") {
            true => Ok("SHA256:x".to_owned()),
            false => Err("it is not a public key".to_owned()),
        }
    }
    fn certify<'a>(
        &'a self,
        _: &'a Identity,
        asked: Certify,
    ) -> BoxFuture<'a, Result<Certified, CreateError>> {
        Box::pin(async move {
            self.did("certify");
            Ok(Certified {
                id: credential_id(),
                certificate: "ssh-ed25519-cert-v01@openssh.com AAAA".to_owned(),
                users: vec![asked.target.clone()],
                target: asked.target,
                host: HOST.to_owned(),
                port: 2222,
                expires_at: NOW,
            })
        })
    }
    fn front(&self) -> Option<SshFront> {
        Some(SshFront {
            host: HOST.to_owned(),
            port: 2222,
            host_ca: "ssh-ed25519 AAAA".to_owned(),
            host_key: "ssh-ed25519 BBBB".to_owned(),
            user_ca: "ssh-ed25519 CCCC".to_owned(),
            target_ca: "ssh-ed25519 DDDD".to_owned(),
            targets: vec![SshHost {
                name: "web-1".to_owned(),
                accounts: vec!["deploy".to_owned()],
                is_certified: false,
            }],
        })
    }
}

impl IdentitiesApi for World {
    fn suspend<'a>(
        &'a self,
        _: &'a Principal,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Suspended, Failed>> {
        Box::pin(async {
            self.did("suspend");
            Ok(Suspended::default())
        })
    }
    fn seen<'a>(
        &'a self,
        kind: PrincipalKind,
        _: &'a str,
        name: &'a str,
    ) -> BoxFuture<'a, Result<Option<Principal>, Failed>> {
        Box::pin(async move { Ok(Some(principal(kind, name, &[]))) })
    }
    fn person<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<Option<Identity>, Failed>> {
        Box::pin(async move {
            let user = |name| {
                identity(Chain::of(principal(
                    PrincipalKind::User,
                    name,
                    &["okta/dba"],
                )))
            };
            Ok(match id {
                "okta/alice" => Some(user("alice")),
                "okta/bob" => Some(user("bob")),
                _ => None,
            })
        })
    }
}

fn credential() -> CredentialView {
    CredentialView {
        id: credential_id(),
        target: "orders-db".to_owned(),
        chain: asking_chain(),
        issued_at: NOW,
        expires_at: NOW,
    }
}
