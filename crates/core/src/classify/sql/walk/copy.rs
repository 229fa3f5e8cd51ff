//! COPY.
//!
//! Lives here: which way data goes, of which relation, in which shape. Never: the data.

use super::Walk;
use super::query::alias_names;
use crate::action::Verb;
use crate::classify::sql::command::{Copy, CopyFormat, CopyKind, Direction, Unclear};
use crate::classify::sql::nodes::{child, inner, literal, options};
use crate::classify::sql::scope::Level;
use pg_query::NodeEnum as N;
use pg_query::protobuf as pb;

impl Walk<'_> {
    pub(super) fn copy(&mut self, s: &pb::CopyStmt) {
        let pb::CopyStmt {
            relation,
            query,
            attlist,
            is_from,
            is_program,
            filename,
            options: given,
            where_clause,
        } = s;
        if *is_program || !filename.is_empty() {
            self.now.changes = true;
            self.unclear(
                Unclear::new(
                    "brattice.sql.copy_file",
                    "COPY with a file or a program runs on the server's host.",
                )
                .hint("Use COPY … TO STDOUT or FROM STDIN."),
            );
        }
        let format = self.copy_format(given);
        let columns = alias_names(attlist);
        let direction = if *is_from {
            Direction::In
        } else {
            Direction::Out
        };
        let copied = match (relation, child(query)) {
            (Some(relation), None) => {
                self.copied_relation(relation, &columns, direction, where_clause)
            }
            (None, Some(query)) if !*is_from => {
                self.copied_query(query);
                None
            }
            _ => {
                self.not_modelled("COPY of this kind");
                None
            }
        };
        self.now.changes |= *is_from;
        self.now.step.copy = Some(Copy {
            direction,
            relation: copied,
            columns,
            format,
        });
    }

    fn copied_relation(
        &mut self,
        relation: &pb::RangeVar,
        columns: &[String],
        direction: Direction,
        where_clause: &Option<Box<pb::Node>>,
    ) -> Option<u32> {
        let verb = match direction {
            Direction::In => Verb::SqlCopyIn,
            Direction::Out => Verb::SqlCopyOut,
        };
        self.now.levels.push(Level::default());
        let item = self.touches(relation, verb);
        let mut oid = None;
        if let Some(item) = &item {
            self.sees(vec![std::rc::Rc::clone(item)]);
            if columns.is_empty() {
                self.reads_whole(item);
            }
            for column in columns {
                self.reads_column(item, column);
            }
            let index = item.behind.first().map(|b| b.touch);
            if let Some(touch) = index.and_then(|i| self.now.touches.get(i)) {
                oid = (touch.relation.oid != 0).then_some(touch.relation.oid);
                let rows = self.rows_of(&touch.relation, touch.only);
                if direction == Direction::Out
                    && let Some(touch) = index.and_then(|i| self.now.touches.get_mut(i))
                {
                    touch.rows = rows;
                }
            }
        }
        self.opt(where_clause);
        self.now.levels.pop();
        oid
    }

    /// Everything that the query reads goes out.
    fn copied_query(&mut self, query: &N) {
        if !matches!(query, N::SelectStmt(_)) {
            self.now.changes = true;
        }
        let before = self.now.touches.len();
        self.query(query);
        let mut out = Vec::new();
        for touch in self.now.touches.iter().skip(before) {
            if touch.verb == Verb::SqlSelect {
                let mut copy = super::Touch::new(
                    touch.relation.clone(),
                    touch.columns_known,
                    Verb::SqlCopyOut,
                );
                copy.only = touch.only;
                copy.columns.clone_from(&touch.columns);
                copy.whole = touch.whole;
                copy.has_where = touch.has_where;
                copy.limit = touch.limit;
                copy.rows = touch.rows;
                out.push(copy);
            }
        }
        self.now.touches.extend(out);
    }

    fn copy_format(&mut self, given: &[pb::Node]) -> CopyFormat {
        let mut format = CopyFormat::default();
        for option in options(given) {
            let value = child(&option.arg).and_then(literal);
            match (option.defname.as_str(), value) {
                ("format", Some(kind)) => match kind.as_str() {
                    "text" => format.format = CopyKind::Text,
                    "csv" => format.format = CopyKind::Csv,
                    "binary" => format.format = CopyKind::Binary,
                    _ => self.not_modelled("A format of COPY"),
                },
                ("delimiter", value @ Some(_)) => format.delimiter = value,
                ("null", value @ Some(_)) => format.null = value,
                ("quote", value @ Some(_)) => format.quote = value,
                ("escape", value @ Some(_)) => format.escape = value,
                ("header", value) => {
                    format.header = !matches!(value.as_deref(), Some("false" | "off" | "0"));
                }
                ("force_quote", _) => {
                    format.force_quote = match child(&option.arg) {
                        Some(N::List(l)) => alias_names(&l.items),
                        _ => vec!["*".to_owned()],
                    };
                }
                ("encoding", Some(encoding)) => {
                    let utf8 = ["utf8", "utf-8", "unicode"]
                        .iter()
                        .any(|e| encoding.eq_ignore_ascii_case(e));
                    if !utf8 {
                        self.refuse(
                            Unclear::new("brattice.sql.encoding", "COPY is read as UTF8 only.")
                                .hint("Leave out ENCODING."),
                        );
                    }
                }
                (
                    "freeze" | "force_not_null" | "force_null" | "default" | "on_error"
                    | "log_verbosity" | "reject_limit",
                    _,
                ) => {}
                _ => self.not_modelled("An option of COPY"),
            }
        }
        if given
            .iter()
            .any(|n| !matches!(inner(n), Some(N::DefElem(_))))
        {
            self.not_modelled("An option of COPY");
        }
        format
    }
}
