//! What stands in FROM.
//!
//! Lives here: relations, subqueries, functions, joins, and what each makes visible. Never: expressions.

use super::query::alias_names;
use super::{Touch, Walk};
use crate::action::Verb;
use crate::classify::sql::nodes::{child, given, inner};
use crate::classify::sql::scope::{Behind, Columns, Item, Level};
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;
use std::rc::Rc;

type Items = Vec<Rc<Item>>;

impl Walk<'_> {
    pub(super) fn walk_from(&mut self, from: &[pb::Node]) {
        for node in from {
            let items = match inner(node) {
                Some(node) => self.in_from(node),
                None => Vec::new(),
            };
            self.sees(items);
        }
    }

    /// Makes items visible at this level.
    pub(super) fn sees(&mut self, items: Items) {
        if let Some(level) = self.now.levels.last_mut() {
            level.items.extend(items);
        }
    }

    /// Does something with only these items visible at this level.
    pub(super) fn seeing<T>(&mut self, items: Items, f: impl FnOnce(&mut Self) -> T) -> T {
        let swap = |walk: &mut Self, new: Items| match walk.now.levels.last_mut() {
            Some(level) => std::mem::replace(&mut level.items, new),
            None => new,
        };
        let before = swap(self, items);
        let out = f(self);
        swap(self, before);
        out
    }

    fn in_from(&mut self, node: &N) -> Items {
        match node {
            N::RangeVar(v) => self.relation_in_from(v),
            N::JoinExpr(j) => self.join(j),
            N::RangeSubselect(s) => self.query_in_from(s),
            N::RangeFunction(f) => self.function_in_from(f),
            N::RangeTableSample(s) => self.sample_in_from(s),
            N::RangeTableFunc(f) => self.xml_table_in_from(f),
            N::JsonTable(t) => {
                self.json_table(t);
                derived(t.alias.as_ref(), Columns::Any)
            }
            _ => {
                self.not_modelled("An entry of FROM");
                Vec::new()
            }
        }
    }

    fn relation_in_from(&mut self, var: &pb::RangeVar) -> Items {
        if var.schemaname.is_empty()
            && var.catalogname.is_empty()
            && let Some(columns) = self.cte_called(&var.relname)
        {
            let mut items = derived(var.alias.as_ref(), columns.clone());
            if items.is_empty() {
                items.push(Rc::new(Item {
                    name: var.relname.clone(),
                    schema: None,
                    columns,
                    system_columns: false,
                    behind: Vec::new(),
                    bare: true,
                }));
            }
            return items;
        }
        self.touches(var, Verb::SqlSelect).into_iter().collect()
    }

    /// Touches a relation, and makes it an item.
    pub(super) fn touches(&mut self, var: &pb::RangeVar, verb: Verb) -> Option<Rc<Item>> {
        let found = self.relation(var)?;
        let own: Vec<String> = found
            .relation
            .columns
            .iter()
            .map(|c| c.name.clone())
            .collect();
        let aliases = var
            .alias
            .as_ref()
            .map(|a| alias_names(&a.colnames))
            .unwrap_or_default();
        let renamed = aliases
            .iter()
            .zip(&own)
            .filter(|(new, old)| new != old)
            .map(|(new, old)| (new.clone(), old.clone()))
            .collect();
        let columns = if found.columns_known && !self.ctx.catalogue.unseen {
            Columns::Known(own).renamed(&aliases)
        } else {
            self.unseen_columns(own, &aliases, found.columns_known)
        };
        let schema = found.relation.schema.clone();
        let system_columns = found.relation.system_columns;
        let mut touch = Touch::new(found.relation, found.columns_known, verb);
        touch.only = !var.inh;
        // Columns that nobody knows may all be read.
        touch.whole = !found.columns_known || (self.ctx.catalogue.unseen && !aliases.is_empty());
        let index = self.now.touches.len();
        self.now.touches.push(touch);
        let (name, schema) = match &var.alias {
            Some(alias) => (alias.aliasname.clone(), None),
            None => (var.relname.clone(), Some(schema)),
        };
        Some(Rc::new(Item {
            name,
            schema,
            columns,
            system_columns,
            behind: vec![Behind {
                touch: index,
                renamed,
            }],
            bare: true,
        }))
    }

    fn query_in_from(&mut self, s: &pb::RangeSubselect) -> Items {
        let pb::RangeSubselect {
            lateral,
            subquery,
            alias,
        } = s;
        let Some(query) = child(subquery) else {
            self.not_modelled("A query in FROM");
            return Vec::new();
        };
        let columns = if *lateral {
            self.query(query)
        } else {
            self.seeing(Vec::new(), |walk| walk.query(query))
        };
        let mut items = derived(alias.as_ref(), columns.clone());
        if items.is_empty() {
            // Without an alias its columns can be reached all the same.
            items.push(Rc::new(Item {
                name: String::new(),
                schema: None,
                columns,
                system_columns: false,
                behind: Vec::new(),
                bare: true,
            }));
        }
        items
    }

    fn function_in_from(&mut self, f: &pb::RangeFunction) -> Items {
        let pb::RangeFunction {
            lateral: _,
            ordinality: _,
            is_rowsfrom: _,
            functions,
            alias,
            coldeflist,
        } = f;
        for function in functions {
            match inner(function) {
                // (function call, column definitions)
                Some(N::List(pair)) => {
                    for part in &pair.items {
                        match inner(part) {
                            None => {}
                            Some(N::List(definitions)) => {
                                self.column_definitions(&definitions.items)
                            }
                            Some(other) => self.expr(other),
                        }
                    }
                }
                _ => self.not_modelled("A function in FROM"),
            }
        }
        self.column_definitions(coldeflist);
        let columns = self.unseen_value(f);
        let mut items = derived(alias.as_ref(), columns);
        if items.is_empty() {
            items.push(Rc::new(Item {
                name: String::new(),
                schema: None,
                columns: Columns::Any,
                system_columns: false,
                behind: Vec::new(),
                bare: true,
            }));
        }
        items
    }

    /// `AS (a int, b text)`: values are turned into these types.
    fn column_definitions(&mut self, definitions: &[pb::Node]) {
        for node in definitions {
            match inner(node) {
                Some(N::ColumnDef(c)) => {
                    if let Some(name) = &c.type_name {
                        self.casts_to(name);
                    }
                }
                _ => self.not_modelled("A column definition"),
            }
        }
    }

    fn sample_in_from(&mut self, s: &pb::RangeTableSample) -> Items {
        let pb::RangeTableSample {
            relation,
            method,
            args,
            repeatable,
            location: _,
        } = s;
        let items = match child(relation) {
            Some(relation) => self.in_from(relation),
            None => Vec::new(),
        };
        self.call_by_name(method, None);
        self.exprs(args);
        self.opt(repeatable);
        items
    }

    fn xml_table_in_from(&mut self, f: &pb::RangeTableFunc) -> Items {
        let pb::RangeTableFunc {
            lateral: _,
            docexpr,
            rowexpr,
            namespaces,
            columns,
            alias,
            location: _,
        } = f;
        self.opt(docexpr);
        self.opt(rowexpr);
        self.targets(namespaces);
        for column in columns {
            match inner(column) {
                Some(N::RangeTableFuncCol(c)) => {
                    if let Some(name) = &c.type_name {
                        self.casts_to(name);
                    }
                    self.opt(&c.colexpr);
                    self.opt(&c.coldefexpr);
                }
                _ => self.not_modelled("A column of XMLTABLE"),
            }
        }
        derived(alias.as_ref(), Columns::Any)
    }

    fn join(&mut self, j: &pb::JoinExpr) -> Items {
        let pb::JoinExpr {
            jointype: _,
            is_natural,
            larg,
            rarg,
            using_clause,
            join_using_alias,
            quals,
            alias,
            rtindex: _,
        } = j;
        let (Some(larg), Some(rarg)) = (child(larg), child(rarg)) else {
            self.not_modelled("A join");
            return Vec::new();
        };
        let left = self.in_from(larg);
        // The left side can be seen from LATERAL entries of the right one.
        let before = self.now.levels.last().map_or(0, |l| l.items.len());
        self.sees(left.clone());
        let right = self.in_from(rarg);
        if let Some(level) = self.now.levels.last_mut() {
            level.items.truncate(before);
        }
        if *is_natural {
            self.compares();
            self.natural(&left, &right);
        }
        if !using_clause.is_empty() {
            self.compares();
            for name in alias_names(using_clause) {
                for item in left.iter().chain(&right) {
                    self.reads_column(item, &name);
                }
            }
        }
        let mut items = left;
        items.extend(right);
        if let Some(quals) = child(quals) {
            self.seeing(items.clone(), |walk| walk.expr(quals));
        }
        if let Some(using) = join_using_alias {
            items.push(Rc::new(over(&using.aliasname, &[], &items, false)));
        }
        match alias {
            Some(alias) => {
                let names = alias_names(&alias.colnames);
                if !names.is_empty() {
                    // Columns under other names: all of them may be read.
                    for item in &items {
                        self.reads_whole(item);
                    }
                }
                let joined = over(&alias.aliasname, &names, &items, true);
                // What is below stays known, for conditions that bound it, but no name reaches it.
                vec![Rc::new(joined)]
            }
            None => items,
        }
    }

    fn natural(&mut self, left: &Items, right: &Items) {
        match Level::shared(left, right) {
            Some(names) => {
                for name in &names {
                    for item in left.iter().chain(right) {
                        self.reads_column(item, name);
                    }
                }
            }
            None => {
                for item in left.iter().chain(right) {
                    self.reads_whole(item);
                }
            }
        }
    }
}

/// An item for an alias over something that is no relation. Without an alias there is none.
fn derived(alias: Option<&pb::Alias>, columns: Columns) -> Items {
    let Some(alias) = alias else {
        return Vec::new();
    };
    let Some(name) = given(&alias.aliasname) else {
        return Vec::new();
    };
    vec![Rc::new(Item {
        name: name.to_owned(),
        schema: None,
        columns: columns.renamed(&alias_names(&alias.colnames)),
        system_columns: false,
        behind: Vec::new(),
        bare: true,
    })]
}

/// An alias over a join.
fn over(name: &str, renamed: &[String], items: &[Rc<Item>], bare: bool) -> Item {
    let mut columns = Some(Vec::new());
    let mut behind = Vec::new();
    for item in items {
        match (&mut columns, &item.columns) {
            (Some(all), Columns::Known(names)) => all.extend(names.iter().cloned()),
            _ => columns = None,
        }
        behind.extend(item.behind.iter().cloned());
    }
    let columns = match (columns, renamed.is_empty()) {
        (Some(names), true) => Columns::Known(names),
        _ => Columns::Any,
    };
    Item {
        name: name.to_owned(),
        schema: None,
        columns,
        // The server knows them only of each relation below.
        system_columns: false,
        behind,
        bare,
    }
}
