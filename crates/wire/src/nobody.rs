//! The people of tests in which nobody is asked anything.
//!
//! Lives here: answers of none. Never: an approval.

use brattice_core::approval::{Approval, Grant, Question};
use brattice_core::freeze::Freeze;
use brattice_core::ids::{ApprovalId, Digest, SessionId};
use brattice_core::ports::{Approvals, BoxFuture, Freezes, People, StoreError};
use brattice_core::principal::{Chain, Identity, Principal};
use brattice_core::time::Timestamp;
use std::sync::Arc;

/// Holds nothing, stops nobody and has seen no one.
#[derive(Debug)]
pub(crate) struct Nobody;

impl Approvals for Nobody {
    fn ask<'a>(&'a self, _: Question) -> BoxFuture<'a, Result<Option<Approval>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
    fn get<'a>(&'a self, _: &'a ApprovalId) -> BoxFuture<'a, Result<Option<Approval>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
    fn decided<'a>(&'a self, _: &'a ApprovalId) -> BoxFuture<'a, Result<Approval, StoreError>> {
        Box::pin(std::future::pending())
    }
    fn ticket<'a>(
        &'a self,
        _: &'a Chain,
        _: &'a str,
        _: Digest,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<Approval>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
    fn consume<'a>(
        &'a self,
        _: &'a ApprovalId,
        _: &'a SessionId,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(async { Ok(false) })
    }
    fn void<'a>(&'a self, _: &'a ApprovalId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn abandon<'a>(&'a self, _: &'a ApprovalId) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
    fn grants<'a>(
        &'a self,
        _: &'a Chain,
        _: &'a str,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Grant>, StoreError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn open_grant<'a>(&'a self, _: Grant) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

impl Freezes for Nobody {
    fn standing(&self) -> BoxFuture<'_, Result<Arc<[Freeze]>, StoreError>> {
        Box::pin(async { Ok(Arc::from([])) })
    }
}

impl People for Nobody {
    fn last_proof<'a>(
        &'a self,
        _: &'a Principal,
    ) -> BoxFuture<'a, Result<Option<Identity>, StoreError>> {
        Box::pin(async { Ok(None) })
    }
}
