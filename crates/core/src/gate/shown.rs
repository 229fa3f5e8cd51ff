//! Masked data on its way out, or back in: in which form each field may be seen, and masks that return in a write.
//!
//! Lives here: asking the rules about fields. Never: cells.

use super::Gate;
use super::held::{Held, What};
use super::results::Results;
use super::session::SqlSession;
use super::understand::Understood;
use crate::action::Effect;
use crate::approval::Asked;
use crate::denial::{Code, Denial};
use crate::mask::{Field, Form, Reveal};
use crate::policy::{self, Lifted, Moment};
use std::sync::Arc;

/// How masked fields in reach of a command may be seen.
#[derive(Default)]
pub(super) struct Forms {
    /// In which form each may be seen.
    pub of: Vec<(Arc<Field>, Reveal)>,
    /// Whether all may be seen in full.
    pub all_shown: bool,
    /// What would show more of them, were it granted ahead.
    pub grantable: Vec<Asked>,
}

impl Gate {
    /// In which form each field in reach may be seen. Only a grant lifts a hold on seeing: nobody is asked about it.
    pub(super) fn forms(
        &self,
        session: &SqlSession,
        held: &Held,
        understood: &Understood,
        moment: &Moment<'_>,
    ) -> Forms {
        let mut forms = Forms::default();
        if !understood.touches_masked {
            forms.all_shown = true;
            return forms;
        }
        let Some((_, masked)) = &session.masked else {
            return forms;
        };
        let mut lifted = Lifted::none();
        for grant in &held.lifted.grants {
            lifted.add(grant.rule.clone(), grant.rule_text);
        }
        let scope = &session.admission.identity.scope;
        forms.all_shown = true;
        for relation in &understood.command.relations {
            let own = masked.of(*relation).map(|(_, field)| field);
            for field in own.chain(masked.read_by_view(*relation)) {
                let judge = &session.admission.judge;
                let (form, holds) = if scope.has_class(&field.class) {
                    judge.reveal_or_holds(&field.object, moment, &lifted)
                } else {
                    (policy::Reveal::Masked, Vec::new())
                };
                let form = match form {
                    policy::Reveal::Full => Reveal::Full,
                    policy::Reveal::Last4 => Reveal::As(Form::Last4),
                    policy::Reveal::Token => Reveal::As(Form::Token),
                    policy::Reveal::Masked => Reveal::As(Form::Masked),
                };
                forms.all_shown &= form == Reveal::Full;
                forms.of.push((field.clone(), form));
                let grantable = holds.into_iter().filter(|h| h.grant_minutes.is_some());
                for asked in grantable {
                    if !forms.grantable.contains(&asked) {
                        forms.grantable.push(asked);
                    }
                }
            }
        }
        forms
    }

    pub(super) fn results(
        &self,
        session: &mut SqlSession,
        understood: &Understood,
        forms: Vec<(Arc<Field>, Reveal)>,
        all_shown: bool,
    ) -> Option<Arc<Results>> {
        let (version, masked) = session.masked.as_ref()?;
        let touches_masked = understood.touches_masked && !all_shown;
        // Only what has nothing masked in reach: what is shown in full is shown to this command alone.
        let plain = !understood.touches_masked;
        if plain
            && let Some((known, plain)) = &session.plain
            && known == version
        {
            return Some(plain.clone());
        }
        let results = Arc::new(Results {
            outputs: if plain {
                Vec::new()
            } else {
                understood.outputs.clone()
            },
            touches_masked,
            masked: masked.clone(),
            forms,
            tokens: session.admission.force.tokens.clone(),
        });
        if plain {
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
