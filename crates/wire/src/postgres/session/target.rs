//! From the target: which reply belongs to what, and what of it the client sees.
//!
//! Here lives the order of replies. Never here: a reply that nobody asked for.

use super::expect::{Expect, Run};
use super::rows;
use super::{Looked, Machine, Mode};
use crate::postgres::backend::{self, Backend};
use crate::postgres::fields::Fields;
use crate::postgres::{NameKind, TxStatus, frame, reply};
use crate::{PeerMisbehaved, Side};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Portal, Tx};
use brattice_core::ports::{RecordFailed, Recorder};
use brattice_core::record::FrameKind;
use brattice_core::time::Timestamp;
use brattice_core::usage::Portion;
use bytes::{Bytes, BytesMut};
use std::sync::Arc;

/// Why reading from the target stopped the session.
#[derive(Debug, thiserror::Error)]
pub enum TargetFault {
    /// The target broke the protocol, or did what the gateway must not let pass.
    #[error(transparent)]
    Misbehaved(#[from] PeerMisbehaved),
    /// The recording failed.
    #[error(transparent)]
    Record(#[from] brattice_core::ports::RecordFailed),
}

/// Plans of statements that were bound lately.
const SHOWS_MAX: usize = 16;

/// How the rows of a statement were shown when it was last bound.
#[derive(Debug)]
pub(super) struct KnownShow {
    portal: Arc<Portal>,
    description: Bytes,
    show: rows::RowShow,
}

impl KnownShow {
    /// The same statement, judged the same, described the same.
    fn is_of(&self, portal: &Portal, description: &[u8]) -> bool {
        let same_results = match (&self.portal.results, &portal.results) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        same_results
            && self.portal.prepared.text == portal.prepared.text
            && self.portal.prepared.types == portal.prepared.types
            && self.description == description
    }
}

/// How many rows a command changed, by its tag. That of a COPY tells rows in either direction.
fn changed(tag: &[u8], copies_in: bool) -> u64 {
    let mut words = tag.split(|b| *b == b' ');
    let counts = match words.next() {
        Some(b"INSERT" | b"UPDATE" | b"DELETE" | b"MERGE") => true,
        Some(b"COPY") => copies_in,
        _ => false,
    };
    let last = words.next_back().and_then(|n| std::str::from_utf8(n).ok());
    last.filter(|_| counts)
        .and_then(|n| n.parse().ok())
        .unwrap_or(0)
}

pub(super) fn status_of(tx: Tx) -> TxStatus {
    match tx {
        Tx::Idle => TxStatus::Idle,
        Tx::Open => TxStatus::Open,
        Tx::Failed => TxStatus::Failed,
    }
}

impl Machine {
    /// Reads whatever whole replies have arrived. A finished look comes back to be taken in by the gate. What this adds for
    /// the client is [`Machine::shown`]: it must be noted before it goes anywhere, also where this fails.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn target(
        &mut self,
        buf: &mut BytesMut,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Looked>, TargetFault> {
        self.shown_from = self.to_client.len();
        self.shown_of = self.running();
        self.replies(buf, now, recorder)
    }

    /// What came of commands in the last read.
    pub fn shown(&mut self) -> Portion {
        let shown = self.to_client.len().saturating_sub(self.shown_from);
        Portion {
            bytes: shown as u64,
            ..std::mem::take(&mut self.used)
        }
    }

    /// Takes back what the last read added for the client.
    pub fn withhold(&mut self) {
        self.to_client.truncate(self.shown_from);
    }

    /// Records what the last read added for the client: what the agent sees is on record before it is written to the agent.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn note_shown(
        &self,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), RecordFailed> {
        match self.to_client.get(self.shown_from..) {
            None | Some([]) => Ok(()),
            Some(shown) => super::note(recorder, now, FrameKind::Output, self.shown_of, shown),
        }
    }

    fn running(&self) -> u64 {
        self.expect
            .iter()
            .find_map(|e| match e {
                Expect::Query { run, .. } | Expect::Execute { run, .. } => Some(run.number),
                _ => None,
            })
            .unwrap_or_default()
    }

    fn replies(
        &mut self,
        buf: &mut BytesMut,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Looked>, TargetFault> {
        loop {
            if buf.first() == Some(&b'D') && self.data_rows(buf)? {
                continue;
            }
            if buf.first() == Some(&b'd') && self.copy_out_data(buf)? {
                continue;
            }
            let Some(whole) = frame::next_frame(buf, &self.limits)? else {
                return Ok(None);
            };
            if whole.tag == b'T' && matches!(self.expect.front(), Some(Expect::OwnDescribe { .. }))
            {
                self.own_description(&whole)?;
                continue;
            }
            let message = backend::decode(whole.clone(), &self.limits)?;
            if let Some(looked) = self.reply(message, &whole, now, recorder)? {
                return Ok(Some(looked));
            }
        }
    }

    /// The hot path: a run of rows. False when there is no whole row yet.
    fn data_rows(&mut self, buf: &mut BytesMut) -> Result<bool, PeerMisbehaved> {
        let run = frame::data_row_run(buf);
        if run.frames == 0 {
            return Ok(false);
        }
        let Self {
            expect,
            to_client,
            scratch_cell,
            tally,
            used,
            ..
        } = self;
        match expect.front_mut() {
            Some(Expect::Query {
                run: Run {
                    show: Some(show), ..
                },
                ..
            }) => {
                show.rows(buf, run.bytes, to_client, scratch_cell, tally)?;
                used.rows += run.frames;
                Ok(true)
            }
            Some(Expect::Execute { state, .. }) => {
                let show = state
                    .show
                    .get()
                    .ok_or_else(|| unexpected("a row of an undescribed portal"))?;
                show.rows(buf, run.bytes, to_client, scratch_cell, tally)?;
                used.rows += run.frames;
                Ok(true)
            }
            Some(Expect::Look { .. }) => Ok(false),
            _ => Err(unexpected("a row that nothing asked for")),
        }
    }

    fn reply(
        &mut self,
        message: Backend,
        whole: &frame::Frame,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Looked>, TargetFault> {
        match message {
            Backend::ParameterStatus { name, value } => {
                check_parameter(&name, &value)?;
                let value = self.redacted(&value);
                encoded(reply::parameter_status(&mut self.to_client, &name, &value))?;
                return Ok(None);
            }
            Backend::NoticeResponse(mut fields) => {
                let hide = self.hides_text();
                if !self.looking_now() {
                    self.clean(&mut fields, hide);
                    encoded(reply::target_notice(&mut self.to_client, &fields))?;
                }
                return Ok(None);
            }
            Backend::NotificationResponse {
                pid,
                channel,
                payload,
            } => {
                let payload = self.redacted(&payload);
                encoded(reply::notification(
                    &mut self.to_client,
                    pid,
                    &channel,
                    &payload,
                ))?;
                return Ok(None);
            }
            Backend::ErrorResponse(fields) => {
                let state = fields.sqlstate().to_owned();
                let number = self.running();
                super::note(recorder, now, FrameKind::Outcome, number, state.as_bytes())?;
                self.error(fields)?;
                return Ok(None);
            }
            Backend::ReadyForQuery(status) => return Ok(self.ready(status)?),
            _ => {}
        }
        if self.looking_now() {
            return Ok(self.look_reply(message)?);
        }
        self.ordinary(message, whole, now, recorder)?;
        Ok(None)
    }

    fn ordinary(
        &mut self,
        message: Backend,
        whole: &frame::Frame,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<(), TargetFault> {
        let Some(front) = self.expect.pop_front() else {
            return Err(unexpected("a reply that nothing asked for").into());
        };
        match (front, message) {
            (Expect::Parse { .. }, Backend::ParseComplete)
            | (Expect::Bind { .. }, Backend::BindComplete)
            | (Expect::Close { .. }, Backend::CloseComplete)
            | (Expect::Describe { .. }, Backend::RowDescription(_) | Backend::NoData) => {
                self.pass_on(whole)?
            }
            (
                e @ Expect::Describe {
                    kind: NameKind::Statement,
                },
                Backend::ParameterDescription(_),
            ) => {
                self.pass_on(whole)?;
                self.expect.push_front(e);
            }
            (Expect::OwnDescribe { .. }, Backend::NoData) => {}
            (
                Expect::Query {
                    mut run,
                    results,
                    step,
                },
                Backend::RowDescription(columns),
            ) => {
                let show = rows::show(&columns, results.as_deref(), step, &self.detector)?;
                self.mention(&show);
                run.show = Some(show);
                self.pass_on(whole)?;
                self.expect.push_front(Expect::Query { run, results, step });
            }
            (
                Expect::Query {
                    mut run,
                    results,
                    step,
                },
                Backend::CommandComplete(tag),
            ) => {
                super::note(recorder, now, FrameKind::Outcome, run.number, &tag)?;
                self.used.changes += changed(&tag, run.copies_in(step));
                self.completed(&tag, &mut run.changes);
                run.show = None;
                run.copy = None;
                self.pass_on(whole)?;
                self.expect.push_front(Expect::Query {
                    run,
                    results,
                    step: step + 1,
                });
            }
            (Expect::Query { run, results, step }, Backend::EmptyQueryResponse) => {
                self.pass_on(whole)?;
                self.expect.push_front(Expect::Query {
                    run,
                    results,
                    step: step + 1,
                });
            }
            (Expect::Execute { mut run, .. }, Backend::CommandComplete(tag)) => {
                super::note(recorder, now, FrameKind::Outcome, run.number, &tag)?;
                self.used.changes += changed(&tag, run.copies_in(0));
                // Those before it in the pipeline settle nothing.
                self.settling &= run.changes.is_empty();
                self.completed(&tag, &mut run.changes);
                self.copy_expected = false;
                self.pass_on(whole)?;
            }
            (
                Expect::Execute { run, .. },
                Backend::EmptyQueryResponse | Backend::PortalSuspended,
            ) => {
                self.settling &= run.changes.is_empty();
                self.pass_on(whole)?
            }
            (e, Backend::CopyInResponse(shape)) => self.copy_in_begins(e, &shape)?,
            (e, Backend::CopyOutResponse(shape)) => self.copy_out_begins(e, &shape, whole)?,
            (mut e, Backend::CopyDone) => {
                let (Expect::Query { run, .. } | Expect::Execute { run, .. }) = &mut e else {
                    return Err(unexpected("the end of a COPY that nothing began").into());
                };
                if let Some(mut masker) = run.copy.take() {
                    masker
                        .finish()
                        .map_err(|_| unexpected("a COPY stream that ends inside a row"))?;
                }
                self.pass_on(whole)?;
                self.expect.push_front(e);
            }
            _ => return Err(unexpected("a reply out of order").into()),
        }
        Ok(())
    }

    /// The description of a portal that was just bound. A statement that is bound again is described in the same bytes,
    /// and then its plan is the same.
    fn own_description(&mut self, whole: &frame::Frame) -> Result<(), PeerMisbehaved> {
        let Some(Expect::OwnDescribe { state }) = self.expect.pop_front() else {
            return Err(unexpected("a description that nothing asked for"));
        };
        let known = self
            .shows
            .iter()
            .find(|k| k.is_of(&state.portal, &whole.body));
        if let Some(known) = known {
            let _ = state.show.set(known.show.clone());
            return Ok(());
        }
        let Backend::RowDescription(columns) = backend::decode(whole.clone(), &self.limits)? else {
            return Err(unexpected("another reply than a description"));
        };
        let show = rows::show(&columns, state.portal.results.as_deref(), 0, &self.detector)?;
        self.mention(&show);
        if self.shows.len() >= SHOWS_MAX {
            self.shows.pop_front();
        }
        self.shows.push_back(KnownShow {
            portal: state.portal.clone(),
            description: Bytes::copy_from_slice(&whole.body),
            show: show.clone(),
        });
        let _ = state.show.set(show);
        Ok(())
    }

    pub(super) fn pass_on(&mut self, whole: &frame::Frame) -> Result<(), PeerMisbehaved> {
        encoded(whole.encode(&mut self.to_client))
    }

    /// Says once which columns are masked.
    fn mention(&mut self, show: &rows::RowShow) {
        if let Some(masked) = show.masked() {
            self.mention_masked(masked);
        }
    }

    pub(super) fn mention_masked(&mut self, masked: String) {
        if self.noticed.len() >= super::NOTICED_MAX {
            self.noticed.clear();
        }
        if self.noticed.insert(masked.clone()) {
            self.tell(
                &format!("masked: {masked}"),
                Some("code=masked rule=brattice.mask"),
            );
        }
    }

    fn error(&mut self, mut fields: Fields) -> Result<(), PeerMisbehaved> {
        let fatal = fields.is_fatal();
        let hide = self.hides_text();
        self.copy_in = None;
        self.copy_expected = false;
        self.settling = false;
        match self.expect.front() {
            Some(Expect::Look { .. }) => {
                // The client's transaction, if any, is now failed by our doing; going on would mislead it.
                self.end(&Denial::new(
                    Code::Unavailable,
                    "brattice.catalogue",
                    "the target's catalogue could not be read",
                ));
                return Ok(());
            }
            Some(Expect::Instead {
                denial: Some(denial),
                ..
            }) if !fatal => {
                reply::error(&mut self.to_client, &super::error_of(&denial.clone()));
            }
            _ => {
                self.clean(&mut fields, hide);
                encoded(reply::target_error(&mut self.to_client, &fields))?;
            }
        }
        if fatal {
            self.ended = true;
            return Ok(());
        }
        self.skip();
        Ok(())
    }

    /// After an error the target answers nothing up to the next Sync: what was skipped is undone.
    fn skip(&mut self) {
        if matches!(
            self.expect.front(),
            None | Some(
                Expect::Query { .. } | Expect::Sync | Expect::Instead { as_query: true, .. }
            )
        ) {
            return;
        }
        let mut skipped = Vec::new();
        while let Some(e) = self.expect.pop_front() {
            if matches!(e, Expect::Sync) {
                self.expect.push_front(e);
                break;
            }
            skipped.push(e);
        }
        // Undone last to first, so that each name ends up as it was before the first of them.
        let first_is_unnamed_parse =
            matches!(skipped.first(), Some(Expect::Parse { name, .. }) if name.is_empty());
        for e in skipped.into_iter().rev() {
            match e {
                Expect::Parse { name, before } => {
                    self.set_name(name, before);
                }
                Expect::Bind { portal, before } => {
                    self.set_portal(portal, before);
                }
                Expect::Close {
                    kind: NameKind::Statement,
                    name,
                    statement,
                    ..
                } => {
                    self.set_name(name, statement);
                }
                Expect::Look { .. } => {
                    // Skipped with the rest: what waited for it will not be sent either.
                    self.looking = None;
                    self.asked = None;
                }
                Expect::Close {
                    kind: NameKind::Portal,
                    name,
                    portal,
                    ..
                } => {
                    self.set_portal(name, portal);
                }
                _ => {}
            }
        }
        // A failed Parse of the unnamed statement has already dropped the one before it.
        if first_is_unnamed_parse {
            self.set_name(Bytes::new(), None);
        }
        if self.mode == Mode::Pipeline {
            self.mode = Mode::Skipping;
        }
    }

    fn ready(&mut self, status: TxStatus) -> Result<Option<Looked>, PeerMisbehaved> {
        let tx = match status {
            TxStatus::Idle => Tx::Idle,
            TxStatus::Open => Tx::Open,
            TxStatus::Failed => Tx::Failed,
        };
        match self.expect.pop_front() {
            Some(Expect::Query { .. } | Expect::Sync | Expect::Instead { as_query: true, .. }) => {
                self.tx = tx;
                self.copy_expected = false;
                if tx == Tx::Idle {
                    self.masked_in_reach = false;
                    self.transaction_over();
                }
                reply::ready_for_query(&mut self.to_client, status);
                Ok(None)
            }
            Some(Expect::Look {
                texts,
                rows,
                ready: true,
            }) if rows.len() == texts => Ok(self.look_done(rows)),
            _ => Err(unexpected("ReadyForQuery that nothing asked for")),
        }
    }
}

/// Settings that judgement stands on. If one moves, what follows would be read in another way than it was judged.
fn check_parameter(name: &[u8], value: &[u8]) -> Result<(), PeerMisbehaved> {
    let good = match name {
        b"client_encoding" => value == b"UTF8",
        b"standard_conforming_strings" => value == b"on",
        _ => true,
    };
    if good {
        Ok(())
    } else {
        Err(unexpected("a change of a setting that parsing stands on"))
    }
}

pub(super) fn encoded(done: Result<(), crate::Unencodable>) -> Result<(), PeerMisbehaved> {
    done.map_err(|_| unexpected("a message that cannot be written again"))
}

pub(super) fn unexpected(message: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Target,
        message,
        state: "session",
    }
}
