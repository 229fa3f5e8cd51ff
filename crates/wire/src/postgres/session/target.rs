//! From the target: which reply belongs to what, and what of it the client sees.
//!
//! Here lives the order of replies. Never here: a reply that nobody asked for.

use super::expect::{Expect, Run};
use super::rows;
use super::{CopyIn, Looked, Machine, Mode};
use crate::postgres::backend::{self, Backend, CopyShape};
use crate::postgres::fields::Fields;
use crate::postgres::{NameKind, TxStatus, frame, reply};
use crate::{PeerMisbehaved, Side};
use brattice_core::denial::{Code, Denial};
use brattice_core::gate::{Portal, Results, Tx};
use brattice_core::ports::Recorder;
use brattice_core::record::FrameKind;
use brattice_core::time::Timestamp;
use bytes::{Buf, Bytes, BytesMut};
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

pub(super) fn status_of(tx: Tx) -> TxStatus {
    match tx {
        Tx::Idle => TxStatus::Idle,
        Tx::Open => TxStatus::Open,
        Tx::Failed => TxStatus::Failed,
    }
}

impl Machine {
    /// Reads whatever whole replies have arrived. A finished look comes back to be taken in by the gate.
    ///
    /// # Errors
    /// When the session cannot go on.
    pub fn target(
        &mut self,
        buf: &mut BytesMut,
        now: Timestamp,
        recorder: &mut dyn Recorder,
    ) -> Result<Option<Looked>, TargetFault> {
        let shown_from = self.to_client.len();
        let number = self.running();
        let looked = self.replies(buf, now, recorder);
        // What the agent sees is recorded before it is written to the agent.
        let shown = self.to_client.get(shown_from..).unwrap_or_default();
        if !shown.is_empty() {
            super::note(recorder, now, FrameKind::Output, number, shown)?;
        }
        looked
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
        if frame::data_row_run(buf) == 0 {
            return Ok(false);
        }
        let Self {
            expect,
            to_client,
            scratch_cell,
            tally,
            ..
        } = self;
        match expect.front_mut() {
            Some(Expect::Query {
                run: Run {
                    show: Some(show), ..
                },
                ..
            }) => {
                show.rows(buf, to_client, scratch_cell, tally)?;
                Ok(true)
            }
            Some(Expect::Execute { state, .. }) => {
                let show = state
                    .show
                    .get()
                    .ok_or_else(|| unexpected("a row of an undescribed portal"))?;
                show.rows(buf, to_client, scratch_cell, tally)?;
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

    fn pass_on(&mut self, whole: &frame::Frame) -> Result<(), PeerMisbehaved> {
        encoded(whole.encode(&mut self.to_client))
    }

    /// Says once which columns are masked.
    fn mention(&mut self, show: &rows::RowShow) {
        if let Some(masked) = show.masked() {
            self.mention_masked(masked);
        }
    }

    fn mention_masked(&mut self, masked: String) {
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

    fn copy_in_begins(&mut self, e: Expect, shape: &CopyShape) -> Result<(), PeerMisbehaved> {
        let (Expect::Query { run, .. } | Expect::Execute { run, .. }) = &e else {
            return Err(unexpected("a COPY that nothing asked for"));
        };
        let Some(lane) = self.lane.take().filter(|_| self.copy_expected) else {
            return Err(unexpected("a COPY that was not cleared"));
        };
        self.copy_in = Some(CopyIn {
            lane,
            number: run.number,
        });
        self.copy_expected = false;
        encoded(reply::copy_in_response(&mut self.to_client, shape))?;
        self.expect.push_front(e);
        Ok(())
    }

    fn copy_out_begins(
        &mut self,
        mut e: Expect,
        shape: &CopyShape,
        whole: &frame::Frame,
    ) -> Result<(), PeerMisbehaved> {
        let masker = {
            let (results, step): (Option<&Results>, usize) = match &e {
                Expect::Query { results, step, .. } => (results.as_deref(), *step),
                Expect::Execute { state, .. } => (state.portal.results.as_deref(), 0),
                _ => return Err(unexpected("a COPY that nothing asked for")),
            };
            let copy = match &e {
                Expect::Query { run, step, .. } => run.copies.get(*step).cloned().flatten(),
                Expect::Execute { run, .. } => run.copies.first().cloned().flatten(),
                _ => None,
            };
            let copy = copy.ok_or_else(|| unexpected("a COPY that was not foreseen"))?;
            rows::copy_masker(&copy, results, step, shape, &self.detector)?
        };
        if let Some(masked) = rows::masked_of(masker.plan()) {
            self.mention_masked(masked);
        }
        if let Expect::Query { run, .. } | Expect::Execute { run, .. } = &mut e {
            run.copy = Some(masker);
        }
        self.pass_on(whole)?;
        self.expect.push_front(e);
        Ok(())
    }

    /// The hot path of a COPY: a run of its data, each piece through the masker. False when there is no whole one yet.
    fn copy_out_data(&mut self, buf: &mut BytesMut) -> Result<bool, PeerMisbehaved> {
        let run = frame::run(buf, b'd');
        if run == 0 {
            return Ok(false);
        }
        let Self {
            expect,
            to_client,
            scratch_cell,
            tally,
            ..
        } = self;
        let Some(Expect::Query { run: of, .. } | Expect::Execute { run: of, .. }) =
            expect.front_mut()
        else {
            return Err(unexpected("COPY data that nothing asked for"));
        };
        let Some(masker) = of.copy.as_mut() else {
            return Err(unexpected("COPY data outside a COPY"));
        };
        let mut pieces = buf.split_to(run);
        while let Some((_, size)) = frame::peek(&pieces) {
            scratch_cell.clear();
            let data = pieces.get(frame::HEADER_BYTES..size).unwrap_or_default();
            masker
                .push(data, scratch_cell, tally)
                .map_err(|_| unexpected("COPY data that cannot be read"))?;
            if !scratch_cell.is_empty() {
                encoded(reply::copy_data(to_client, scratch_cell))?;
            }
            pieces.advance(size);
        }
        Ok(true)
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

    fn looking_now(&self) -> bool {
        matches!(self.expect.front(), Some(Expect::Look { .. }))
    }

    fn look_reply(&mut self, message: Backend) -> Result<Option<Looked>, PeerMisbehaved> {
        let Some(Expect::Look { texts, rows, ready }) = self.expect.front_mut() else {
            return Ok(None);
        };
        match message {
            Backend::ParseComplete => {
                rows.push(Vec::new());
                self.look_closes = 0;
            }
            Backend::BindComplete | Backend::CommandComplete(_) | Backend::EmptyQueryResponse => {}
            Backend::DataRow(row) => {
                let mut cells = Vec::with_capacity(row.len());
                for cell in row.cells() {
                    cells.push(cell?.map(Bytes::copy_from_slice));
                }
                rows.last_mut()
                    .ok_or_else(|| unexpected("a row before its statement"))?
                    .push(cells);
            }
            Backend::CloseComplete => {
                self.look_closes += 1;
                if !*ready && rows.len() == *texts && self.look_closes == 2 {
                    let rows = std::mem::take(rows);
                    self.expect.pop_front();
                    return Ok(self.look_done(rows));
                }
            }
            _ => return Err(unexpected("a reply out of order to the gateway's own read")),
        }
        Ok(None)
    }

    fn look_done(&mut self, rows: Vec<Vec<Vec<Option<Bytes>>>>) -> Option<Looked> {
        let (held, look) = self.looking.take()?;
        Some(Looked { held, look, rows })
    }

    /// Whether texts of errors and notices may quote masked data.
    fn hides_text(&self) -> bool {
        match self.expect.front() {
            Some(Expect::Query { run, .. }) => run.hides_errors,
            Some(Expect::Execute { state, .. } | Expect::OwnDescribe { state }) => {
                touches(state.portal.results.as_deref())
            }
            Some(Expect::Bind { portal, .. }) => self
                .portals
                .get(portal)
                .is_some_and(|s| touches(s.portal.results.as_deref())),
            // A deferred constraint speaks at Sync, or at COMMIT, of any row that was written before.
            Some(Expect::Sync) => self.masked_in_reach,
            _ => self.masked_in_reach,
        }
    }

    /// Replaces what may quote masked data, and redacts what the detectors find.
    fn clean(&mut self, fields: &mut Fields, hide: bool) {
        for (code, value) in &mut fields.0 {
            let is_text = matches!(
                *code,
                Fields::MESSAGE | Fields::DETAIL | Fields::HINT | Fields::CONTEXT | b'q'
            );
            if !is_text {
                continue;
            }
            if hide && *code == Fields::MESSAGE {
                *value = Bytes::from_static(b"the target refused this; its words are withheld, since masked columns are in reach");
            } else {
                *value = self.redacted(value);
            }
        }
        if hide {
            for code in [Fields::DETAIL, Fields::HINT, Fields::CONTEXT, b'q'] {
                fields.remove(code);
            }
        }
    }

    fn redacted(&mut self, value: &Bytes) -> Bytes {
        let mut out = Vec::new();
        if self.detector.redact(value, &mut out, &mut self.tally) {
            Bytes::from(out)
        } else {
            value.clone()
        }
    }
}

fn touches(results: Option<&Results>) -> bool {
    results.is_some_and(|r| r.touches_masked)
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

fn encoded(done: Result<(), crate::Unencodable>) -> Result<(), PeerMisbehaved> {
    done.map_err(|_| unexpected("a message that cannot be written again"))
}

fn unexpected(message: &'static str) -> PeerMisbehaved {
    PeerMisbehaved::Unexpected {
        side: Side::Target,
        message,
        state: "session",
    }
}
