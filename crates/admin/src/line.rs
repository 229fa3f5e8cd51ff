//! What a long answer goes over: lines as they come, on a connection that may be gone, slow, or wanted back.
//!
//! Lives here: the body of such an answer, and its hold on the connection. Never: what the lines say.

use crate::crowd::{Guest, Listening};
use axum::body::{Bytes, HttpBody};
use hyper::body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{mpsc, watch};

/// Pieces that wait for a client to read; whoever makes more of them waits.
const PIECES_MAX: usize = 2;

/// The connection of a request, put into it by [`crate::serve`]. By default there is none.
#[derive(Clone, Default)]
pub(crate) struct Line(Option<(Arc<Guest>, watch::Receiver<bool>)>);

impl Line {
    pub fn new(guest: Arc<Guest>, stop: watch::Receiver<bool>) -> Self {
        Self(Some((guest, stop)))
    }

    /// Ready when the listener is to end.
    pub async fn ends(&self) {
        match &self.0 {
            Some((_, stop)) => {
                let mut stop = stop.clone();
                // Nobody left who could ask is the end as well.
                let _gone = stop.wait_for(|stop| *stop).await.map(|_| ());
            }
            None => std::future::pending().await,
        }
    }

    /// Closes the connection, whatever of the answer its client has not read.
    pub fn hang_up(&self) {
        if let Some((guest, _)) = &self.0 {
            guest.send_away();
        }
    }

    /// A body, and where its pieces are put.
    pub fn body(&self) -> (mpsc::Sender<Bytes>, Lines) {
        let (put, pieces) = mpsc::channel(PIECES_MAX);
        let _listening = self.0.as_ref().map(|(guest, _)| guest.listening());
        (put, Lines { pieces, _listening })
    }
}

/// The body of an answer that goes on until whoever makes it is done.
pub(crate) struct Lines {
    pieces: mpsc::Receiver<Bytes>,
    /// Only had, so that the connection is not taken for one that waits for nothing.
    _listening: Option<Listening>,
}

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.pieces
            .poll_recv(cx)
            .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}
