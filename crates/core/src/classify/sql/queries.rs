//! The queries that fetch a catalogue.
//!
//! Lives here: SQL that yields text columns only, and that means the same along every search path: names carry their
//! schema, operators are written OPERATOR(pg_catalog.…). Never: how rows become a picture (see `rows`).

use super::catalogue::Major;

/// One query of a catalogue, and what it yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// A text that differs whenever anything fetched does.
    Fingerprint,
    /// Database and encoding.
    Database,
    /// Schemas.
    Schemas,
    /// Relations.
    Relations,
    /// Their columns.
    Columns,
    /// Which inherits from which.
    Inheritance,
    /// Rules, a view's own among them.
    Rules,
    /// What views read.
    ViewReads,
    /// Indexes, and the unique keys they make.
    Indexes,
    /// Foreign keys.
    ForeignKeys,
    /// Functions.
    Functions,
    /// Operators.
    Operators,
    /// Casts.
    Casts,
    /// Types.
    Types,
    /// Of what types are made.
    TypeParts,
    /// Functions behind types.
    TypeFunctions,
    /// Extensions.
    Extensions,
    /// What belongs to extensions.
    Members,
    /// Triggers, rules, policies and defaults.
    OwnCode,
}

/// The queries that fetch a catalogue from a server of one version.
#[derive(Debug, Clone)]
pub struct CatalogueQueries {
    /// In the order in which their rows are handed to [`super::Catalogue::from_rows`]. The fingerprint comes first and
    /// last: a catalogue that changed in between is not taken.
    pub parts: Vec<(Part, String)>,
    /// The fingerprint alone: one row, one column.
    pub fingerprint: String,
    /// The effective search path, one schema a row, in order.
    pub path: String,
}

/// The queries for a server of that version.
pub fn queries(major: Major) -> CatalogueQueries {
    let fingerprint = fingerprint();
    let parts = vec![
        (Part::Fingerprint, fingerprint.clone()),
        (Part::Database, DATABASE.to_owned()),
        (Part::Schemas, of_session(SCHEMAS)),
        (
            Part::Relations,
            of_session(RELATIONS).replace("{rows}", rows(major)),
        ),
        (Part::Columns, of_session(COLUMNS)),
        (Part::Inheritance, INHERITANCE.to_owned()),
        (Part::Rules, RULES.to_owned()),
        (Part::ViewReads, VIEW_READS.to_owned()),
        (Part::Indexes, of_session(INDEXES)),
        (Part::ForeignKeys, FOREIGN_KEYS.to_owned()),
        (Part::Functions, of_session(FUNCTIONS)),
        (Part::Operators, OPERATORS.to_owned()),
        (Part::Casts, CASTS.to_owned()),
        (Part::Types, of_session(TYPES)),
        (Part::TypeParts, TYPE_PARTS.to_owned()),
        (Part::TypeFunctions, TYPE_FUNCTIONS.to_owned()),
        (Part::Extensions, EXTENSIONS.to_owned()),
        (Part::Members, MEMBERS.to_owned()),
        (Part::OwnCode, of_session(OWN_CODE)),
        (Part::Fingerprint, fingerprint.clone()),
    ];
    CatalogueQueries {
        parts,
        fingerprint,
        path: PATH.to_owned(),
    }
}

/// Before 14, a table that was never analysed says 0 rows on 0 pages.
fn rows(major: Major) -> &'static str {
    if major.0 < 14 {
        "CASE WHEN c.relpages OPERATOR(pg_catalog.=) 0 THEN NULL ELSE c.reltuples END"
    } else {
        "c.reltuples"
    }
}

/// Leaves out other sessions' temporary schemas: `n` is pg_namespace.
fn of_session(query: &str) -> String {
    query.replace(
        "{of_session}",
        "(n.oid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema() \
         OR NOT (pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_temp_') \
         OR pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_toast')))",
    )
}

const PATH: &str = "SELECT u.s::pg_catalog.text \
FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS u(s, n) ORDER BY u.n";

const DATABASE: &str = "SELECT pg_catalog.current_database()::pg_catalog.text, \
pg_catalog.current_setting('server_encoding'), \
(SELECT pg_catalog.count(s.subname) FROM pg_catalog.pg_subscription s)::pg_catalog.text";

const SCHEMAS: &str =
    "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n WHERE {of_session}";

const RELATIONS: &str = "SELECT c.oid::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, \
c.relkind::pg_catalog.text, c.relpersistence::pg_catalog.text, ({rows})::pg_catalog.text \
FROM pg_catalog.pg_class c \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
WHERE c.relkind::pg_catalog.text OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S}'::pg_catalog.text[]) AND {of_session}";

const COLUMNS: &str = "SELECT a.attrelid::pg_catalog.text, a.attnum::pg_catalog.text, a.attname::pg_catalog.text, \
a.atttypid::pg_catalog.text, a.atttypmod::pg_catalog.text, \
CASE WHEN a.attgenerated::pg_catalog.text OPERATOR(pg_catalog.<>) '' THEN \
(SELECT pg_catalog.string_agg(d.refobjsubid::pg_catalog.text, ' ') FROM pg_catalog.pg_attrdef f \
JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
AND d.objid OPERATOR(pg_catalog.=) f.oid \
AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
AND d.refobjid OPERATOR(pg_catalog.=) a.attrelid AND d.refobjsubid OPERATOR(pg_catalog.>) 0 \
WHERE f.adrelid OPERATOR(pg_catalog.=) a.attrelid AND f.adnum OPERATOR(pg_catalog.=) a.attnum) END \
FROM pg_catalog.pg_attribute a \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped \
AND c.relkind::pg_catalog.text OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S}'::pg_catalog.text[]) AND {of_session} \
ORDER BY a.attrelid, a.attnum";

const INHERITANCE: &str = "SELECT i.inhrelid::pg_catalog.text, i.inhparent::pg_catalog.text \
FROM pg_catalog.pg_inherits i";

const RULES: &str = "SELECT r.ev_class::pg_catalog.text, r.ev_type::pg_catalog.text, \
(pg_catalog.strpos(r.ev_action::pg_catalog.text, ':varattno 0 ') OPERATOR(pg_catalog.>) 0)::pg_catalog.text \
FROM pg_catalog.pg_rewrite r WHERE r.oid OPERATOR(pg_catalog.>=) 16384";

const VIEW_READS: &str = "SELECT DISTINCT r.ev_class::pg_catalog.text, d.refobjid::pg_catalog.text, \
d.refobjsubid::pg_catalog.text \
FROM pg_catalog.pg_rewrite r \
JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) r.oid \
AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
WHERE r.oid OPERATOR(pg_catalog.>=) 16384 AND r.ev_type::pg_catalog.text OPERATOR(pg_catalog.=) '1' \
AND d.refobjid OPERATOR(pg_catalog.<>) r.ev_class";

const INDEXES: &str = "SELECT c.oid::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, \
i.indrelid::pg_catalog.text, \
(i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL)::pg_catalog.text, \
i.indkey::pg_catalog.text, i.indnkeyatts::pg_catalog.text \
FROM pg_catalog.pg_index i \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE {of_session}";

const FOREIGN_KEYS: &str = "SELECT k.confrelid::pg_catalog.text, k.conrelid::pg_catalog.text \
FROM pg_catalog.pg_constraint k WHERE k.contype::pg_catalog.text OPERATOR(pg_catalog.=) 'f'";

const FUNCTIONS: &str = "SELECT p.oid::pg_catalog.text, n.nspname::pg_catalog.text, p.proname::pg_catalog.text, \
p.proargtypes::pg_catalog.text, p.provolatile::pg_catalog.text, p.prosecdef::pg_catalog.text \
FROM pg_catalog.pg_proc p \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE (p.oid OPERATOR(pg_catalog.>=) 16384 \
OR NOT n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) ANY ('{pg_catalog,information_schema}'::pg_catalog.text[])) \
AND {of_session}";

const OPERATORS: &str = "SELECT n.nspname::pg_catalog.text, o.oprname::pg_catalog.text, o.oprleft::pg_catalog.text, \
o.oprright::pg_catalog.text, p.oid::pg_catalog.text, f.nspname::pg_catalog.text, p.proname::pg_catalog.text \
FROM pg_catalog.pg_operator o \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace \
JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) o.oprcode \
JOIN pg_catalog.pg_namespace f ON f.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE o.oid OPERATOR(pg_catalog.>=) 16384";

const CASTS: &str = "SELECT k.castsource::pg_catalog.text, k.casttarget::pg_catalog.text, \
k.castcontext::pg_catalog.text, p.oid::pg_catalog.text, f.nspname::pg_catalog.text, p.proname::pg_catalog.text \
FROM pg_catalog.pg_cast k \
LEFT JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) k.castfunc \
LEFT JOIN pg_catalog.pg_namespace f ON f.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE k.oid OPERATOR(pg_catalog.>=) 16384";

const TYPES: &str = "SELECT t.oid::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, \
pg_catalog.format_type(t.oid, NULL), t.typelem::pg_catalog.text, t.typbasetype::pg_catalog.text, \
(t.typcategory::pg_catalog.text OPERATOR(pg_catalog.=) 'S' AND t.typispreferred)::pg_catalog.text \
FROM pg_catalog.pg_type t \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
WHERE (t.oid OPERATOR(pg_catalog.>=) 16384 OR t.typtype::pg_catalog.text OPERATOR(pg_catalog.<>) 'c') \
AND {of_session}";

const TYPE_PARTS: &str = "SELECT t.oid::pg_catalog.text, a.atttypid::pg_catalog.text \
FROM pg_catalog.pg_type t \
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) t.typrelid \
WHERE t.oid OPERATOR(pg_catalog.>=) 16384 AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped \
AND a.atttypid OPERATOR(pg_catalog.>=) 16384 \
UNION ALL SELECT r.rngtypid::pg_catalog.text, r.rngsubtype::pg_catalog.text FROM pg_catalog.pg_range r \
WHERE r.rngtypid OPERATOR(pg_catalog.>=) 16384";

const TYPE_FUNCTIONS: &str = "SELECT t.oid::pg_catalog.text, t.typinput::pg_catalog.oid::pg_catalog.text \
FROM pg_catalog.pg_type t \
WHERE t.oid OPERATOR(pg_catalog.>=) 16384 AND t.typinput::pg_catalog.oid OPERATOR(pg_catalog.>=) 16384 \
UNION ALL SELECT k.contypid::pg_catalog.text, d.refobjid::pg_catalog.text \
FROM pg_catalog.pg_constraint k \
JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) k.oid \
AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass \
AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass \
WHERE k.contypid OPERATOR(pg_catalog.>=) 16384 AND d.refobjid OPERATOR(pg_catalog.>=) 16384";

const EXTENSIONS: &str =
    "SELECT e.extname::pg_catalog.text, e.extversion FROM pg_catalog.pg_extension e";

const MEMBERS: &str = "SELECT d.classid::pg_catalog.regclass::pg_catalog.text, d.objid::pg_catalog.text, \
e.extname::pg_catalog.text \
FROM pg_catalog.pg_depend d \
JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid \
WHERE d.deptype::pg_catalog.text OPERATOR(pg_catalog.=) 'e' \
AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass \
AND (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
OR d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass)";

const OWN_CODE: &str = "SELECT 'trigger', pg_catalog.concat(n.nspname, '.', c.relname), t.tgname::pg_catalog.text, \
t.tgfoid::pg_catalog.text \
FROM pg_catalog.pg_trigger t \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
WHERE NOT t.tgisinternal AND {of_session} \
UNION ALL SELECT 'rule', pg_catalog.concat(n.nspname, '.', c.relname), r.rulename::pg_catalog.text, NULL \
FROM pg_catalog.pg_rewrite r \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) r.ev_class \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
WHERE r.oid OPERATOR(pg_catalog.>=) 16384 AND r.ev_type::pg_catalog.text OPERATOR(pg_catalog.<>) '1' AND {of_session} \
UNION ALL SELECT 'policy', pg_catalog.concat(n.nspname, '.', c.relname), p.polname::pg_catalog.text, NULL \
FROM pg_catalog.pg_policy p \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.polrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE {of_session} \
UNION ALL SELECT 'default', pg_catalog.concat(n.nspname, '.', c.relname), b.attname::pg_catalog.text, \
d.refobjid::pg_catalog.text \
FROM pg_catalog.pg_attrdef a \
JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.adrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
JOIN pg_catalog.pg_attribute b ON b.attrelid OPERATOR(pg_catalog.=) a.adrelid \
AND b.attnum OPERATOR(pg_catalog.=) a.adnum \
JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) a.oid \
AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass \
WHERE d.refobjid OPERATOR(pg_catalog.>=) 16384 AND {of_session} \
UNION ALL SELECT 'event trigger', '', v.evtname::pg_catalog.text, v.evtfoid::pg_catalog.text \
FROM pg_catalog.pg_event_trigger v";

/// Sums of hashes of where each row stands and who wrote it: a row that is added, removed or changed changes a sum.
fn fingerprint() -> String {
    let sum = |row: &str, from: &str| {
        format!(
            "(SELECT pg_catalog.concat(pg_catalog.count(*), '/', pg_catalog.sum(pg_catalog.hashtextextended(\
             pg_catalog.concat_ws(',', {row}), 0::pg_catalog.int8))) FROM {from})"
        )
    };
    let mine = "(c.relpersistence::pg_catalog.text OPERATOR(pg_catalog.<>) 't' \
                OR c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())";
    let by_oid = |table: &str| {
        sum(
            "x.oid, x.xmin, x.ctid",
            &format!("pg_catalog.{table} x WHERE x.oid OPERATOR(pg_catalog.>=) 16384"),
        )
    };
    let on_class = |table: &str, key: &str| {
        sum(
            &format!("x.{key}, x.xmin, x.ctid"),
            &format!(
                "pg_catalog.{table} x JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) x.{key} \
                 WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND {mine}"
            ),
        )
    };
    let sums = [
        sum(
            "c.oid, c.xmin, c.ctid, c.reltuples",
            &format!("pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND {mine}"),
        ),
        sum(
            "n.oid, n.nspname, n.xmin",
            &of_session("pg_catalog.pg_namespace n WHERE {of_session}"),
        ),
        on_class("pg_attribute", "attrelid"),
        on_class("pg_index", "indrelid"),
        on_class("pg_inherits", "inhrelid"),
        on_class("pg_rewrite", "ev_class"),
        on_class("pg_trigger", "tgrelid"),
        on_class("pg_policy", "polrelid"),
        on_class("pg_attrdef", "adrelid"),
        by_oid("pg_proc"),
        by_oid("pg_operator"),
        by_oid("pg_cast"),
        by_oid("pg_constraint"),
        by_oid("pg_event_trigger"),
        sum("x.oid, x.xmin, x.ctid", "pg_catalog.pg_extension x"),
        sum("x.subdbid, x.subname", "pg_catalog.pg_subscription x"),
        sum(
            "x.oid, x.xmin, x.ctid",
            &format!(
                "pg_catalog.pg_type x LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) x.typrelid \
                 WHERE x.oid OPERATOR(pg_catalog.>=) 16384 AND (c.oid IS NULL OR {mine})"
            ),
        ),
        sum(
            "x.objid, x.refobjid, x.xmin, x.ctid",
            "pg_catalog.pg_depend x WHERE x.deptype::pg_catalog.text OPERATOR(pg_catalog.=) 'e'",
        ),
    ];
    format!("SELECT pg_catalog.concat_ws(' ', {})", sums.join(", "))
}
