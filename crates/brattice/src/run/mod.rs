//! The gateway as a running program: parts joined, listeners opened, bundles applied, signals obeyed.
//!
//! Lives here: the order of starting and stopping. Never: a decision, a protocol.

mod apply;
mod assemble;
mod bundle;
mod catalogues;
mod certificates;
mod credentials;
mod ended;
mod error;
mod listeners;
pub mod log;
mod node;
mod serve;
mod source;
mod ssh_front;
mod ssh_keys;
mod system;
pub(crate) mod tend;
#[cfg(test)]
mod tests;

pub use assemble::Gateway;
pub use error::{StartError, with_causes};
pub use listeners::Addresses;
pub use serve::{serve, until_stopped};
pub use source::Source;
pub use system::{SystemClock, SystemRandomness};

use crate::adapt;
use crate::config::Checked;
use brattice_core::gate::CutReason;
use listeners::Serving;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long sessions that were cut, and requests that are being answered, may take to end.
const ENDING_MAX: Duration = Duration::from_secs(5);

/// How long giving back what sessions had on targets may take at the end.
const RETURNING_MAX: Duration = Duration::from_secs(5);

/// A gateway that serves.
pub struct Running {
    /// Its parts.
    pub gateway: Arc<Gateway>,
    /// Where it listens.
    pub addresses: Addresses,
    stop: watch::Sender<bool>,
    stop_api: watch::Sender<bool>,
    serving: Serving,
    tending: Vec<JoinHandle<()>>,
}

/// Opens the listeners and starts serving.
///
/// # Errors
/// When a part cannot be made or a port cannot be had; nothing is left running then.
pub async fn start(source: Source, checked: Checked) -> Result<Running, StartError> {
    let gateway = Gateway::assemble(
        source,
        checked,
        Arc::new(SystemClock),
        Arc::new(SystemRandomness),
    )
    .await?;
    let gateway = Arc::new(gateway);
    let bound = match gateway.bind().await {
        Ok(bound) => bound,
        Err(error) => {
            gateway.close().await;
            return Err(error);
        }
    };
    for warning in adapt::warnings(&gateway.checked.load()) {
        tracing::warn!(path = warning.path, "{}; {}", warning.what, warning.mend);
    }
    let (stop, stopped) = watch::channel(false);
    let (stop_api, api_stopped) = watch::channel(false);
    // All of them listen before anything can be asked or revoked.
    let changes = || gateway.db.changes();
    let tending = vec![
        tokio::spawn(adapt::announce(
            gateway.clone(),
            changes(),
            api_stopped.clone(),
        )),
        tokio::spawn(ended::record(
            gateway.clone(),
            changes(),
            api_stopped.clone(),
        )),
        tokio::spawn(tend::keep_current(
            gateway.clone(),
            changes(),
            api_stopped.clone(),
        )),
        tokio::spawn(tend::keep_granted(
            gateway.clone(),
            changes(),
            api_stopped.clone(),
        )),
        tokio::spawn(tend::keep_house(gateway.clone(), api_stopped.clone())),
        tokio::spawn(tend::keep_targets(gateway.clone(), api_stopped.clone())),
    ];
    let addresses = bound.addresses;
    let serving = bound.serve(&gateway, &stopped, &api_stopped);
    Ok(Running {
        gateway,
        addresses,
        stop,
        stop_api,
        serving,
        tending,
    })
}

impl Running {
    /// Reads the bundle again and applies it, if it is good.
    pub async fn reload(&self) {
        tend::reload(&self.gateway).await;
    }

    /// Stops accepting, lets sessions end within the drain time, cuts the rest, closes the record.
    pub async fn stop(self) {
        let Self {
            gateway,
            stop,
            stop_api,
            serving,
            tending,
            ..
        } = self;
        gateway.draining.store(true, Ordering::Release);
        stop.send_replace(true);
        tracing::info!(sessions = gateway.live.count(), "draining");
        for accepting in serving.callers {
            let _ended = accepting.await;
        }
        if !emptied(&gateway, gateway.drain_max()).await {
            gateway.live.cut_all(CutReason::Draining);
            emptied(&gateway, ENDING_MAX).await;
        }
        drop(serving.workers);
        // One that is in the middle of a read is closed by the process's end.
        let _late = tokio::time::timeout(ENDING_MAX, gateway.kept.close()).await;
        if !gateway.lender.all_returned(RETURNING_MAX).await {
            tracing::warn!(
                "not everything that sessions had on targets could be given back; the next start does it"
            );
        }
        stop_api.send_replace(true);
        for task in serving.others.into_iter().chain(tending) {
            let abort = task.abort_handle();
            if tokio::time::timeout(ENDING_MAX, task).await.is_err() {
                abort.abort();
            }
        }
        gateway.close().await;
        tracing::info!("stopped");
    }
}

/// Waits until it is true, or nobody is left who could say so.
pub(crate) async fn told(stop: &mut watch::Receiver<bool>) {
    let _or_gone = stop.wait_for(|stop| *stop).await.map(|_| ());
}

/// Waits until no session is open; false when that takes too long.
async fn emptied(gateway: &Gateway, most: Duration) -> bool {
    let waiting = async {
        while gateway.live.count() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(most, waiting).await.is_ok()
}
