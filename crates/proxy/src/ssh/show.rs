//! What a client sees of a stream: masked, on record, counted, then written.
//!
//! Lives here: that order. Never: what a value is (the detectors').

use super::link::Link;
use brattice_core::denial::Denial;
use brattice_core::mask::{StreamMasker, Tally};
use brattice_core::record::FrameKind;
use std::sync::Arc;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// One stream towards the client.
pub(super) struct Shown<W> {
    link: Arc<Link>,
    kind: FrameKind,
    /// Of which command.
    command: u64,
    /// None where bytes must stay as they are.
    masker: Option<StreamMasker>,
    out: Vec<u8>,
    tally: Tally,
    to_client: W,
}

/// Why a stream ends before its time.
#[derive(Debug)]
pub(super) enum Ending {
    /// It may not be shown.
    Denied(Denial),
    /// Nobody is there to see it.
    Gone,
}

impl<W: AsyncWrite + Unpin> Shown<W> {
    pub fn new(link: Arc<Link>, kind: FrameKind, command: u64, to_client: W) -> Self {
        Self {
            masker: Some(StreamMasker::new(link.detector.clone())),
            link,
            kind,
            command,
            out: Vec::new(),
            tally: Tally::default(),
            to_client,
        }
    }

    /// A stream in which nothing is masked: its bytes mean nothing without each other.
    pub fn as_it_is(link: Arc<Link>, kind: FrameKind, command: u64, to_client: W) -> Self {
        Self {
            masker: None,
            ..Self::new(link, kind, command, to_client)
        }
    }

    /// Takes a chunk, and shows what can be shown.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<(), Ending> {
        match &mut self.masker {
            Some(masker) => {
                masker.push(chunk, &mut self.out, &mut self.tally);
                self.write().await
            }
            None => {
                self.out.extend_from_slice(chunk);
                self.write().await
            }
        }
    }

    /// Whether something is held back that the next chunk could belong to.
    pub fn holds_back(&self) -> bool {
        self.masker.as_ref().is_some_and(|m| m.held() > 0)
    }

    /// Nothing has come for a while: shows what was held back.
    pub async fn pause(&mut self) -> Result<(), Ending> {
        if let Some(masker) = &mut self.masker {
            masker.pause(&mut self.out, &mut self.tally);
        }
        self.write().await
    }

    /// The stream has ended: shows what was held back.
    pub async fn finish(&mut self) -> Result<(), Ending> {
        if let Some(masker) = &mut self.masker {
            masker.finish(&mut self.out, &mut self.tally);
        }
        self.write().await
    }

    async fn write(&mut self) -> Result<(), Ending> {
        if self.out.is_empty() {
            return Ok(());
        }
        self.link
            .shown(self.kind, self.command, &self.out)
            .map_err(Ending::Denied)?;
        let written = self.to_client.write_all(&self.out).await;
        self.out.clear();
        written.map_err(|_| Ending::Gone)
    }
}
