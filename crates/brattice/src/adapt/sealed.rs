//! Sealed secrets, as the store keeps them.

use brattice_core::ports::{BoxFuture, StoreError};
use brattice_identity::lend::SealedStore;
use brattice_store::db::Db;

/// The sealed secrets of a database.
pub struct SealedIn(pub Db);

impl SealedStore for SealedIn {
    fn sealed<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.0.sealed(name))
    }
}
