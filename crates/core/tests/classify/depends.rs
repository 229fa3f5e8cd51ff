//! Scope against the server's own: a view over a made-up query depends on exactly the relations, and at least the
//! columns, that the classifier says the query reads.

use crate::corpus::{Case, judged_against};
use crate::server::{live_catalogue, run};
use brattice_core::action::{Object, Verb};
use std::collections::{BTreeMap, BTreeSet};

/// Makes queries up. Most of them are valid; the server says which.
struct Maker {
    state: u64,
    aliases: usize,
}

/// Something in FROM: its name and its columns.
type Seen = Vec<(String, Vec<String>)>;

const TABLES: &[(&str, &[&str])] = &[
    ("customers", &["id", "name", "email", "ssn", "active"]),
    ("public.orders", &["id", "customer_id", "total", "status"]),
    ("orders", &["id", "customer_id", "total", "status"]),
    ("log", &["at", "message"]),
    ("app.customers", &["id", "secret"]),
    ("app.people", &["id", "n"]),
    ("animals", &["id", "name"]),
    ("customer_names", &["id", "name"]),
];
const NAMES: &[&str] = &["a", "b", "customers", "orders", "log", "x"];
const COLUMNS: &[&str] = &["id", "name", "ssn", "message", "total", "y", "status"];

impl Maker {
    fn below(&mut self, bound: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % bound.max(1)
    }
    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }
    fn two_columns(&mut self) -> Vec<String> {
        let first = self.below(COLUMNS.len());
        let second = (first + 1 + self.below(COLUMNS.len() - 1)) % COLUMNS.len();
        vec![COLUMNS[first].to_owned(), COLUMNS[second].to_owned()]
    }
    fn often(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn query(&mut self, depth: usize, width: usize, outer: &Seen, ctes: &Seen) -> String {
        let mut ctes = ctes.clone();
        let mut sql = String::new();
        if depth > 0 && self.often(30) {
            sql.push_str("WITH ");
            let recursive = self.often(30);
            if recursive {
                sql.push_str("RECURSIVE ");
            }
            let count = 1 + self.below(2);
            for i in 0..count {
                let name = self.one(NAMES).to_owned();
                let columns = self.two_columns();
                let inner = self.query(depth - 1, 2, outer, &ctes);
                let comma = if i > 0 { ", " } else { "" };
                sql.push_str(&format!(
                    "{comma}{name} ({}) AS ({inner})",
                    columns.join(", ")
                ));
                ctes.retain(|(n, _)| *n != name);
                ctes.push((name, columns));
            }
            sql.push(' ');
        }
        if depth > 0 && self.often(15) {
            let op = self.one(&["UNION ALL", "UNION", "EXCEPT"]);
            let left = self.query(depth - 1, width, outer, &ctes);
            let right = self.query(depth - 1, width, outer, &ctes);
            return format!("{sql}({left}) {op} ({right})");
        }
        let mut seen = Seen::new();
        let mut from = Vec::new();
        for _ in 0..=self.below(3) / 2 {
            let item = self.item(depth, outer, &mut seen, &ctes);
            from.push(item);
        }
        let mut inside = seen.clone();
        inside.extend(outer.iter().cloned());
        let targets: Vec<String> = (0..width)
            .map(|_| {
                format!(
                    "{} AS {}",
                    self.expr(depth, &inside, &ctes),
                    self.one(COLUMNS)
                )
            })
            .collect();
        sql.push_str(&format!(
            "SELECT {} FROM {}",
            targets.join(", "),
            from.join(", ")
        ));
        if self.often(60) {
            let condition = self.condition(depth, &inside, &ctes);
            sql.push_str(&format!(" WHERE {condition}"));
        }
        if self.often(20) {
            let by = self.expr(0, &seen, &ctes);
            sql.push_str(&format!(" ORDER BY {by}"));
        }
        sql
    }

    fn item(&mut self, depth: usize, outer: &Seen, seen: &mut Seen, ctes: &Seen) -> String {
        let left = self.leaf(depth, outer, seen, ctes);
        if !self.often(40) {
            return left;
        }
        let mut both = vec![seen.last().cloned().unwrap_or_default()];
        let right = self.leaf(depth, outer, seen, ctes);
        both.push(seen.last().cloned().unwrap_or_default());
        match self.below(5) {
            0 => format!("{left} NATURAL JOIN {right}"),
            1 => {
                let shared: Vec<String> = both[0]
                    .1
                    .iter()
                    .filter(|c| both[1].1.contains(c))
                    .cloned()
                    .collect();
                if shared.is_empty() {
                    return format!("{left} CROSS JOIN {right}");
                }
                format!("{left} JOIN {right} USING ({})", self.one(&shared))
            }
            2 => format!("{left} CROSS JOIN {right}"),
            _ => {
                both.extend(outer.iter().cloned());
                let condition = self.condition(depth.min(1), &both, ctes);
                format!("{left} LEFT JOIN {right} ON {condition}")
            }
        }
    }

    fn leaf(&mut self, depth: usize, outer: &Seen, seen: &mut Seen, ctes: &Seen) -> String {
        self.aliases += 1;
        let alias = if self.often(90) {
            format!("t{}", self.aliases)
        } else {
            self.one(NAMES).to_owned()
        };
        if depth > 0 && self.often(30) {
            let lateral = self.often(50);
            let mut visible = outer.clone();
            if lateral {
                visible.extend(seen.iter().cloned());
            }
            let inner = self.query(depth - 1, 2, &visible, ctes);
            let columns = self.two_columns();
            let lateral = if lateral { "LATERAL " } else { "" };
            let sql = format!("{lateral}({inner}) AS {alias} ({})", columns.join(", "));
            seen.push((alias, columns));
            return sql;
        }
        let (name, columns) = if !ctes.is_empty() && self.often(40) {
            self.one(ctes)
        } else {
            let (name, columns) = self.one(TABLES);
            (
                name.to_owned(),
                columns.iter().map(|c| (*c).to_owned()).collect(),
            )
        };
        match self.below(6) {
            0 => {
                let bare = name.rsplit('.').next().unwrap_or_default().to_owned();
                seen.push((bare, columns));
                name
            }
            1..=3 => {
                seen.push((alias.clone(), columns));
                format!("{name} AS {alias}")
            }
            _ => {
                let mut renamed = columns;
                renamed[0] = self.one(COLUMNS).to_owned();
                let sql = format!("{name} AS {alias} ({})", renamed[0]);
                seen.push((alias, renamed));
                sql
            }
        }
    }

    fn condition(&mut self, depth: usize, seen: &Seen, ctes: &Seen) -> String {
        match self.below(6) {
            0 if depth > 0 => format!("EXISTS ({})", self.query(depth - 1, 1, seen, ctes)),
            1 if depth > 0 => {
                let left = self.expr(0, seen, ctes);
                format!("{left} IN ({})", self.query(depth - 1, 1, seen, ctes))
            }
            2 => format!("NOT ({})", self.condition(depth, seen, ctes)),
            3 => {
                let left = self.condition(depth, seen, ctes);
                format!("({left} OR {})", self.condition(depth, seen, ctes))
            }
            _ => format!(
                "{} = {}",
                self.expr(depth, seen, ctes),
                self.expr(0, seen, ctes)
            ),
        }
    }

    fn expr(&mut self, depth: usize, seen: &Seen, ctes: &Seen) -> String {
        match self.below(10) {
            0 => "'x'::text".to_owned(),
            1 if depth > 0 => {
                format!(
                    "(SELECT max(q.v) FROM ({}) AS q (v))",
                    self.query(depth - 1, 1, seen, ctes)
                )
            }
            2 if !seen.is_empty() => format!("{}::text", self.one(seen).0),
            3 if self.often(30) => format!("{}::text", self.one(COLUMNS)),
            4 if !seen.is_empty() => {
                let (table, columns) = self.one(seen);
                format!("lower({table}.{}::text)", self.one(&columns))
            }
            5 if !seen.is_empty() => format!("to_jsonb({}.*)::text", self.one(seen).0),
            _ if seen.is_empty() => "'y'::text".to_owned(),
            n => {
                let (table, columns) = self.one(seen);
                let column = self.one(&columns);
                if n < 9 {
                    format!("{table}.{column}::text")
                } else {
                    format!("{column}::text")
                }
            }
        }
    }
}

#[test]
#[ignore = "needs a server with world.sql in the database app: BRATTICE_TEST_POSTGRES"]
fn reads_what_the_server_says_a_view_of_it_reads() {
    let (catalogue, major) = live_catalogue().expect("BRATTICE_TEST_POSTGRES is set");
    let rounds: usize =
        std::env::var("BRATTICE_TEST_ROUNDS").map_or(300, |r| r.parse().expect("a number"));
    let seed: u64 = std::env::var("BRATTICE_TEST_SEED").map_or(1, |r| r.parse().expect("a number"));
    let mut maker = Maker {
        state: seed,
        aliases: 0,
    };
    let (mut valid, mut wrongs) = (0, Vec::new());
    for round in 0..rounds {
        let sql = maker.query(2 + round % 2, 2, &Seen::new(), &Seen::new());
        let columns: Vec<String> = (0..2).map(|i| format!("c{i}")).collect();
        let view = format!("made_up_{}_{round}", std::process::id());
        let script = format!(
            "SET client_min_messages = error; CREATE VIEW {view} ({}) AS {sql}; \
             SELECT d.refobjid, d.refobjsubid FROM pg_rewrite r JOIN pg_depend d ON d.objid = r.oid \
             AND d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass \
             WHERE r.ev_class = '{view}'::regclass AND d.refobjid <> r.ev_class; DROP VIEW {view}",
            columns.join(", ")
        );
        let Ok(rows) = run("app", &script) else {
            continue;
        };
        valid += 1;
        let mut server: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for row in rows {
            let oid: u32 = row[0]
                .as_deref()
                .unwrap_or_default()
                .parse()
                .expect("an oid");
            let number: i16 = row[1]
                .as_deref()
                .unwrap_or_default()
                .parse()
                .expect("a number");
            let relation = &catalogue.by_oid[&oid];
            let columns = server
                .entry((relation.schema.clone(), relation.name.clone()))
                .or_default();
            columns.extend(
                relation
                    .columns
                    .iter()
                    .filter(|c| c.number == number)
                    .map(|c| c.name.clone()),
            );
        }
        let mut case = Case::of(&sql);
        case.set_major(major.0);
        let command = match judged_against(&case, &catalogue) {
            Ok(command) => command,
            Err(rule) => {
                assert_eq!(rule, "brattice.sql.too_deep", "{sql}");
                continue;
            }
        };
        let mut told: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
        for act in &command.acts {
            assert_eq!(
                act.verb,
                Verb::SqlSelect,
                "{sql}\n{act:?} {:?}",
                command.unclear
            );
            if let Object::Table { schema, table, .. } = &act.object {
                told.insert(
                    (schema.clone(), table.clone()),
                    act.facts.sql().columns.clone(),
                );
            }
        }
        // A parent's children are told as well, and a view over a parent depends on the parent alone.
        told.remove(&("public".to_owned(), "dogs".to_owned()));
        let same = told.keys().eq(server.keys());
        let covered = server
            .iter()
            .all(|(name, columns)| told.get(name).is_some_and(|t| columns.is_subset(t)));
        if !same || !covered {
            wrongs.push(format!("{sql}\n  server {server:?}\n  told   {told:?}"));
        }
    }
    println!("{valid} of {rounds} were valid");
    assert!(valid * 4 > rounds, "{valid} of {rounds} were valid");
    assert!(
        wrongs.is_empty(),
        "{} wrong:\n{}",
        wrongs.len(),
        wrongs.join("\n")
    );
}
