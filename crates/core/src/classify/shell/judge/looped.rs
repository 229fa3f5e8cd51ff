//! `for x in a b c`, where what the variable holds is known each time.
//!
//! Lives here: judging the body once for each value. Never: loops whose values only the host knows, whose bodies are judged
//! once.

use super::Judge;
use crate::classify::shell::Reason;
use crate::classify::shell::arg::Arg;
use crate::classify::shell::catalogue::KNOWN;
use crate::classify::shell::tree::{Command, Compound, Item, Part, Script, Simple, Word};

/// Times that a body is judged, all loops around it taken together.
const UNROLLED_MAX: usize = 12;
/// What may set a variable in ways that are not looked into here.
const MAY_SET: &[&str] = &[
    "eval", "trap", "command", "builtin", "exec", "time", "export", "unset", "getopts", "set",
    "wait",
];

impl Judge<'_> {
    pub(super) fn looped(
        &mut self,
        name: &str,
        words: &[Word],
        body: &Script,
    ) -> Result<(), Reason> {
        let values = self.args(words);
        let times = self.unrolled.saturating_mul(values.len());
        let known = KNOWN.is_harmless(name, true)
            && !values.is_empty()
            && times <= UNROLLED_MAX
            && !sets(body, name)
            && !values
                .iter()
                .any(|value| matches!(value, Arg::Opaque(o) if o.expands));
        let outer = self.values.remove(name);
        if known {
            let before = std::mem::replace(&mut self.unrolled, times);
            for value in values {
                self.values.insert(name.to_owned(), one_of(value));
                self.script(body)?;
            }
            self.unrolled = before;
        } else {
            self.script(body)?;
        }
        self.values.remove(name);
        if let Some(outer) = outer.filter(|_| known) {
            self.values.insert(name.to_owned(), outer);
        }
        Ok(())
    }
}

/// Of several names of files the variable holds one at a time.
fn one_of(value: Arg) -> Arg {
    match value {
        Arg::Opaque(mut opaque) => {
            opaque.many = false;
            Arg::Opaque(opaque)
        }
        value => value,
    }
}

/// Whether something in there may give that variable another value.
fn sets(script: &Script, name: &str) -> bool {
    script.items.iter().any(|item| {
        let Item { first, rest, .. } = item;
        let rest = rest.iter().map(|(_, pipeline)| pipeline);
        let mut stages = std::iter::once(first).chain(rest).flat_map(|p| &p.stages);
        stages.any(|command| match command {
            Command::Simple(simple) => sets_simply(simple, name),
            Command::Compound(compound, _) => sets_within(compound, name),
        })
    })
}

fn sets_simply(simple: &Simple, name: &str) -> bool {
    let assigned = simple.assignments.iter().any(|(to, _)| to == name);
    let Some((program, operands)) = simple.words.split_first() else {
        return assigned;
    };
    let text = |word: &Word| {
        word.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text, _) => Some(text.as_str()),
                _ => None,
            })
            .collect::<Option<String>>()
    };
    let other = match text(program).as_deref() {
        Some("read") => operands
            .iter()
            .any(|word| text(word).is_none_or(|text| text == name)),
        Some("printf") => operands
            .first()
            .is_some_and(|word| text(word).is_none_or(|text| text.starts_with('-'))),
        Some(program) => MAY_SET.contains(&program),
        None => true,
    };
    assigned || other
}

fn sets_within(compound: &Compound, name: &str) -> bool {
    match compound {
        Compound::Subshell(script) | Compound::Group(script) => sets(script, name),
        Compound::If { arms, otherwise } => {
            arms.iter()
                .any(|(asked, then)| sets(asked, name) || sets(then, name))
                || otherwise.iter().any(|script| sets(script, name))
        }
        Compound::Loop { condition, body } => sets(condition, name) || sets(body, name),
        Compound::For {
            name: inner, body, ..
        } => inner == name || sets(body, name),
        Compound::Case { arms, .. } => arms.iter().any(|(_, script)| sets(script, name)),
    }
}
