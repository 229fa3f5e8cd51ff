//! Values: what operators, casts and types call without a function's name being written.
//!
//! Lives here: which of them may apply to the values of a statement. Never: functions called by name (see `call`).

use super::Walk;
use crate::action::Verb;
use crate::classify::sql::catalogue::{Cast, FIRST_USER_OID, Function};
use crate::classify::sql::lists::Class;
use std::collections::{BTreeSet, HashSet};

/// Types that a cast applies to without being asked: `to_json` and its kin look for one.
const JSON_TYPES: [u32; 2] = [114, 3802];

impl Walk<'_> {
    /// At the end of a statement: operators, casts and types that call functions outside the server's own.
    pub(super) fn judge_values(&mut self) {
        if !self.now.computes && self.now.touches.is_empty() {
            return;
        }
        let matters = |operators: &BTreeSet<(Option<String>, String)>| {
            let known = &self.ctx.catalogue.operators;
            operators.iter().any(|(_, name)| known.contains_key(name))
        };
        let nothing_named = self.now.casts.is_empty() && self.now.read_as.is_empty();
        let no_casts = self
            .ctx
            .catalogue
            .casts
            .iter()
            .all(|c| c.function.is_none());
        if nothing_named && no_casts && !matters(&self.now.operators) {
            return;
        }
        let around = self.types_around();
        for (schema, name) in std::mem::take(&mut self.now.operators) {
            self.judge_operator(schema.as_deref(), &name, &around);
        }
        let cast_to = self.with_parts(&self.now.casts);
        self.judge_casts(&around, &cast_to);
        let mut made = self.with_parts(&self.now.read_as);
        made.extend(&cast_to);
        for oid in made {
            let functions = self
                .ctx
                .catalogue
                .types
                .get(&oid)
                .map(|t| t.functions.clone())
                .unwrap_or_default();
            for function in &functions {
                self.judge_behind(function);
            }
        }
    }

    fn judge_operator(&mut self, schema: Option<&str>, name: &str, around: &Around) {
        let Some(all) = self.ctx.catalogue.operators.get(name) else {
            return;
        };
        let fitting: Vec<Function> = all
            .iter()
            .filter(|o| match schema {
                Some(schema) => o.schema == self.ctx.path.spelled(schema),
                None => self.ctx.path.reaches(&o.schema),
            })
            .filter(|o| around.may_have(o.left) && around.may_have(o.right))
            .map(|o| o.function.clone())
            .collect();
        self.now.unqualified |= schema.is_none();
        for function in &fitting {
            self.judge_behind(function);
        }
    }

    /// Types with all they are made of: casting to a domain casts to its base, to an array casts its elements.
    fn with_parts(&self, types: &BTreeSet<u32>) -> BTreeSet<u32> {
        let mut open: Vec<u32> = types.iter().copied().collect();
        let mut all = BTreeSet::new();
        while let Some(oid) = open.pop() {
            if all.insert(oid)
                && let Some(known) = self.ctx.catalogue.types.get(&oid)
            {
                open.extend(&known.parts);
            }
        }
        all
    }

    fn judge_casts(&mut self, around: &Around, cast_to: &BTreeSet<u32>) {
        let casts: Vec<Cast> = self
            .ctx
            .catalogue
            .casts
            .iter()
            .filter(|c| c.function.is_some())
            .filter(|c| {
                let asked = cast_to.contains(&c.target);
                let unasked = c.implicit || JSON_TYPES.contains(&c.target);
                (asked || (unasked && around.may_have(c.target))) && around.may_have(c.source)
            })
            .cloned()
            .collect();
        for cast in casts {
            if let Some(function) = &cast.function {
                self.judge_behind(function);
            }
        }
    }

    /// A function that is called without its name being written.
    fn judge_behind(&mut self, function: &Function) {
        let own = function.oid >= FIRST_USER_OID || function.schema != "pg_catalog";
        if own {
            if self.ctx.lists.outside(function) != Class::Harmless {
                let object = self.own_function_object(function);
                self.act(Verb::SqlCall, object);
            }
        } else if self.ctx.lists.built_in(&function.name) != Some(Class::Harmless) {
            self.calls_built_in(&function.name);
        }
    }

    /// The types outside the server's own that values of this statement may have.
    fn types_around(&self) -> Around {
        let catalogue = self.ctx.catalogue;
        let mut any = self.now.any_type;
        let mut open: Vec<u32> = self.now.types.iter().copied().collect();
        for touch in &self.now.touches {
            any |= !touch.columns_known;
            open.extend(touch.relation.columns.iter().map(|c| c.type_oid));
        }
        open.extend(&catalogue.loose_types);
        let mut types = HashSet::new();
        while let Some(oid) = open.pop() {
            if oid >= FIRST_USER_OID && types.insert(oid) {
                match catalogue.types.get(&oid) {
                    Some(known) => open.extend(&known.parts),
                    None => any = true,
                }
            }
        }
        Around { any, types }
    }
}

/// The types outside the server's own that values of a statement may have.
struct Around {
    any: bool,
    types: HashSet<u32>,
}

impl Around {
    fn may_have(&self, oid: u32) -> bool {
        self.any || oid < FIRST_USER_OID || self.types.contains(&oid)
    }
}
