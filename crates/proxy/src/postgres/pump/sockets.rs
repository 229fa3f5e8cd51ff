//! What a session waits for, and its sockets.
//!
//! Lives here: polling, reading, writing, and how much may wait in between. Never: what is done with what arrives.

use super::{Mind, Pump, Stop, Woken};
use crate::stream::Stream;
use brattice_core::gate::CutReason;
use bytes::{Buf, BytesMut};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What waits for the client at most before the target is no longer read.
const TO_CLIENT_BYTES_MAX: usize = 256 * 1024;
/// What waits for the target at most before the client is no longer read.
pub(super) const TO_TARGET_BYTES_MAX: usize = 256 * 1024;
/// What is read from a client ahead of what may be decoded.
const AHEAD_BYTES_MAX: usize = 64 * 1024;
/// What one read asks for at first; grows while reads fill it.
pub(super) const READ_BYTES_MIN: usize = 4 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;
/// What a buffer may keep while its session is idle.
const IDLE_BYTES_MAX: usize = 16 * 1024;

impl Pump {
    /// Waits for anything: bytes, room to write, the gate, people, the switch, the clock.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Woken, Stop>> {
        if let Poll::Ready(reason) = self.cut.poll(cx) {
            return Poll::Ready(Err(Stop::Cut(reason)));
        }
        if let Some(woken) = self.poll_mind(cx) {
            return Poll::Ready(Ok(woken));
        }
        if let Poll::Ready(stop) = self.poll_expiry(cx) {
            return Poll::Ready(stop);
        }
        if let Err(stop) = self.poll_write(cx) {
            return Poll::Ready(Err(stop));
        }
        match self.poll_read(cx) {
            Err(stop) => Poll::Ready(Err(stop)),
            Ok(true) => Poll::Ready(Ok(Woken::Bytes)),
            Ok(false) => {
                self.rest();
                Poll::Pending
            }
        }
    }

    /// Gives large buffers back while nothing is under way: idle sessions are many.
    fn rest(&mut self) {
        if !self.machine.is_idle() {
            return;
        }
        for buffer in [
            &mut self.client_in,
            &mut self.target_in,
            &mut self.machine.to_client,
        ] {
            if buffer.is_empty() && buffer.capacity() > IDLE_BYTES_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    fn poll_mind(&mut self, cx: &mut Context<'_>) -> Option<Woken> {
        match &mut self.mind {
            Mind::Thinking(future) => match future.as_mut().poll(cx) {
                Poll::Ready((session, thought)) => {
                    self.mind = Mind::Moving;
                    Some(Woken::Thought(session, thought))
                }
                Poll::Pending => None,
            },
            Mind::Parked(w) => {
                if let Poll::Ready(answer) = w.decided.as_mut().poll(cx) {
                    return Some(Woken::Decided(answer));
                }
                if w.stopped.as_mut().poll(cx).is_ready() {
                    return Some(Woken::Stopped);
                }
                if w.until.as_mut().poll(cx).is_ready() {
                    return Some(Woken::Ticket);
                }
                w.notice
                    .as_mut()
                    .poll(cx)
                    .is_ready()
                    .then_some(Woken::Notice)
            }
            Mind::Free(_) | Mind::Moving => None,
        }
    }

    /// A session whose identity ran out ends when it is idle, at the latest after the grace.
    fn poll_expiry(&mut self, cx: &mut Context<'_>) -> Poll<Result<Woken, Stop>> {
        if self.expired {
            let last = self.expires_at.plus(self.gate.expiry_grace());
            let over = self.gate.clock().now() >= last;
            if over || (self.machine.is_idle() && matches!(self.mind, Mind::Free(_))) {
                return Poll::Ready(Err(Stop::Cut(CutReason::Expired)));
            }
            if self.expiry.as_mut().poll(cx).is_ready() {
                self.expiry
                    .as_mut()
                    .reset(Instant::now() + Duration::from_secs(1));
                let _ = self.expiry.as_mut().poll(cx);
            }
            return Poll::Pending;
        }
        if self.expiry.as_mut().poll(cx).is_ready() {
            self.expiry
                .as_mut()
                .reset(Instant::now() + Duration::from_secs(1));
            return Poll::Ready(Ok(Woken::Expired));
        }
        Poll::Pending
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Result<(), Stop> {
        while !self.machine.outbox.is_empty() {
            match Pin::new(&mut self.target).poll_write(cx, self.machine.outbox.bytes()) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::TargetGone),
                Poll::Ready(Ok(n)) => {
                    self.machine.outbox.advance(n);
                    self.unflushed_target = true;
                }
                Poll::Pending => break,
            }
        }
        while !self.machine.to_client.is_empty() {
            match Pin::new(&mut self.client).poll_write(cx, &self.machine.to_client) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::ClientGone),
                Poll::Ready(Ok(n)) => {
                    self.machine.to_client.advance(n);
                    self.bytes_to_client += n as u64;
                    self.unflushed_client = true;
                }
                Poll::Pending => break,
            }
        }
        if self.unflushed_target {
            match Pin::new(&mut self.target).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed_target = false,
                Poll::Ready(Err(_)) => return Err(Stop::TargetGone),
                Poll::Pending => {}
            }
        }
        if self.unflushed_client {
            match Pin::new(&mut self.client).poll_flush(cx) {
                Poll::Ready(Ok(())) => self.unflushed_client = false,
                Poll::Ready(Err(_)) => return Err(Stop::ClientGone),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    /// Reads from whoever may be heard. True when there is something new to work on.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Result<bool, Stop> {
        let mut any = false;
        if self.machine.to_client.len() < TO_CLIENT_BYTES_MAX {
            match read(
                &mut self.target,
                &mut self.target_in,
                &mut self.target_read,
                cx,
            ) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::TargetGone),
                Poll::Ready(Ok(_)) => any = true,
                Poll::Pending => {}
            }
        }
        let wanted = matches!(self.mind, Mind::Free(_)) && self.machine.wants_client();
        if (wanted || self.client_in.len() < AHEAD_BYTES_MAX)
            && self.machine.outbox.bytes().len() < TO_TARGET_BYTES_MAX
        {
            match read(
                &mut self.client,
                &mut self.client_in,
                &mut self.client_read,
                cx,
            ) {
                Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => return Err(Stop::ClientGone),
                Poll::Ready(Ok(_)) => any = true,
                Poll::Pending => {}
            }
        }
        Ok(any)
    }
}

/// One read into a buffer that grows while reads fill it and shrinks when they do not.
fn read(
    stream: &mut Stream,
    into: &mut BytesMut,
    size: &mut usize,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    into.reserve(*size);
    let before = into.len();
    into.resize(before + *size, 0);
    let mut buf = ReadBuf::new(into.get_mut(before..).unwrap_or_default());
    let outcome = Pin::new(stream).poll_read(cx, &mut buf);
    let n = buf.filled().len();
    into.truncate(before + n);
    match outcome {
        Poll::Ready(Ok(())) => {
            if n == *size {
                *size = (*size * 2).min(READ_BYTES_MAX);
            } else if n < *size / 4 {
                *size = (*size / 2).max(READ_BYTES_MIN);
            }
            Poll::Ready(Ok(n))
        }
        Poll::Ready(Err(e)) => Poll::Ready(Err(e)),
        Poll::Pending => Poll::Pending,
    }
}
