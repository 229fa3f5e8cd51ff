//! One reader of catalogues for each target, kept across bundles while the target stays where it is.

use super::bundle::Address;
use brattice_core::gate::Catalogues;
use brattice_core::ports::CredentialSource;
use brattice_core::time::Clock;
use brattice_proxy::endpoint::Endpoints;
use brattice_proxy::postgres::catalogue::TargetCatalogues;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The readers.
pub(super) struct Kept {
    endpoints: Arc<Endpoints>,
    lender: Arc<dyn CredentialSource>,
    clock: Arc<dyn Clock>,
    readers: Mutex<HashMap<String, (Address, Arc<TargetCatalogues>)>>,
}

impl Kept {
    pub(super) fn new(
        endpoints: Arc<Endpoints>,
        lender: Arc<dyn CredentialSource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            endpoints,
            lender,
            clock,
            readers: Mutex::default(),
        }
    }

    /// The target's reader. A target that moved gets a new one: what was read elsewhere is not its catalogue.
    pub(super) fn of(&self, address: Address) -> Arc<dyn Catalogues> {
        let mut readers = match self.readers.lock() {
            Ok(readers) => readers,
            Err(poisoned) => poisoned.into_inner(),
        };
        if let Some((before, reader)) = readers.get(&address.name)
            && *before == address
        {
            return reader.clone();
        }
        let reader = Arc::new(TargetCatalogues::new(
            address.name.clone(),
            self.endpoints.clone(),
            self.lender.clone(),
            self.clock.clone(),
            brattice_proxy::postgres::Limits::default(),
        ));
        readers.insert(address.name.clone(), (address, reader.clone()));
        reader
    }

    /// Closes their connections; what these were lent goes back.
    pub(super) async fn close(&self) {
        let readers: Vec<Arc<TargetCatalogues>> = match self.readers.lock() {
            Ok(readers) => readers.values().map(|(_, r)| r.clone()).collect(),
            Err(_) => return,
        };
        for reader in readers {
            reader.close().await;
        }
    }
}
