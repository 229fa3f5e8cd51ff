//! Accepting connections: bounded, each in its own task on one of the workers.
//!
//! Lives here: the accept loop. Never: a protocol.

use crate::room::{Room, Seat};
use crate::workers::Workers;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Accepts until told to stop. Each connection has a seat in the room; who finds none is closed at once, so that those who
/// are in are not slowed by those who are not.
pub async fn accept<F, Fut>(
    listener: TcpListener,
    room: Arc<Room>,
    workers: Arc<Workers>,
    mut stop: watch::Receiver<bool>,
    serve: F,
) where
    F: Fn(TcpStream, SocketAddr, Seat) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    loop {
        let accepted = tokio::select! {
            _ = stop.changed() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok(pair) => pair,
            Err(error) => {
                // Out of file descriptors, most likely: wait for some to come back rather than spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(seat) = room.enter(from) else {
            tracing::warn!(%from, "a connection was closed: too many are open");
            drop(stream);
            continue;
        };
        // Small messages both ways: waiting to fill a packet only adds delay.
        let _ = stream.set_nodelay(true);
        let serve = serve.clone();
        let handed = workers.serve(stream, move |stream| async move {
            serve(stream, from, seat).await;
        });
        if let Err(error) = handed {
            tracing::warn!(%error, "a connection could not be served");
        }
    }
}
