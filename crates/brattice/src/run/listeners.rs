//! The listeners: where callers, people and machines come in.
//!
//! Lives here: binding, TLS, and which service stands behind which address. Never: a protocol.

use super::Gateway;
use super::error::{StartError, boxed};
use super::ssh_front::SshFront;
use crate::adapt::{self, figures::Figures};
use crate::config::Checked;
use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::Request;
use brattice_admin::serve::{Bounds, serve};
use brattice_admin::{Admin, health};
use brattice_proxy::listen;
use brattice_proxy::postgres::{OauthDiscovery, Service};
use brattice_proxy::workers::Workers;
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tower::ServiceExt;

/// Where the listeners are.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// PostgreSQL.
    pub postgres: Option<SocketAddr>,
    /// SSH.
    pub ssh: Option<SocketAddr>,
    /// The API.
    pub admin: SocketAddr,
    /// Metrics and health.
    pub metrics: Option<SocketAddr>,
}

/// Listeners that are bound and not served yet: either all of them are, or none.
pub(super) struct Bound {
    postgres: Option<(TcpListener, Arc<Service>)>,
    ssh: Option<(TcpListener, SshFront)>,
    workers: Arc<Workers>,
    admin: (TcpListener, Option<Arc<ServerConfig>>),
    metrics: Option<TcpListener>,
    /// Where they are.
    pub(super) addresses: Addresses,
}

impl Gateway {
    /// Binds every listener of the bundle.
    pub(super) async fn bind(self: &Arc<Self>) -> Result<Bound, StartError> {
        let checked = self.checked.load_full();
        let postgres = match &checked.listen.postgres {
            None => None,
            Some(wanted) => {
                let service = Arc::new(self.postgres_service(&checked)?);
                let listener = bind("postgres", wanted.addr).await?;
                Some((listener, service))
            }
        };
        let ssh = match (&checked.listen.ssh, &self.ssh_keys) {
            (Some(wanted), Some(keys)) => {
                let front = SshFront::new(self, wanted, keys.clone(), &checked)?;
                Some((bind("ssh", wanted.addr).await?, front))
            }
            _ => None,
        };
        let wanted = &checked.listen.admin;
        let admin = bind("admin", wanted.addr).await?;
        let metrics = match checked.listen.metrics {
            None => None,
            Some(address) => Some(bind("metrics", address).await?),
        };
        let addresses = Addresses {
            postgres: postgres
                .as_ref()
                .map(|(l, _)| at("postgres", l))
                .transpose()?,
            ssh: ssh.as_ref().map(|(l, _)| at("ssh", l)).transpose()?,
            admin: at("admin", &admin)?,
            metrics: metrics.as_ref().map(|l| at("metrics", l)).transpose()?,
        };
        if let Some(address) = addresses.postgres {
            let _first = self.postgres_at.set(address);
        }
        if let Some(address) = addresses.ssh {
            let _first = self.ssh_at.set(address);
        }
        let workers = Workers::start().map_err(StartError::Threads)?;
        Ok(Bound {
            postgres,
            ssh,
            workers: Arc::new(workers),
            admin: (admin, self.certificates.admin()),
            metrics,
            addresses,
        })
    }

    fn postgres_service(&self, checked: &Checked) -> Result<Service, StartError> {
        let wanted = checked.listen.postgres.as_ref();
        let mut mock_key = [0; 32];
        self.randomness
            .fill(&mut mock_key)
            .map_err(|e| StartError::Randomness(boxed(e)))?;
        let limits = frame_limits(checked.limits.statement_bytes_max);
        // A client can be pointed to one provider only.
        let oauth = match checked.issuers.as_slice() {
            [only] => Some(OauthDiscovery {
                configuration_url: format!(
                    "{}/.well-known/openid-configuration",
                    only.url.trim_end_matches('/')
                ),
                scope: "openid".to_owned(),
            }),
            _ => None,
        };
        Ok(Service {
            gate: self.gate.clone(),
            authenticator: self.authenticator.clone(),
            lender: self.lender.clone(),
            recordings: self.recordings.clone(),
            endpoints: self.endpoints.clone(),
            live: self.live.clone(),
            cancels: self.cancels.clone(),
            witness: self.list.clone(),
            randomness: self.randomness.clone(),
            tls: self.certificates.postgres(),
            certificates_asked: self.certificates.asked().clone(),
            plaintext_loopback: wanted.is_some_and(|w| w.allow_plaintext_loopback),
            oauth,
            limits,
            login_max: checked.limits.login_max,
            mock_key,
        })
    }
}

impl Bound {
    /// Serves callers until `stop`, and people and machines until `stop_api`: while sessions end, the API still answers.
    pub(super) fn serve(
        self,
        gateway: &Arc<Gateway>,
        stop: &watch::Receiver<bool>,
        stop_api: &watch::Receiver<bool>,
    ) -> Serving {
        let postgres = self.postgres.map(|(listener, service)| {
            let room = gateway.room();
            tokio::spawn(listen::accept(
                listener,
                room,
                self.workers.clone(),
                stop.clone(),
                move |stream, from, seat| {
                    let service = service.clone();
                    async move { service.serve(stream, from, seat).await }
                },
            ))
        });
        let ssh = self
            .ssh
            .map(|(listener, front)| front.serve(listener, gateway, self.workers.clone(), stop));
        let bounds = Bounds {
            connections_max: gateway.api_connections_max(),
            ..Bounds::default()
        };
        let (listener, tls) = self.admin;
        let api = Arc::new(ArcSwap::from_pointee(api(gateway, self.addresses.admin)));
        tokio::spawn(renew(
            gateway.clone(),
            self.addresses.admin,
            api.clone(),
            stop_api.clone(),
        ));
        let mut others = vec![tokio::spawn(serve(
            listener,
            tls,
            newest(api),
            bounds,
            stop_api.clone(),
        ))];
        if let Some(listener) = self.metrics {
            let router = health::router(Arc::new(Figures(gateway.clone())));
            others.push(tokio::spawn(serve(
                listener,
                None,
                router,
                bounds,
                stop_api.clone(),
            )));
        }
        Serving {
            callers: postgres.into_iter().chain(ssh).collect(),
            workers: self.workers,
            others,
        }
    }
}

/// The tasks that serve.
pub(super) struct Serving {
    /// Those that accept callers.
    pub(super) callers: Vec<JoinHandle<()>>,
    /// Where sessions run, until this is dropped.
    pub(super) workers: Arc<Workers>,
    pub(super) others: Vec<JoinHandle<()>>,
}

/// The API as the bundle in force has it.
fn api(gateway: &Arc<Gateway>, bound: SocketAddr) -> Router {
    brattice_admin::router(Admin::new(
        adapt::ports(gateway),
        adapt::settings(gateway, bound),
    ))
}

/// Makes the API anew for each bundle: secrets of routes and bounds are the bundle's. The memory of nonces begins anew
/// with it, which brings no decision back: a person answers a question once, and a closed one is not answered.
async fn renew(
    gateway: Arc<Gateway>,
    bound: SocketAddr,
    router: Arc<ArcSwap<Router>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut applied = gateway.applied.subscribe();
    loop {
        tokio::select! {
            () = crate::run::told(&mut stop) => return,
            changed = applied.changed() => if changed.is_err() { return },
        }
        router.store(Arc::new(api(&gateway, bound)));
    }
}

/// Hands each request to the newest router.
fn newest(router: Arc<ArcSwap<Router>>) -> Router {
    Router::new().fallback(move |request: Request| {
        let router = Router::clone(&router.load());
        async move { router.oneshot(request).await }
    })
}

async fn bind(what: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| StartError::Listen {
            what,
            address,
            cause,
        })
}

fn at(what: &'static str, listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|cause| StartError::Listen {
        what,
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        cause,
    })
}

/// A statement that is too long is refused by the gate, and the session goes on; frames are cut off well beyond it.
fn frame_limits(statement_bytes_max: u32) -> brattice_proxy::postgres::Limits {
    let usual = brattice_proxy::postgres::Limits::default();
    let statement = usize::try_from(statement_bytes_max).unwrap_or(usize::MAX);
    let frame = statement.saturating_mul(2).max(usual.frame_bytes_max);
    brattice_proxy::postgres::Limits {
        statement_bytes_max: frame,
        frame_bytes_max: frame,
        ..usual
    }
}
