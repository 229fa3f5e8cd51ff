//! The texts of errors and notices, which may quote data.
//!
//! Here lives what of them is withheld or redacted. Never here: a row.

use super::Machine;
use super::expect::Expect;
use crate::postgres::fields::Fields;
use brattice_core::gate::Results;
use bytes::Bytes;

impl Machine {
    /// Whether texts of errors and notices may quote masked data.
    pub(super) fn hides_text(&self) -> bool {
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
        if hide {
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

fn touches(results: Option<&Results>) -> bool {
    results.is_some_and(|r| r.touches_masked)
}
