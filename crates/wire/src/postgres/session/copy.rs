//! COPY: which stream belongs to what was cleared, and the data of one on its way to the client.
//!
//! Here lives what begins a stream and what masks it. Never here: a stream that was not foreseen.

use super::expect::Expect;
use super::target::{encoded, unexpected};
use super::{CopyIn, Machine, rows};
use crate::PeerMisbehaved;
use crate::postgres::backend::CopyShape;
use crate::postgres::{frame, reply};
use brattice_core::gate::Results;
use bytes::{Buf, BytesMut};

impl Machine {
    pub(super) fn copy_in_begins(
        &mut self,
        e: Expect,
        shape: &CopyShape,
    ) -> Result<(), PeerMisbehaved> {
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

    pub(super) fn copy_out_begins(
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
    pub(super) fn copy_out_data(&mut self, buf: &mut BytesMut) -> Result<bool, PeerMisbehaved> {
        let run = frame::run(buf, b'd');
        if run.frames == 0 {
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
        // PostgreSQL sends each row of a COPY in a message of its own, and never a row in more than one.
        self.used.rows += run.frames;
        let mut pieces = buf.split_to(run.bytes);
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
}
