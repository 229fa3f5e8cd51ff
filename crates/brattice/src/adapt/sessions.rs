//! Sessions: the list that outlives them, what is open now, and their recordings.
//!
//! Lives here: joining the three. Never: who may see which.

use super::{failed, watch};
use crate::run::Gateway;
use brattice_admin::ports::{
    Failed, ReplayFrame, ReplayPage, SessionFilter, SessionState, SessionView, SessionsApi, Watch,
};
use brattice_core::gate::CutReason;
use brattice_core::ids::SessionId;
use brattice_core::ports::BoxFuture;
use brattice_core::record::FrameKind;
use brattice_store::db::{self, StoredSession};
use brattice_store::recording::{End, ReadError, Reader, Shelf};
use std::sync::Arc;

/// The sessions of a gateway.
pub struct Sessions(pub Arc<Gateway>);

impl Sessions {
    fn view(&self, stored: StoredSession) -> SessionView {
        let state = match stored.state() {
            db::SessionState::Live => SessionState::Live,
            db::SessionState::Closed => SessionState::Closed,
            db::SessionState::Interrupted => SessionState::Interrupted,
        };
        let StoredSession { header, end, .. } = stored;
        let force = self.0.gate.in_force();
        let labels = force
            .targets
            .get(&header.target)
            .map(|g| g.target.labels.clone())
            .unwrap_or_default();
        let open = self
            .0
            .tally
            .session(&header.session)
            .filter(|_| end.is_none());
        let counted = |stored: Option<u64>, now: Option<u64>| stored.or(now).unwrap_or(0);
        SessionView {
            state,
            labels,
            ended_at: end.as_ref().map(|e| e.at),
            commands: counted(
                end.as_ref().map(|e| e.commands),
                open.as_ref().map(|o| o.commands()),
            ),
            bytes_to_client: counted(
                end.as_ref().map(|e| e.bytes_to_client),
                open.as_ref().map(|o| o.bytes_to_client()),
            ),
            holding: open.as_ref().and_then(|o| o.holding()),
            recording: end.and_then(|e| e.recording),
            id: header.session,
            chain: header.chain,
            target: header.target,
            place: header.place,
            protocol: header.protocol,
            client: header.client,
            started_at: header.started_at,
            revision: header.revision,
        }
    }
}

impl SessionsApi for Sessions {
    fn list<'a>(
        &'a self,
        filter: &'a SessionFilter,
    ) -> BoxFuture<'a, Result<Vec<SessionView>, Failed>> {
        Box::pin(async move {
            let filter = db::SessionFilter {
                target: filter.target.clone(),
                state: filter.state.map(|state| match state {
                    SessionState::Live => db::SessionState::Live,
                    SessionState::Closed => db::SessionState::Closed,
                    SessionState::Interrupted => db::SessionState::Interrupted,
                }),
                limit: Some(u32::try_from(filter.limit).unwrap_or(u32::MAX)),
                ..db::SessionFilter::default()
            };
            let found = self.0.db.sessions(&filter).await.map_err(failed)?;
            Ok(found.into_iter().map(|s| self.view(s)).collect())
        })
    }

    fn get<'a>(&'a self, id: &'a SessionId) -> BoxFuture<'a, Result<Option<SessionView>, Failed>> {
        Box::pin(async move {
            let found = self.0.db.session(id).await.map_err(failed)?;
            Ok(found.map(|s| self.view(s)))
        })
    }

    fn end<'a>(
        &'a self,
        id: &'a SessionId,
        reason: &'a str,
    ) -> BoxFuture<'a, Result<bool, Failed>> {
        Box::pin(async move {
            let ended = self.0.live.cut(id, CutReason::Killed);
            if ended {
                tracing::warn!(session = %id, reason, "a session was cut");
            }
            Ok(ended)
        })
    }

    fn replay<'a>(
        &'a self,
        id: &'a SessionId,
        from: u64,
        frames_max: usize,
        bytes_max: usize,
    ) -> BoxFuture<'a, Result<Option<ReplayPage>, Failed>> {
        let (shelf, id) = (self.0.shelf.clone(), id.clone());
        Box::pin(async move {
            let reading =
                tokio::task::spawn_blocking(move || page(&shelf, &id, from, frames_max, bytes_max));
            reading
                .await
                .map_err(|why| Failed::new("read a recording", why))?
        })
    }

    fn watch<'a>(
        &'a self,
        id: &'a SessionId,
        from_start: bool,
    ) -> BoxFuture<'a, Result<Watch, Failed>> {
        Box::pin(watch::begin(&self.0, id, from_start))
    }
}

/// Frames from an index on. At least one, however large, so that a reader always gets on.
fn page(
    shelf: &Shelf,
    id: &SessionId,
    from: u64,
    frames_max: usize,
    bytes_max: usize,
) -> Result<Option<ReplayPage>, Failed> {
    let found = shelf
        .find(id)
        .map_err(|why| Failed::new("find a recording", chain_of(&why)))?;
    let Some(path) = found.first() else {
        return Ok(None);
    };
    let broken = |why: ReadError| Failed::new("read a recording", chain_of(&why));
    let mut reader = shelf.read(path).map_err(broken)?;
    let mut frames: Vec<ReplayFrame> = Vec::new();
    let mut bytes = 0;
    let mut index = 0;
    loop {
        if frames.len() >= frames_max.max(1) || (bytes >= bytes_max && !frames.is_empty()) {
            return Ok(Some(ReplayPage {
                frames,
                next: Some(index),
            }));
        }
        let Some(frame) = reader.next() else { break };
        let frame = frame.map_err(broken)?;
        if !frame.whole && is_growing(&reader) {
            break;
        }
        if index >= from {
            bytes += frame.bytes.len();
            frames.push(ReplayFrame {
                index,
                at: frame.at,
                kind: kind_name(frame.kind),
                command: frame.command,
                bytes: frame.bytes,
            });
        }
        index += 1;
    }
    let next = is_growing(&reader).then_some(index.max(from));
    Ok(Some(ReplayPage { frames, next }))
}

/// It is being written: what is missing may come.
fn is_growing(reader: &Reader) -> bool {
    !matches!(reader.end(), Some(End::Sealed(_) | End::Interrupted(_)))
}

pub(super) fn kind_name(kind: FrameKind) -> &'static str {
    match kind {
        FrameKind::Command => "command",
        FrameKind::Parameters => "parameters",
        FrameKind::Input => "input",
        FrameKind::Output => "output",
        FrameKind::Verdict => "verdict",
        FrameKind::Outcome => "outcome",
        FrameKind::Errors => "errors",
        FrameKind::Terminal => "terminal",
        FrameKind::File => "file",
    }
}

/// An error with its causes.
pub(super) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
