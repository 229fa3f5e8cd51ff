//! The gateway as a running program: parts joined, listeners opened, bundles applied, signals obeyed.
//!
//! Lives here: the order of starting and stopping. Never: a decision, a protocol.

mod assemble;
mod bundle;
mod system;
mod tend;

pub use assemble::{Gateway, StartError};
pub use system::{SystemClock, SystemRandomness};

use crate::config::Checked;
use brattice_core::gate::CutReason;
use brattice_proxy::listen;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// A gateway with its listeners open.
pub struct Running {
    /// Its parts.
    pub gateway: Arc<Gateway>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

/// Opens the listeners and starts serving.
///
/// # Errors
/// When a part cannot be made or a port cannot be had; nothing is left running then.
pub async fn start(checked: Checked) -> Result<Running, StartError> {
    let gateway = Arc::new(Gateway::assemble(checked).await?);
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    if let Some((listener, service)) = gateway.postgres().await? {
        let permits = Arc::new(Semaphore::new(gateway.connections_max()));
        let address = listener.local_addr().map_err(|cause| StartError::Listen { what: "postgres", cause })?;
        tracing::info!(%address, "listening for PostgreSQL clients");
        let accepting = listen::accept(listener, permits, stopped.clone(), move |stream, from| {
            let service = service.clone();
            async move { service.serve(stream, from).await }
        });
        tasks.push(tokio::spawn(accepting));
    }
    tasks.extend(gateway.clone().admin(stopped.clone()).await?);
    tasks.push(tokio::spawn(tend::tend(gateway.clone(), stopped)));
    Ok(Running { gateway, stop, tasks })
}

impl Running {
    /// Stops accepting, lets sessions end within the drain time, cuts the rest, closes the record.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let drain = self.gateway.drain_max();
        let live = self.gateway.live.clone();
        tracing::info!(sessions = live.count(), "draining");
        let emptied = async {
            while live.count() > 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if tokio::time::timeout(drain, emptied).await.is_err() {
            live.cut_all(CutReason::Draining);
            let emptied = async {
                while live.count() > 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            let _ = tokio::time::timeout(Duration::from_secs(5), emptied).await;
        }
        for task in self.tasks {
            task.abort();
        }
        self.gateway.close().await;
    }
}

/// Binds a listener.
pub(crate) async fn bind(what: &'static str, addr: std::net::SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr).await.map_err(|cause| StartError::Listen { what, cause })
}
