//! The listener for SSH: its service, and the certificate that it shows.
//!
//! Lives here: putting the service together, and making the certificate anew in time. Never: the keys' files.

use super::Gateway;
use super::error::StartError;
use super::ssh_keys::SshKeys;
use crate::adapt::OverSsh;
use crate::config::Checked;
use crate::config::checked::SshListener;
use arc_swap::ArcSwap;
use brattice_proxy::endpoint::Endpoint;
use brattice_proxy::listen;
use brattice_proxy::ssh::{
    AllTargets, Config, Host, Limits, Lobby, Service, Whereabouts, fingerprint,
};
use brattice_proxy::workers::Workers;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often the certificate is made anew: far more often than it has to be, so that a few failures harm nobody.
const RENEWED_EVERY: Duration = Duration::from_secs(3600);

/// Connections that may wait at once for a person to sign in, of all and of one origin; of all never more than a quarter of
/// all connections, since they are open for minutes and have proven nothing.
const SIGN_INS_MAX: usize = 64;
const SIGN_INS_PER_SOURCE_MAX: usize = 8;

/// What stands behind the listener.
pub(super) struct SshFront {
    service: Arc<Service>,
    keys: Arc<SshKeys>,
    /// For connections that are accepted from now on.
    config: Arc<ArcSwap<Config>>,
}

impl SshFront {
    pub(super) fn new(
        gateway: &Arc<Gateway>,
        listener: &SshListener,
        keys: Arc<SshKeys>,
        checked: &Checked,
    ) -> Result<Self, StartError> {
        tracing::info!(
            key = %fingerprint(keys.host.public_key()),
            authority = %fingerprint(keys.host_ca.public_key()),
            "the key by which SSH clients know this gateway, and the authority that certifies it"
        );
        let connections_max = checked.limits.connections_max;
        let connections_max = usize::try_from(connections_max).unwrap_or(usize::MAX);
        let service = Arc::new(Service {
            gate: gateway.gate.clone(),
            authenticator: gateway.authenticator.clone(),
            sign_ins: Arc::new(OverSsh::new(gateway)),
            lobby: Arc::new(Lobby::new(
                (connections_max / 4).clamp(1, SIGN_INS_MAX),
                SIGN_INS_PER_SOURCE_MAX,
            )),
            lender: gateway.lender.clone(),
            recordings: gateway.recordings.clone(),
            hosts: gateway.hosts.clone(),
            live: gateway.live.clone(),
            witness: gateway.list.clone(),
            randomness: gateway.randomness.clone(),
            all_targets: all_targets(gateway),
            host_key: keys.host.clone(),
            user_ca: keys.user_ca.public_key().clone(),
            limits: Limits::default(),
            login_max: checked.limits.login_max,
        });
        let certificate = keys
            .certificate(listener, gateway.clock.now(), gateway.randomness.as_ref())
            .map_err(StartError::SshCertificate)?;
        let config = Arc::new(ArcSwap::new(service.config(certificate)));
        Ok(Self {
            service,
            keys,
            config,
        })
    }

    /// Serves callers until `stop`.
    pub(super) fn serve(
        self,
        listener: TcpListener,
        gateway: &Arc<Gateway>,
        workers: Arc<Workers>,
        stop: &watch::Receiver<bool>,
    ) -> JoinHandle<()> {
        let Self {
            service,
            keys,
            config,
        } = self;
        let room = gateway.room();
        tokio::spawn(renew(
            gateway.clone(),
            service.clone(),
            keys,
            config.clone(),
            stop.clone(),
        ));
        tokio::spawn(listen::accept(
            listener,
            room,
            workers,
            stop.clone(),
            move |stream, from, seat| {
                let (service, config) = (service.clone(), config.load_full());
                async move { service.serve(config, stream, from, seat).await }
            },
        ))
    }
}

/// Where the targets of the bundle in force are.
fn all_targets(gateway: &Gateway) -> AllTargets {
    let (endpoints, hosts) = (gateway.endpoints.clone(), gateway.hosts.clone());
    Arc::new(move || {
        let (databases, hosts) = (endpoints.all(), hosts.all());
        let of_database = |e: &Arc<Endpoint>| Whereabouts {
            name: e.name.clone(),
            host: e.host.clone(),
            port: e.port,
        };
        let of_host = |h: &Arc<Host>| Whereabouts {
            name: h.name.clone(),
            host: h.host.clone(),
            port: h.port,
        };
        let databases = databases.values().map(of_database);
        databases.chain(hosts.values().map(of_host)).collect()
    })
}

/// Makes the certificate anew from time to time, and when a bundle may have changed the gateway's public name.
async fn renew(
    gateway: Arc<Gateway>,
    service: Arc<Service>,
    keys: Arc<SshKeys>,
    config: Arc<ArcSwap<Config>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut applied = gateway.applied.subscribe();
    loop {
        tokio::select! {
            () = crate::run::told(&mut stop) => return,
            () = tokio::time::sleep(RENEWED_EVERY) => {}
            changed = applied.changed() => if changed.is_err() { return },
        }
        let checked = gateway.checked.load_full();
        let Some(listener) = &checked.listen.ssh else {
            continue;
        };
        match keys.certificate(listener, gateway.clock.now(), gateway.randomness.as_ref()) {
            Ok(certificate) => config.store(service.config(certificate)),
            Err(error) => tracing::error!(
                error = &error as &dyn std::error::Error,
                "the certificate of the SSH listener could not be made anew; the last one still holds"
            ),
        }
    }
}
