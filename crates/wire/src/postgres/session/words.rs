//! The texts of errors and notices, which may quote data.
//!
//! Here lives what of them is withheld or redacted. Never here: a row.

use super::Machine;
use super::expect::Expect;
use crate::postgres::fields::Fields;
use brattice_core::gate::Results;
use bytes::Bytes;

impl Machine {
    /// What the command that is answered may show. `None`: it is none, or nothing is known of it.
    fn answered(&self) -> Option<&Results> {
        match self.expect.front()? {
            Expect::Query { run, .. } => run.results.as_deref(),
            Expect::Execute { state, .. } | Expect::OwnDescribe { state } => {
                state.portal.results.as_deref()
            }
            Expect::Bind { portal, .. } => {
                let state = self.portals.get(portal)?;
                state.portal.results.as_deref()
            }
            _ => None,
        }
    }

    /// Whether texts of errors and notices may quote masked data.
    pub(super) fn hides_text(&self) -> bool {
        match self.expect.front() {
            Some(
                Expect::Query { .. }
                | Expect::Execute { .. }
                | Expect::OwnDescribe { .. }
                | Expect::Bind { .. },
            ) => self.answered().is_some_and(|r| r.touches_masked),
            // A deferred constraint speaks at Sync, or at COMMIT, of any row that was written before.
            _ => self.masked_in_reach,
        }
    }

    /// Whether an error is about a row of a relation with masked columns that the command does not name: one that a
    /// foreign key's action writes to.
    fn quotes_another(&self, fields: &Fields) -> bool {
        let about = fields.get(Fields::TABLE);
        about.is_some_and(|t| self.answered().is_some_and(|r| r.comes_upon(t)))
    }

    /// Replaces what may quote masked data, and redacts what the detectors find.
    pub(super) fn clean(&mut self, fields: &mut Fields, hide: bool) {
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
        if hide || self.quotes_another(fields) {
            for code in [Fields::DETAIL, Fields::HINT, Fields::CONTEXT, b'q'] {
                fields.remove(code);
            }
        }
    }

    pub(super) fn redacted(&mut self, value: &Bytes) -> Bytes {
        let mut out = Vec::new();
        if self.detector.redact(value, &mut out, &mut self.tally) {
            Bytes::from(out)
        } else {
            value.clone()
        }
    }
}
