//! The targets' servers for the lender, reached over the data path's own connections.
//!
//! Lives here: translation between the two. Never: a statement, a credential.

use crate::run::with_causes;
use brattice_core::ports::{BoxFuture, Lease};
use brattice_identity::lend::{Rows, Server, ServerError, Servers};
use brattice_proxy::endpoint::{Endpoint, Endpoints};
use brattice_proxy::postgres::own::KeptOwn;
use std::sync::Arc;

/// All servers of the bundle in force.
pub struct OwnServers {
    endpoints: Arc<Endpoints>,
    kept: Arc<KeptOwn>,
}

impl OwnServers {
    /// Over these addresses.
    pub fn new(endpoints: Arc<Endpoints>, kept: Arc<KeptOwn>) -> Self {
        Self { endpoints, kept }
    }
}

impl Servers for OwnServers {
    fn of(&self, target: &str) -> Option<Arc<dyn Server>> {
        let endpoint = self.endpoints.get(target)?;
        Some(Arc::new(OwnServer {
            endpoint,
            kept: self.kept.clone(),
        }))
    }

    fn any_place(&self, target: &str) -> Option<String> {
        let endpoint = self.endpoints.get(target)?;
        let first = || endpoint.databases.first().cloned();
        // Every server has this one, and roles belong to the whole server.
        let found = endpoint.database.clone().or_else(first);
        Some(found.unwrap_or_else(|| "postgres".to_owned()))
    }
}

struct OwnServer {
    endpoint: Arc<Endpoint>,
    kept: Arc<KeptOwn>,
}

impl Server for OwnServer {
    fn run<'a>(
        &'a self,
        place: &'a str,
        login: &'a Lease,
        statements: &'a str,
    ) -> BoxFuture<'a, Result<Rows, ServerError>> {
        Box::pin(async move {
            let done = self.kept.query(&self.endpoint, place, login, statements);
            done.await.map_err(|error| ServerError {
                sqlstate: error.sqlstate().map(str::to_owned),
                why: with_causes(&error),
            })
        })
    }
}
