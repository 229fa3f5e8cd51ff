//! The world's grants, delegations and freezes.

use super::*;

impl GrantsApi for World {
    fn request<'a>(&'a self, _: Asking<'a>) -> BoxFuture<'a, Result<Requested, Failed>> {
        Box::pin(async {
            self.did("request");
            let asked = Box::new(approval(ApprovalState::Pending));
            Ok(Requested::Asked(asked, Default::default()))
        })
    }
    fn list(&self) -> BoxFuture<'_, Result<Vec<Grant>, Failed>> {
        Box::pin(async {
            Ok(vec![Grant {
                id: grant_id(),
                rule: "writes".to_owned(),
                rule_text: Digest::of(b"rule"),
                chain: asking_chain().names_digest(),
                holder: asking_chain(),
                target: "orders-db".to_owned(),
                approvers: Vec::new(),
                until: NOW.plus(Duration::from_secs(60)),
            }])
        })
    }
    fn end<'a>(&'a self, _: &'a GrantId) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async {
            self.did("end grant");
            Ok(true)
        })
    }
}

impl DelegationsApi for World {
    fn delegate<'a>(&'a self, wish: Delegate<'a>) -> BoxFuture<'a, Result<Delegated, Failed>> {
        Box::pin(async move {
            self.did("delegate");
            Ok(Delegated::Given(Delegation {
                person: wish.who.chain.acting.clone(),
                scope: wish.scope,
                ..delegation()
            }))
        })
    }
    fn list(&self) -> BoxFuture<'_, Result<Vec<Delegation>, Failed>> {
        Box::pin(async { Ok(vec![delegation()]) })
    }
    fn end<'a>(&'a self, _: &'a DelegationId) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async {
            self.did("end delegation");
            Ok(true)
        })
    }
    fn subject<'a>(
        &'a self,
        id: &'a DelegationId,
        actor: &'a Identity,
    ) -> BoxFuture<'a, Result<Option<Identity>, Failed>> {
        Box::pin(async move {
            let own = actor.chain.acting.is_same(&delegation().agent) && *id == delegation().id;
            Ok(own.then(|| identity(Chain::of(delegation().person))))
        })
    }
}

impl FreezesApi for World {
    fn reached(&self, _: &Reach) -> Vec<Target> {
        vec![Target {
            name: "orders-db".to_owned(),
            protocol: Protocol::Postgres,
            labels: BTreeMap::new(),
            observe: false,
        }]
    }
    fn list(&self) -> BoxFuture<'_, Result<Vec<Freeze>, Failed>> {
        Box::pin(async {
            Ok(vec![Freeze {
                id: freeze_id(),
                reach: Reach::All,
                targets: BTreeSet::new(),
                reason: "incident".to_owned(),
                by: principal(PrincipalKind::User, "alice", &[]),
                at: NOW,
            }])
        })
    }
    fn freeze<'a>(
        &'a self,
        _: Reach,
        _: &'a str,
        _: &'a Principal,
    ) -> BoxFuture<'a, Result<Option<Frozen>, Failed>> {
        Box::pin(async {
            self.did("freeze");
            let freeze = FreezesApi::list(self).await?.pop();
            Ok(freeze.map(|freeze| Frozen {
                freeze,
                sessions: 1,
            }))
        })
    }
    fn thaw<'a>(
        &'a self,
        _: &'a FreezeId,
        _: &'a Principal,
    ) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async {
            self.did("thaw");
            Ok(true)
        })
    }
}
