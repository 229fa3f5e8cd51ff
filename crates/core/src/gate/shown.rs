//! Masked data on its way out, or back in: in which form each field may be seen, and masks that return in a write.
//!
//! Lives here: asking the rules about fields. Never: cells.

use super::Gate;
use super::held::{Held, What};
use super::results::Results;
use super::session::Session;
use super::understand::Understood;
use crate::action::Effect;
use crate::denial::{Code, Denial};
use crate::mask::{Field, Form, Reveal};
use crate::policy::{self, Lifted};
use std::sync::Arc;

impl Gate {
    /// In which form each shown field may be seen, and whether everything masked in reach may be seen in full.
    pub(super) fn forms(
        &self,
        session: &Session,
        understood: &Understood,
    ) -> (Vec<(Arc<Field>, Reveal)>, bool) {
        if !understood.touches_masked {
            return (Vec::new(), true);
        }
        let Some((_, masked)) = &session.masked else {
            return (Vec::new(), false);
        };
        let moment = self.moment(session);
        let mut all = true;
        let mut forms = Vec::new();
        for relation in &understood.command.relations {
            let own = masked.of(*relation).map(|(_, field)| field);
            for field in own.chain(masked.read_by_view(*relation)) {
                let form =
                    match session
                        .admission
                        .judge
                        .reveal(&field.object, &moment, &Lifted::none())
                    {
                        policy::Reveal::Full => Reveal::Full,
                        policy::Reveal::Last4 => Reveal::As(Form::Last4),
                        policy::Reveal::Token => Reveal::As(Form::Token),
                        policy::Reveal::Masked => Reveal::As(Form::Masked),
                    };
                all &= form == Reveal::Full;
                forms.push((field.clone(), form));
            }
        }
        (forms, all)
    }

    pub(super) fn results(
        &self,
        session: &mut Session,
        understood: &Understood,
        forms: Vec<(Arc<Field>, Reveal)>,
        all_shown: bool,
    ) -> Option<Arc<Results>> {
        let (version, masked) = session.masked.as_ref()?;
        let touches_masked = understood.touches_masked && !all_shown;
        if !touches_masked
            && let Some((known, plain)) = &session.plain
            && known == version
        {
            return Some(plain.clone());
        }
        let results = Arc::new(Results {
            outputs: if touches_masked {
                understood.outputs.clone()
            } else {
                Vec::new()
            },
            touches_masked,
            masked: masked.clone(),
            forms,
            tokens: session.admission.force.tokens.clone(),
        });
        if !touches_masked {
            session.plain = Some((*version, results.clone()));
        }
        Some(results)
    }
}

/// A write that carries a mask back would put masks into the data: read-modify-write by an agent that saw masked rows.
pub(super) fn carries_mask(held: &Held, understood: &Understood) -> Option<Denial> {
    let writes = understood
        .acts
        .iter()
        .any(|a| matches!(a.effect(), Effect::Write | Effect::Destroy));
    if !writes {
        return None;
    }
    let found = match &held.what {
        What::Bind {
            parameters,
            prepared,
            ..
        } => {
            crate::mask::looks_like_mask(&prepared.text)
                || parameters
                    .iter()
                    .flatten()
                    .any(|p| crate::mask::looks_like_mask(p))
        }
        What::Query { text } => crate::mask::looks_like_mask(text),
        _ => false,
    };
    found.then(|| {
        Denial::new(
            Code::Masked,
            "brattice.mask",
            "this write carries a masked value back into the data",
        )
        .hint("write only the columns that you mean to change")
    })
}
