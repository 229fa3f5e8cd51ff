//! SET, RESET, SHOW and `set_config`.
//!
//! Lives here: fixed, tracked and free settings. Never: which setting is which (see `catalogue/postgres/settings.toml`).

use super::Walk;
use crate::action::{Object, Verb};
use crate::classify::sql::command::{Consequence, Unclear};
use crate::classify::sql::lists::Setting;
use crate::classify::sql::nodes::{child, inner, literal, names, options, string_literal};
use crate::classify::sql::pending::Doubt;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn set(&mut self, s: &pb::VariableSetStmt) {
        let pb::VariableSetStmt {
            kind,
            name,
            args,
            jumble_args: _,
            is_local: _,
            location: _,
        } = s;
        match pb::VariableSetKind::try_from(*kind) {
            Ok(pb::VariableSetKind::VarSetValue) => {
                let values: Option<Vec<String>> =
                    args.iter().map(|a| inner(a).and_then(literal)).collect();
                self.sets(name, values);
            }
            Ok(pb::VariableSetKind::VarSetDefault | pb::VariableSetKind::VarReset) => {
                self.resets(name)
            }
            // FROM CURRENT belongs to functions; alone it changes nothing.
            Ok(pb::VariableSetKind::VarSetCurrent) => self.not_modelled("SET … FROM CURRENT"),
            Ok(pb::VariableSetKind::VarSetMulti) => self.set_modes(name, args),
            Ok(pb::VariableSetKind::VarResetAll) => {
                self.path_changes();
                self.leaves(Consequence::Sets {
                    name: "all".to_owned(),
                    value: None,
                });
            }
            _ => self.not_modelled("SET of this kind"),
        }
    }

    /// SET TRANSACTION, SET SESSION CHARACTERISTICS: modes, and a snapshot to see.
    fn set_modes(&mut self, name: &str, args: &[pb::Node]) {
        let known = match name {
            "TRANSACTION" | "SESSION CHARACTERISTICS" => {
                let all = options(args).count() == args.len();
                all && options(args).all(|o| {
                    matches!(
                        o.defname.as_str(),
                        "transaction_isolation"
                            | "transaction_read_only"
                            | "transaction_deferrable"
                    ) && child(&o.arg).is_some_and(|a| literal(a).is_some())
                })
            }
            "TRANSACTION SNAPSHOT" => true,
            _ => false,
        };
        if !known {
            self.not_modelled("SET of these modes");
        }
    }

    /// A setting gets a value; `None` when that is not literal.
    fn sets(&mut self, name: &str, values: Option<Vec<String>>) {
        let name = name.to_ascii_lowercase();
        match self.ctx.lists.setting(&name) {
            Setting::Free => {
                let value = values.map(|v| v.join(", "));
                self.leaves(Consequence::Sets { name, value });
            }
            Setting::Tracked => self.sets_path(values),
            Setting::Fixed(allowed) => {
                let given = match values.as_deref() {
                    Some([one]) => Some(one.to_ascii_lowercase()),
                    _ => None,
                };
                if given.is_some_and(|g| allowed.contains(&g)) {
                    return;
                }
                self.becomes(&name, values.as_deref());
                self.refuse(
                    Unclear::new(
                        "brattice.sql.setting",
                        format!("{name} is fixed by the gateway."),
                    )
                    .hint(match allowed.first() {
                        Some(value) => format!("Leave it at {value}."),
                        None => "Leave it as it is.".to_owned(),
                    }),
                );
            }
            Setting::Unlisted => {
                self.now.changes = true;
                self.act(Verb::SqlSet, Object::Setting { name: name.clone() });
                let value = values.map(|v| v.join(", "));
                self.leaves(Consequence::Sets { name, value });
            }
        }
    }

    /// SET ROLE and SET SESSION AUTHORIZATION are named for what they are, in the record as well.
    fn becomes(&mut self, name: &str, values: Option<&[String]>) {
        if matches!(name, "role" | "session_authorization") {
            let role = values.and_then(<[_]>::first).cloned().unwrap_or_default();
            self.act(Verb::SqlBecome, Object::Role { name: role });
        }
    }

    /// Back to what it was when the session began: for fixed settings that is the fixed value.
    fn resets(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        match self.ctx.lists.setting(&name) {
            Setting::Tracked => self.path_changes(),
            Setting::Fixed(_) => {}
            Setting::Free | Setting::Unlisted => {
                self.leaves(Consequence::Sets { name, value: None });
            }
        }
    }

    fn sets_path(&mut self, values: Option<Vec<String>>) {
        let refused = |reason: String| {
            Unclear::new("brattice.sql.search_path", reason)
                .hint("Name existing schemas that this target allows in its search path.")
        };
        match values {
            None => self.refuse(refused(
                "search_path is judged only with literal values.".to_owned(),
            )),
            Some(schemas) => {
                for schema in &schemas {
                    if let Err(reason) = self.path_may_name(schema) {
                        self.unclear(refused(reason));
                    }
                }
            }
        }
        self.path_changes();
    }

    fn path_may_name(&self, schema: &str) -> Result<(), String> {
        if matches!(schema, "" | "pg_catalog" | "pg_temp" | "$user") {
            return Ok(());
        }
        if schema.starts_with("pg_temp_") || schema.starts_with("pg_toast") {
            return Err(format!("The search path may not name {schema}."));
        }
        if !self.ctx.catalogue.schemas.iter().any(|s| s == schema) {
            return Err(format!("There is no schema {schema}."));
        }
        if !self.ctx.lists.path_may_name(schema) {
            return Err(format!("The search path may not name {schema}."));
        }
        Ok(())
    }

    pub(super) fn path_changes(&mut self) {
        self.leaves(Consequence::PathInDoubt);
        self.pending.doubts(Doubt::Unqualified);
    }

    /// `set_config(name, value, …)` is SET; its value for search_path is a list in one string.
    pub(super) fn set_config(&mut self, name: &str, value: Option<&str>) {
        let name = name.to_ascii_lowercase();
        let values = match (self.ctx.lists.setting(&name), value) {
            (Setting::Tracked, Some(list)) => identifiers(list, ','),
            (_, value) => value.map(|v| vec![v.to_owned()]),
        };
        self.sets(&name, values);
    }

    pub(super) fn show(&mut self, s: &pb::VariableShowStmt) {
        self.now.step.returns_rows = Some(true);
        let name = s.name.to_ascii_lowercase();
        self.shows(&name);
        self.act(Verb::SqlShow, Object::Setting { name });
    }

    /// A setting is shown: some hold passwords, as do some that are not the server's own.
    pub(super) fn shows(&mut self, name: &str) {
        let name = name.to_ascii_lowercase();
        let unseen = self.ctx.catalogue.unseen;
        if let Some(reason) = self.ctx.lists.secret_setting(&name, unseen) {
            self.unclear(
                Unclear::new("brattice.sql.setting", format!("{name} {reason}."))
                    .hint("Show another setting by its name."),
            );
        }
    }

    /// `SELECT set_config(name, 'value', false) FROM pg_settings WHERE name = 'setting'`: pg_dump's way of setting
    /// what a server may not have. It is judged as that SET; every other SELECT goes its usual way.
    pub(super) fn settings_from_pg_settings(&mut self, node: &N) {
        if let Some((setting, value)) = guarded_set_config(node) {
            let real = self
                .ctx
                .catalogue
                .relation(self.ctx.path, None, "pg_settings")
                .is_none_or(|r| r.schema == "pg_catalog");
            if real {
                self.set_config(&setting, Some(&value));
                return;
            }
        }
        self.query(node);
    }
}

fn guarded_set_config(node: &N) -> Option<(String, String)> {
    let N::SelectStmt(s) = node else {
        return None;
    };
    let pb::SelectStmt {
        target_list,
        from_clause,
        where_clause,
        ..
    } = s.as_ref();
    let plain = pb::SelectStmt {
        target_list: target_list.clone(),
        from_clause: from_clause.clone(),
        where_clause: where_clause.clone(),
        limit_option: s.limit_option,
        op: s.op,
        ..pb::SelectStmt::default()
    };
    let ([target], [from]) = (target_list.as_slice(), from_clause.as_slice()) else {
        return None;
    };
    let Some(N::RangeVar(table)) = inner(from) else {
        return None;
    };
    let of_server = table.relname == "pg_settings"
        && matches!(table.schemaname.as_str(), "" | "pg_catalog")
        && table.catalogname.is_empty()
        && table.alias.is_none();
    let Some(N::ResTarget(target)) = inner(target) else {
        return None;
    };
    let Some(N::FuncCall(call)) = child(&target.val) else {
        return None;
    };
    let function = matches!(
        names(&call.funcname).as_deref(),
        Some(["set_config"] | ["pg_catalog", "set_config"])
    );
    let [setting, value, local] = call.args.as_slice() else {
        return None;
    };
    let named = inner(setting).is_some_and(is_name_column);
    let value = inner(value).and_then(string_literal)?;
    inner(local).and_then(literal)?;
    let Some(N::AExpr(condition)) = child(where_clause) else {
        return None;
    };
    let equals = names(&condition.name).as_deref() == Some(&["="])
        && condition.kind == pb::AExprKind::AexprOp as i32
        && child(&condition.lexpr).is_some_and(is_name_column);
    let wanted = child(&condition.rexpr).and_then(string_literal)?;
    let exact = plain == **s && of_server && function && named && equals;
    exact.then(|| (wanted.to_owned(), value.to_owned()))
}

fn is_name_column(node: &N) -> bool {
    matches!(node, N::ColumnRef(c) if names(&c.fields).as_deref() == Some(&["name"]))
}

/// Splits a list of identifiers as the server does: unquoted ones are lower case. `None` when it is not one.
pub(super) fn identifiers(text: &str, separator: char) -> Option<Vec<String>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    if rest.is_empty() {
        return Some(out);
    }
    loop {
        rest = rest.trim_start();
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_identifier(quoted)?,
            None => {
                let end = rest
                    .find(|c: char| c == separator || c.is_whitespace() || c == '"')
                    .unwrap_or(rest.len());
                let (name, after) = (rest.get(..end)?, rest.get(end..)?);
                if name.is_empty() || !name.is_ascii() {
                    return None;
                }
                (name.to_ascii_lowercase(), after)
            }
        };
        out.push(name);
        let after = after.trim_start();
        if after.is_empty() {
            return Some(out);
        }
        rest = after.strip_prefix(separator)?;
    }
}

fn quoted_identifier(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        name.push_str(rest.get(..end)?);
        rest = rest.get(end + 1..)?;
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}
