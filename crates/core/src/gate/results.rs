//! How the results of one cleared command are shown: what is masked where.
//!
//! Lives here: the decision, carried from judgement to the rows. Never: row framing.

use crate::mask::plan::Refused;
use crate::mask::{
    Detector, Field, Form, MaskedColumns, Outputs, Reveal, RowColumn, RowPlan, TokenKey,
};
use std::sync::Arc;

/// What the rows of a command may show. Shared by every run of the same statement in a session.
#[derive(Debug)]
pub struct Results {
    /// For each statement of the message: its output columns, as far as lineage tells.
    pub outputs: Vec<Outputs>,
    /// Whether a relation with masked columns is touched and not all of them may be seen in full.
    pub touches_masked: bool,
    /// The masked columns of the target.
    pub masked: Arc<MaskedColumns>,
    /// In which form each field in reach may be seen; a field that is not here is masked.
    pub forms: Vec<(Arc<Field>, Reveal)>,
    /// The key of stable tokens.
    pub tokens: Option<TokenKey>,
}

impl Results {
    /// In which form a field may be seen.
    pub fn reveal(&self, field: &Field) -> Reveal {
        self.forms
            .iter()
            .find(|(f, _)| f.as_ref() == field)
            .map_or(Reveal::As(Form::Masked), |(_, r)| *r)
    }

    /// Whether a relation of that name has masked columns, though none was known to be in reach.
    pub fn comes_upon(&self, relation: &[u8]) -> bool {
        !self.touches_masked && self.outputs.is_empty() && self.masked.named_in(relation)
    }

    /// The output columns of one of the message's statements. Where everything may be seen in full, what lineage could not
    /// tell is not missed; what it could tell says which columns the detectors leave alone.
    pub fn traced(&self, step: usize) -> &Outputs {
        match self.outputs.get(step) {
            Some(traced) if self.touches_masked || matches!(traced, Outputs::Columns(_)) => traced,
            None if self.touches_masked => &Outputs::Unknown,
            _ => &Outputs::Unmasked,
        }
    }

    /// The plan for a result of one of the message's statements, as the target describes it.
    ///
    /// # Errors
    /// When the target describes something else than was traced.
    pub fn plan(
        &self,
        columns: &[RowColumn],
        step: usize,
        detector: &Arc<Detector>,
    ) -> Result<RowPlan, Refused> {
        RowPlan::new(
            columns,
            self.traced(step),
            &self.masked,
            &|f| self.reveal(f),
            detector,
            self.tokens.as_ref(),
        )
    }
}
