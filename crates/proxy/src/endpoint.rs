//! Where targets are and how they are reached.
//!
//! Lives here: addresses and TLS towards targets, swapped whole when a bundle is applied. Never: credentials.

use arc_swap::ArcSwap;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How the connection to a target is encrypted, and how its certificate is checked.
#[derive(Debug, Clone)]
pub enum TargetTls {
    /// Not at all.
    Disable,
    /// Encrypted; the certificate is not checked.
    Require,
    /// The certificate must come from this authority; its name is not compared.
    VerifyCa(Arc<rustls::RootCertStore>),
    /// The certificate must come from this authority and name the host.
    VerifyFull(Arc<rustls::RootCertStore>),
}

/// One target's address.
#[derive(Debug)]
pub struct Endpoint {
    /// The target's name.
    pub name: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS.
    pub tls: TargetTls,
    /// The database when the caller names none.
    pub database: Option<String>,
    /// Databases that may be named; empty: any.
    pub databases: Vec<String>,
    /// Room for sessions.
    pub connections: Arc<Semaphore>,
}

impl Endpoint {
    /// The database that a caller's choice comes to; `None` when it may not be reached.
    pub fn database_for(&self, asked: Option<&str>) -> Option<String> {
        let name = asked.or(self.database.as_deref())?;
        let open = self.databases.is_empty() || self.databases.iter().any(|d| d == name);
        open.then(|| name.to_owned())
    }
}

/// All targets' addresses.
#[derive(Debug, Default)]
pub struct Endpoints(ArcSwap<HashMap<String, Arc<Endpoint>>>);

impl Endpoints {
    /// Replaces all of them.
    pub fn apply(&self, endpoints: HashMap<String, Arc<Endpoint>>) {
        self.0.store(Arc::new(endpoints));
    }
    /// All of them, as they are now.
    pub fn all(&self) -> Arc<HashMap<String, Arc<Endpoint>>> {
        self.0.load_full()
    }
    /// One by name.
    pub fn get(&self, name: &str) -> Option<Arc<Endpoint>> {
        self.0.load().get(name).cloned()
    }
}
