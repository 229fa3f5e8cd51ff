//! Refusals of commands: what decided, said so that a machine can act on it.
//!
//! Lives here: the words. Never: the decision.

use super::Gate;
use super::held::{Held, Tx, Verdict};
use super::note::shown;
use super::session::Session;
use super::understand::is_masked_use;
use crate::action::{Act, Object};
use crate::classify::sql::Unclear;
use crate::denial::{Code, Denial};
use crate::ids::Digest;
use crate::policy;
use crate::scope::{Allowance, Scope};
use bytes::Bytes;

impl Gate {
    /// What cannot be read is refused, also where a target is only observed: its rows could not be masked either.
    pub(super) fn not_understood(
        &self,
        session: &mut Session,
        held: Held,
        text: &Bytes,
        unclear: Unclear,
    ) -> Verdict {
        let action = Digest::of(text);
        if held.tx == Tx::Failed && !held.mid_pipeline {
            return Verdict::Failed;
        }
        // A parser's words quote the text: not where that may hold a secret.
        let secret = shown(&held).as_bytes() != text.as_ref();
        let reason = if secret {
            "the statement could not be understood".to_owned()
        } else {
            unclear.reason
        };
        let mut denial = Denial::new(Code::Unknown, unclear.rule, reason);
        denial.hint = unclear.hint;
        self.refuse(session, &held, action, denial)
    }

    /// Records a refusal and makes it the verdict.
    pub(super) fn refuse(
        &self,
        session: &mut Session,
        held: &Held,
        action: Digest,
        denial: Denial,
    ) -> Verdict {
        self.write_refusal(session, action, &shown(held), &denial);
        Verdict::Deny(denial)
    }
}

pub(super) fn observed_denial(outcome: policy::Outcome) -> (policy::Verdict, Vec<String>) {
    let mut observed = outcome.observed;
    if let policy::Verdict::Deny { rules, .. } = outcome.verdict {
        if rules.is_empty() {
            observed.push("brattice.not-permitted".to_owned());
        }
        observed.extend(rules);
    }
    (policy::Verdict::Allow, observed)
}

/// What the token was narrowed not to have.
pub(super) fn out_of_scope(scope: &Scope, act: &Act) -> Denial {
    let what = match &act.object {
        Object::Field { class, .. } if !scope.has_class(class) => format!("class:{class}"),
        _ => act.effect().to_string(),
    };
    let reason = format!("the token was narrowed to `{scope}`, without {what}");
    Denial::new(Code::Forbidden, "brattice.scope", reason)
        .hint("ask whoever gave you this token for one with a wider scope")
}

/// What a budget of the token has no more of.
pub(super) fn used_up(budget: &Allowance) -> Denial {
    let reason = format!(
        "the token's budget of {} {} is used up",
        budget.most,
        budget.of.as_str()
    );
    Denial::new(Code::Forbidden, "brattice.scope", reason)
        .hint("ask whoever gave you this token for another")
}

pub(super) fn masked_denial(why: &str) -> Denial {
    Denial::new(Code::Masked, "brattice.mask", format!("a masked column would leave in another shape: {why}"))
        .hint("select masked columns as plain columns (they are shown masked), and leave them out of expressions and conditions")
}

/// Why the rules refuse, in the caller's terms.
pub(super) fn explain(
    unclear: Option<&Unclear>,
    uses: &[String],
    acts: &[Act],
    outcome: &policy::Outcome,
) -> Denial {
    let (rules, messages) = match &outcome.verdict {
        policy::Verdict::Deny { rules, messages } => (rules.clone(), messages.clone()),
        _ => (Vec::new(), Vec::new()),
    };
    let refused: Vec<&Act> = outcome
        .unpermitted
        .iter()
        .filter_map(|i| acts.get(*i))
        .collect();
    if let Some(unclear) = unclear {
        let mut denial = Denial::new(Code::Unknown, unclear.rule, unclear.reason.clone());
        denial.hint = unclear.hint.clone();
        denial.rules.extend(rules);
        return denial;
    }
    if rules.is_empty() && !refused.is_empty() && refused.iter().all(|a| is_masked_use(a)) {
        return masked_denial(&uses.join("; "));
    }
    let what: Vec<String> = refused
        .iter()
        .map(|a| format!("{} on {}", a.verb.as_str(), label(a)))
        .collect();
    let reason = match (rules.is_empty(), what.is_empty()) {
        (true, false) => format!("nothing permits {}", what.join(", ")),
        (true, true) => "nothing permits this".to_owned(),
        (false, _) => match messages.first() {
            Some(m) => m.clone(),
            None => format!("a rule forbids this: {}", rules.join(", ")),
        },
    };
    let mut denial = Denial::new(Code::Forbidden, "brattice.not-permitted", reason);
    if rules.is_empty() {
        denial.hint =
            Some("ask the owners of the policy to permit it, or do it another way".to_owned());
    } else {
        denial.rules = rules;
        denial.hint = Some("this is not lifted by approval; do it another way".to_owned());
    }
    denial
}

fn label(act: &Act) -> String {
    match &act.object {
        Object::Target => "the target".to_owned(),
        Object::Database { database } => format!("database {database}"),
        Object::Schema { schema, .. } => format!("schema {schema}"),
        Object::Table { schema, table, .. } => format!("{schema}.{table}"),
        Object::Function {
            schema, signature, ..
        } => format!("function {schema}.{signature}"),
        Object::Setting { name } => format!("setting {name}"),
        Object::Role { name } => format!("role {name}"),
        Object::Program { path } => format!("the program {path}"),
        Object::File { path } => path.clone(),
        Object::Forward { host, port } => format!("{host}:{port}"),
        Object::Field {
            schema,
            table,
            column,
            ..
        } => format!("{schema}.{table}.{column}"),
    }
}
