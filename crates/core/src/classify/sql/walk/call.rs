//! Functions called by name.
//!
//! Lives here: how far a called name can be trusted, and the few functions that are judged by their arguments. Never:
//! operators and casts (see `values`).

use super::Walk;
use crate::action::{Object, Verb};
use crate::classify::sql::catalogue::Function;
use crate::classify::sql::command::Unclear;
use crate::classify::sql::lists::{Class, EVERYWHERE};
use crate::classify::sql::nodes::{Qualified, child, inner, literal, qualified, string_literal};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn call(&mut self, f: &pb::FuncCall) {
        let pb::FuncCall {
            funcname,
            args,
            agg_order,
            agg_filter,
            over,
            agg_within_group: _,
            agg_star: _,
            agg_distinct,
            func_variadic: _,
            funcformat: _,
            location: _,
        } = f;
        self.unseen_call(f);
        self.exprs(args);
        self.exprs(agg_order);
        self.opt(agg_filter);
        if let Some(over) = over {
            self.window(over);
        }
        if *agg_distinct {
            self.compares();
        }
        self.call_by_name(funcname, Some(args));
    }

    /// Judges a function by its name. Without arguments it is called in a way that passes none we could look at.
    pub(super) fn call_by_name(&mut self, funcname: &[pb::Node], args: Option<&[pb::Node]>) {
        let Some(name) = qualified(funcname) else {
            self.not_modelled("A function's name");
            return;
        };
        self.now.named = true;
        self.now.computes = true;
        let own = self.own_functions(name);
        let built_in = self.built_in(name);
        if own.is_empty() && built_in.is_none() {
            self.unknown_function(name, args);
            return;
        }
        for function in &own {
            self.calls_own(function);
        }
        match built_in {
            Some(Class::Harmless) | None => {}
            Some(Class::Execute) => self.calls_built_in(name.name),
            Some(Class::Reads) => self.reads_argument(name.name, args),
            Some(Class::Special) => self.special(name.name, args),
        }
    }

    /// The class of the server's own function of that name.
    fn built_in(&self, name: Qualified<'_>) -> Option<Class> {
        let lists = self.ctx.lists;
        let of_schema = |schema: &str| match schema {
            "pg_catalog" => {
                let class = lists.built_in(name.name);
                // On a server that does not bring it along the name may be the database's own.
                let own = self.ctx.catalogue.unseen
                    && name.schema.is_none()
                    && !EVERYWHERE.functions.contains(name.name);
                class.map(|class| if own { Class::Execute } else { class })
            }
            "information_schema" if self.ctx.catalogue.unseen => None,
            "information_schema" => lists.built_in(&format!("information_schema.{}", name.name)),
            _ => None,
        };
        match name.schema {
            Some(schema) => of_schema(schema),
            None => {
                let catalogue = of_schema("pg_catalog");
                if catalogue.is_none() && self.ctx.path.reaches("information_schema") {
                    return of_schema("information_schema");
                }
                catalogue
            }
        }
    }

    /// The functions outside the server's own that a name may mean.
    fn own_functions(&mut self, name: Qualified<'_>) -> Vec<Function> {
        let named = self.ctx.catalogue.functions.get(name.name);
        let pending = self.pending.functions(name.name);
        let all = named.into_iter().flatten().chain(pending);
        let mut found = Vec::new();
        for function in all {
            let fits = match name.schema {
                Some(schema) => function.schema == self.ctx.path.spelled(schema),
                None => {
                    self.now.unqualified = true;
                    self.ctx.path.reaches(&function.schema)
                }
            };
            if fits {
                found.push(function.clone());
            }
        }
        found
    }

    /// A call of a function outside the server's own.
    pub(super) fn calls_own(&mut self, function: &Function) {
        self.now.any_type = true;
        if function.oid != 0 && self.ctx.lists.outside(function) == Class::Harmless {
            return;
        }
        let object = self.own_function_object(function);
        self.act(Verb::SqlCall, object);
    }

    pub(super) fn own_function_object(&self, function: &Function) -> Object {
        Object::Function {
            database: self.ctx.catalogue.database.clone(),
            schema: function.schema.clone(),
            signature: function.signature.clone(),
            volatile: function.volatile,
            security_definer: function.security_definer,
        }
    }

    pub(super) fn calls_built_in(&mut self, name: &str) {
        let object = self.function_object("pg_catalog", format!("{name}(*)"));
        self.act(Verb::SqlCall, object);
    }

    fn unknown_function(&mut self, name: Qualified<'_>, args: Option<&[pb::Node]>) {
        // `citext('x')` is a cast.
        if let (Some([_]), false) = (args, self.ctx.catalogue.unseen) {
            let types = self.types_called(name);
            if !types.is_empty() {
                self.now.types.extend(&types);
                self.now.casts.extend(&types);
                return;
            }
        }
        self.now.unqualified |= name.schema.is_none();
        let shown = match name.schema {
            Some(schema) => format!("{schema}.{}", name.name),
            None => name.name.to_owned(),
        };
        let unclear = self.unseen_function(&shown).unwrap_or_else(|| {
            Unclear::new(
                "brattice.sql.function",
                format!("There is no function {shown} along the search path."),
            )
            .hint("Check the name and its schema.")
        });
        self.unclear(unclear);
    }

    /// `x.name`, where `name` is no column that is known: a field, or a function on `x`.
    pub(super) fn field(&mut self, name: &str) {
        let name = Qualified {
            catalog: None,
            schema: None,
            name,
        };
        for function in self.own_functions(name) {
            self.now.named = true;
            self.calls_own(&function);
        }
        if self.built_in(name).is_some_and(|c| c != Class::Harmless) {
            self.now.named = true;
            self.calls_built_in(name.name);
        }
    }

    /// A value is turned into a type.
    pub(super) fn casts_to(&mut self, name: &pb::TypeName) {
        let types = self.type_name(name);
        self.now.computes = true;
        self.now.casts.extend(types);
    }

    /// A literal is read as a type.
    pub(super) fn reads_as(&mut self, name: &pb::TypeName) {
        let types = self.type_name(name);
        self.now.computes = true;
        self.now.read_as.extend(types);
    }

    /// Functions that read the relation their first argument names.
    fn reads_argument(&mut self, name: &str, args: Option<&[pb::Node]>) {
        let literal = args
            .and_then(<[_]>::first)
            .and_then(inner)
            .and_then(string_literal);
        match literal.and_then(|l| self.relation_written(l)) {
            Some(item) => self.reads_whole(&item),
            None => self.calls_built_in(name),
        }
    }

    /// A relation named inside a string, touched.
    fn relation_written(
        &mut self,
        text: &str,
    ) -> Option<std::rc::Rc<crate::classify::sql::scope::Item>> {
        let var = range_var(text)?;
        self.touches(&var, Verb::SqlSelect)
    }

    /// Functions that are judged by their arguments.
    fn special(&mut self, name: &str, args: Option<&[pb::Node]>) {
        let args: Vec<&N> = args.unwrap_or_default().iter().filter_map(inner).collect();
        match (name, args.as_slice()) {
            ("pg_notify", _) => {
                let database = self.database();
                self.act(Verb::SqlNotify, database);
            }
            ("nextval" | "setval", [sequence, ..]) => {
                let written = string_literal(sequence).map(str::to_owned);
                let written = written.or_else(|| serial_owner(sequence));
                match written.as_deref().and_then(range_var) {
                    Some(var) => self.takes_from_sequence(&var),
                    None => self.calls_built_in(name),
                }
            }
            ("current_setting", [setting, ..]) => match string_literal(setting) {
                Some(setting) => self.shows(setting),
                None if self.ctx.catalogue.unseen => self.calls_built_in(name),
                // Clients ask so for all that they show of a server.
                None => {}
            },
            ("set_config", [setting, value, ..]) => match string_literal(setting) {
                Some(setting) => {
                    let value = literal(value);
                    self.set_config(setting, value.as_deref());
                }
                None => self.refuse(
                    Unclear::new(
                        "brattice.sql.setting",
                        "set_config is judged only with the setting's name as a literal.",
                    )
                    .hint("Write the name as a literal, or use SET."),
                ),
            },
            ("set_config", _) => self.refuse(Unclear::new(
                "brattice.sql.setting",
                "set_config is judged only with its arguments written out.",
            )),
            _ => self.calls_built_in(name),
        }
    }

    fn takes_from_sequence(&mut self, var: &pb::RangeVar) {
        if self.touches(var, Verb::SqlUpdate).is_some()
            && let Some(touch) = self.now.touches.last_mut()
        {
            touch.has_where = true;
            touch.rows = 1;
            touch.columns.insert("last_value".to_owned());
        }
    }

    /// `WHERE CURRENT OF cursor`.
    pub(super) fn current_of(&mut self, c: &pb::CurrentOfExpr) {
        if c.cursor_name.is_empty() {
            self.not_modelled("CURRENT OF a parameter");
        }
    }
}

/// `pg_get_serial_sequence('t', 'c')` names the table whose sequence it is.
fn serial_owner(node: &N) -> Option<String> {
    let call = match node {
        N::TypeCast(c) => child(&c.arg)?,
        other => other,
    };
    let N::FuncCall(f) = call else {
        return None;
    };
    let name = qualified(&f.funcname)?;
    let fits =
        name.name == "pg_get_serial_sequence" && name.schema.is_none_or(|s| s == "pg_catalog");
    let table = f.args.first().and_then(inner).and_then(string_literal)?;
    fits.then(|| table.to_owned())
}

/// A relation's name as functions read it from a string: `"My schema".t`.
fn range_var(text: &str) -> Option<pb::RangeVar> {
    let mut parts = super::settings::identifiers(text, '.')?;
    let relname = parts.pop()?;
    let schemaname = parts.pop().unwrap_or_default();
    parts.is_empty().then_some(pb::RangeVar {
        schemaname,
        relname,
        inh: true,
        ..pb::RangeVar::default()
    })
}
