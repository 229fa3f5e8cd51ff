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
