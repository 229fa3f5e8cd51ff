//! FROM: what each of its entries adds to the namespace, and to `*`.
//!
//! Lives here: tables, subqueries, functions, joins with their merged columns. Never: WHERE or the select list.

use super::functions::{Shape, shape};
use super::names;
use super::scope::{Col, Cols, Item, Level, join};
use super::tracer::{Ctx, Inside, Tracer, rename};
use crate::action::Verb;
use pg_query::NodeEnum;
use pg_query::protobuf::{JoinExpr, Node, RangeFunction, RangeSubselect, RangeTableFunc, RangeVar};

/// What an entry of FROM is: its columns as a whole, and the entries it adds to the namespace.
pub(super) struct Entry {
    pub cols: Cols,
    pub items: Vec<Item>,
}

impl Entry {
    fn one(item: Item) -> Self {
        Self {
            cols: item.cols.clone(),
            items: vec![item],
        }
    }
}

impl Tracer<'_> {
    /// Adds the entries of FROM to the level. Each is visible to LATERAL ones after it, and all of them at the end.
    pub(super) fn range_list(&mut self, nodes: &[Node], level: &mut Level<'_>) {
        let before = level.items.len();
        for node in nodes {
            let mut entry = self.range_entry(node, level);
            for item in &mut entry.items {
                item.lateral_only = true;
            }
            level.items.append(&mut entry.items);
        }
        for item in level.items.iter_mut().skip(before) {
            item.lateral_only = false;
        }
    }

    pub(super) fn range_entry(&mut self, node: &Node, level: &mut Level<'_>) -> Entry {
        let entry = self.deeper(|t| match node.node.as_ref() {
            Some(NodeEnum::RangeVar(var)) => Entry::one(t.range(var, level)),
            Some(NodeEnum::RangeSubselect(s)) => Entry::one(t.subselect(s, level)),
            Some(NodeEnum::RangeFunction(f)) => Entry::one(t.range_function(f, level)),
            Some(NodeEnum::RangeTableFunc(x)) => Entry::one(t.xml_table(x, level)),
            Some(NodeEnum::JsonTable(j)) => {
                let list = t
                    .lateral(level, |t, l| t.json_table(j, l))
                    .into_iter()
                    .map(Col::plain)
                    .collect();
                Entry::one(aliased(Cols::of(list), j.alias.as_ref(), "json_table"))
            }
            Some(NodeEnum::RangeTableSample(s)) => {
                t.exprs(&s.args, level, Ctx::derive("in TABLESAMPLE"));
                t.maybe(
                    s.repeatable.as_deref(),
                    level,
                    Ctx::derive("in TABLESAMPLE"),
                );
                match s.relation.as_deref() {
                    Some(relation) => t.range_entry(relation, level),
                    None => Entry::one(Item::new(None, Cols::unknown())),
                }
            }
            Some(NodeEnum::JoinExpr(j)) => t.join(j, level),
            _ => {
                t.doubt("an entry of FROM of a kind that is not traced");
                Entry::one(Item::new(None, Cols::unknown()))
            }
        });
        entry.unwrap_or_else(|| Entry::one(Item::new(None, Cols::unknown())))
    }

    /// Walks something that sees the entries of FROM before it.
    fn lateral<T>(
        &mut self,
        level: &mut Level<'_>,
        walk: impl FnOnce(&mut Self, &Level<'_>) -> T,
    ) -> T {
        let was = std::mem::replace(&mut level.lateral, true);
        let out = walk(self, level);
        level.lateral = was;
        out
    }

    /// A common table expression or a table.
    fn range(&mut self, var: &RangeVar, level: &Level<'_>) -> Item {
        let local = var.schemaname.is_empty() && var.catalogname.is_empty();
        let cte = level.cte(&var.relname).filter(|_| local).cloned();
        match cte {
            Some(cols) => aliased(cols, var.alias.as_ref(), &var.relname),
            None => self.table(var),
        }
    }

    fn subselect(&mut self, s: &RangeSubselect, level: &mut Level<'_>) -> Item {
        let Some(query) = s.subquery.as_deref() else {
            return Item::new(None, Cols::unknown());
        };
        let mut cols = match s.lateral {
            true => self.lateral(level, |t, l| t.query(query, Some(l))),
            false => self.query(query, Some(level)),
        };
        match &s.alias {
            Some(alias) => {
                rename(&mut cols, alias);
                Item::new(Some(alias.aliasname.clone()), cols)
            }
            None => Item::new(None, cols),
        }
    }

    fn range_function(&mut self, f: &RangeFunction, level: &mut Level<'_>) -> Item {
        let mut cols = Cols::default();
        let mut first = String::new();
        for call in &f.functions {
            let Some(NodeEnum::List(parts)) = call.node.as_ref() else {
                self.doubt("a function in FROM of a kind that is not traced");
                continue;
            };
            let Some(function) = parts.items.first() else {
                continue;
            };
            let name = names::figure(function);
            if names::is_unsure(function) {
                self.doubt("an expression in FROM whose name is not sure");
            }
            let plain = match function.node.as_ref() {
                Some(NodeEnum::FuncCall(call)) => names::is_built_in(&call.funcname),
                Some(NodeEnum::SqlvalueFunction(_)) => false,
                _ => {
                    self.doubt("an expression in FROM that is no call of a function");
                    false
                }
            };
            self.lateral(level, |t, l| t.expr(function, l, Ctx::derive("in FROM")));
            let definitions = parts.items.get(1).and_then(|n| match n.node.as_ref() {
                Some(NodeEnum::List(l)) if !l.items.is_empty() => Some(l.items.as_slice()),
                _ => None,
            });
            let made = match definitions {
                Some(list) => defined(list),
                None if plain => self.function_columns(&name, f),
                None => Cols::unknown(),
            };
            cols.list.extend(made.list);
            cols.open |= made.open;
            if first.is_empty() {
                first = name;
            }
        }
        if !f.coldeflist.is_empty() {
            cols = defined(&f.coldeflist);
        }
        if f.ordinality {
            cols.list.push(Col::plain("ordinality"));
        }
        aliased(cols, f.alias.as_ref(), &first)
    }

    /// Columns of a function's result; nothing in them is masked, for what goes in is a use of its own.
    fn function_columns(&self, name: &str, f: &RangeFunction) -> Cols {
        if self.catalogue.functions.contains_key(name) {
            return Cols::unknown();
        }
        match shape(name) {
            Some(Shape::Scalar) => {
                // An alias for the function names its one column too.
                let alone = f.functions.len() == 1;
                let alias = f
                    .alias
                    .as_ref()
                    .filter(|_| alone)
                    .map(|a| a.aliasname.as_str());
                Cols::of(vec![Col::plain(alias.unwrap_or(name))])
            }
            Some(Shape::Columns(list)) => Cols::of(list.iter().map(|n| Col::plain(*n)).collect()),
            None => Cols::unknown(),
        }
    }

    fn xml_table(&mut self, x: &RangeTableFunc, level: &mut Level<'_>) -> Item {
        let ctx = Ctx::derive("in FROM").inside(Inside::Function("xmltable"));
        let list = self.lateral(level, |t, l| {
            t.maybe(x.docexpr.as_deref(), l, ctx);
            t.maybe(x.rowexpr.as_deref(), l, ctx);
            t.exprs(&x.namespaces, l, ctx);
            let mut list = Vec::new();
            for node in &x.columns {
                let Some(NodeEnum::RangeTableFuncCol(column)) = node.node.as_ref() else {
                    t.doubt("a column of XMLTABLE of a kind that is not traced");
                    continue;
                };
                t.maybe(column.colexpr.as_deref(), l, ctx);
                t.maybe(column.coldefexpr.as_deref(), l, ctx);
                list.push(Col::plain(&column.colname));
            }
            list
        });
        aliased(Cols::of(list), x.alias.as_ref(), "xmltable")
    }

    fn join(&mut self, j: &JoinExpr, level: &mut Level<'_>) -> Entry {
        let nothing = || Entry::one(Item::new(None, Cols::unknown()));
        let mut left = j
            .larg
            .as_deref()
            .map_or_else(nothing, |n| self.range_entry(n, level));
        // The left side is visible to LATERAL ones on the right.
        let before = level.items.len();
        level.items.extend(left.items.iter().cloned().map(|i| Item {
            lateral_only: true,
            ..i
        }));
        let mut right = j
            .rarg
            .as_deref()
            .map_or_else(nothing, |n| self.range_entry(n, level));
        level.items.truncate(before);

        let merged = self.merged_names(j, &left.cols, &right.cols);
        let mut cols = Cols {
            list: Vec::new(),
            open: left.cols.open || right.cols.open,
        };
        for name in &merged {
            let mut col = left.cols.named(name).unwrap_or_else(|| Col::plain(name));
            if let Some(other) = right.cols.named(name) {
                join(&mut col.fields, &other.fields);
            }
            let place = if j.is_natural {
                "in NATURAL JOIN".to_owned()
            } else {
                format!("in JOIN … USING ({name})")
            };
            self.record_as(&col.fields, Verb::Filter, &place);
            cols.list.push(col);
        }
        let merged_cols = cols.clone();
        for side in [&left.cols, &right.cols] {
            cols.list.extend(
                side.list
                    .iter()
                    .filter(|c| !merged.contains(&c.name))
                    .cloned(),
            );
        }

        let mut items = std::mem::take(&mut left.items);
        items.append(&mut right.items);
        if let Some(quals) = j.quals.as_deref() {
            // ON sees the two sides and the levels around, nothing else of this FROM.
            let own = std::mem::replace(&mut level.items, items);
            self.expr(quals, level, Ctx::filter("in JOIN … ON"));
            items = std::mem::replace(&mut level.items, own);
        }
        for item in &mut items {
            item.by_column = false;
        }
        if let Some(alias) = &j.join_using_alias {
            let mut item = Item::new(Some(alias.aliasname.clone()), merged_cols);
            item.by_column = false;
            items.push(item);
        }
        match &j.alias {
            Some(alias) => {
                rename(&mut cols, alias);
                Entry::one(Item::new(Some(alias.aliasname.clone()), cols))
            }
            None => {
                items.push(Item::new(None, cols.clone()));
                Entry { cols, items }
            }
        }
    }

    /// The columns that USING or NATURAL merges.
    fn merged_names(&mut self, j: &JoinExpr, left: &Cols, right: &Cols) -> Vec<String> {
        let using: Vec<String> = names::strings(&j.using_clause).map(str::to_owned).collect();
        if !j.is_natural && using.is_empty() {
            return using;
        }
        let lacks = |side: &Cols, name: &String| !side.open && side.named(name).is_none();
        if using
            .iter()
            .any(|name| lacks(left, name) || lacks(right, name))
        {
            self.doubt("a JOIN … USING a column that one side does not seem to have");
        }
        let mut fields = left.fields();
        join(&mut fields, &right.fields());
        let open = j.is_natural && (left.open || right.open);
        if open || left.is_unsure() || right.is_unsure() {
            self.record_as(&fields, Verb::Filter, "perhaps merged in a JOIN");
            self.doubt("a NATURAL JOIN, or USING, with something whose columns are not known");
        }
        if !j.is_natural {
            return using;
        }
        let mut shared: Vec<String> = Vec::new();
        for col in &left.list {
            if right.list.iter().any(|r| r.name == col.name) && !shared.contains(&col.name) {
                shared.push(col.name.clone());
            }
        }
        shared
    }
}

/// An entry under its alias, or under its own name.
fn aliased(mut cols: Cols, alias: Option<&pg_query::protobuf::Alias>, name: &str) -> Item {
    match alias {
        Some(alias) => {
            rename(&mut cols, alias);
            Item::new(Some(alias.aliasname.clone()), cols)
        }
        None => Item::new(Some(name.to_owned()), cols),
    }
}

/// `AS (a integer, b text)`.
fn defined(list: &[Node]) -> Cols {
    let list = list
        .iter()
        .filter_map(|n| match n.node.as_ref() {
            Some(NodeEnum::ColumnDef(d)) => Some(Col::plain(&d.colname)),
            _ => None,
        })
        .collect();
    Cols::of(list)
}
