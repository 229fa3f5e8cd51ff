//! A connection that can be ended from outside, and whose other end is asked whether it is there.
//!
//! Lives here: the switch, and what the operating system is told. Never: bytes' meaning.

use socket2::{SockRef, TcpKeepalive};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// How often a client that says nothing is asked whether it is there, and how often in vain before it is gone.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_MAX: u32 = 3;

/// Has the operating system ask a client that says nothing whether it is there.
pub(super) fn keep_asking(tcp: &TcpStream) {
    let how = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE)
        .with_retries(KEEPALIVE_MAX);
    if let Err(error) = SockRef::from(tcp).set_tcp_keepalive(&how) {
        tracing::warn!(%error, "a client that vanishes will not be noticed");
    }
}

/// Ends the connection that it belongs to: reading and writing fail from then on.
#[derive(Debug, Clone, Default)]
pub(super) struct Switch(Arc<Notify>);

impl Switch {
    /// Throws it.
    pub fn throw(&self) {
        // A permit is kept for a connection that looks later.
        self.0.notify_one();
    }
}

/// A connection under a switch.
pub(super) struct Switched {
    tcp: TcpStream,
    thrown: Pin<Box<OwnedNotified>>,
    is_off: bool,
}

impl Switched {
    pub fn new(tcp: TcpStream, switch: &Switch) -> Self {
        Self {
            tcp,
            thrown: Box::pin(switch.0.clone().notified_owned()),
            is_off: false,
        }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_off && self.thrown.as_mut().poll(cx).is_ready() {
            self.is_off = true;
        }
        match self.is_off {
            true => Err(io::ErrorKind::ConnectionAborted.into()),
            false => Ok(()),
        }
    }
}

impl AsyncRead for Switched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Switched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}
