//! The listener: bounded connections, deadlines before anything is known of a caller, TLS, and an orderly end.
//!
//! Lives here: sockets of the API and of the metrics. Never: routes.

use crate::crowd::{Crowd, Guest};
use crate::line::Line;
use crate::proof::Peer;
use axum::Router;
use brattice_core::sender::Certificate;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::{ServerConfig, ServerConnection};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections at once, a quarter of them of one address. For one more the oldest that waits for nothing is closed.
    pub connections_max: usize,
    /// How long a TLS handshake, and then each request's head, may take.
    pub head_max: Duration,
    /// How long requests may go on after the end was asked for.
    pub drain_max: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections_max: 256,
            head_max: Duration::from_secs(10),
            drain_max: Duration::from_secs(10),
        }
    }
}

/// The most headers of a request.
const HEADERS_MAX: usize = 64;
/// The most bytes of a request's head.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// What connections and answers hold until they end; far more than there can be.
const PERMITS: usize = 1 << 20;
/// How often it is said that connections are closed.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// How long to rest when no connection can be taken, e.g. for want of file descriptors.
const REST: Duration = Duration::from_millis(100);

/// Serves a router until `stop` turns true. Without TLS the caller has seen to it that the address is a loopback one.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    router: Router,
    bounds: Bounds,
    mut stop: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(PERMITS));
    let crowd = Arc::new(Crowd::new(bounds.connections_max));
    let mut told_at: Option<Instant> = None;
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(why) => {
                tracing::warn!(%why, "a connection could not be taken");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let guest = crowd.enter(peer);
        let permit = Arc::clone(&permits).try_acquire_owned();
        let (Some(guest), Ok(permit)) = (guest, permit) else {
            if told_at.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
                told_at = Some(Instant::now());
                tracing::warn!(%peer, "too many connections to the API are at work; one was closed, and others may be");
            }
            continue;
        };
        let (acceptor, router, stop) = (acceptor.clone(), router.clone(), stop.clone());
        // Held by the connection, and by every answer that is being made for it.
        let held = (bounds, Arc::new(permit), guest.clone());
        let crowd = crowd.clone();
        tokio::spawn(async move {
            let talk = async {
                match acceptor {
                    None => {
                        let peer = Peer {
                            at: peer,
                            encrypted: false,
                            certificate: None,
                        };
                        converse(socket, peer, router, held, stop).await
                    }
                    Some(acceptor) => {
                        match tokio::time::timeout(bounds.head_max, acceptor.accept(socket)).await {
                            Ok(Ok(stream)) => {
                                let peer = Peer {
                                    at: peer,
                                    encrypted: true,
                                    certificate: shown(stream.get_ref().1),
                                };
                                converse(stream, peer, router, held, stop).await
                            }
                            Ok(Err(why)) => Err(why),
                            Err(_) => Err(io::Error::other("the TLS handshake took too long")),
                        }
                    }
                }
            };
            let outcome = tokio::select! {
                outcome = talk => outcome,
                () = guest.is_sent_away() => Err(io::Error::other("it made room for another")),
            };
            crowd.left(&guest);
            if let Err(why) = outcome {
                tracing::debug!(%peer, %why, "a connection to the API ended early");
            }
        });
    }
    drop(listener);
    let all = u32::try_from(PERMITS).unwrap_or(u32::MAX);
    // Whoever is still talking when the time is up is cut off.
    let _ = tokio::time::timeout(bounds.drain_max, permits.acquire_many(all)).await;
}

/// The certificate whose key a client showed in its handshake, with those that came beside it.
fn shown(connection: &ServerConnection) -> Option<Arc<Certificate>> {
    let sent = connection.peer_certificates()?;
    Certificate::of(sent.iter().map(|c| c.as_ref()))
}

async fn converse<S>(
    stream: S,
    peer: Peer,
    router: Router,
    (bounds, permit, guest): (Bounds, Arc<OwnedSemaphorePermit>, Arc<Guest>),
    mut stop: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let inner = TowerToHyperService::new(router);
    let line = Line::new(guest.clone(), stop.clone());
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.extensions_mut().insert(line.clone());
        let (answering, held) = (inner.call(request), (permit.clone(), guest.busy()));
        // What was begun is brought to its end, whether or not somebody still waits for the answer: nobody stops a
        // revocation half-way by hanging up.
        let answering = tokio::spawn(async move {
            let answer = answering.await;
            drop(held);
            answer
        });
        async move {
            match answering.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(never)) => match never {},
                Err(failed) => Err(io::Error::other(failed)),
            }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_max)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    ended.map_err(io::Error::other)
}

/// Waits until the end is asked for, or nobody is left who could ask.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(|_| ());
}
