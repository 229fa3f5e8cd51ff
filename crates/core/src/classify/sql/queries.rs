//! The reads of `pg_catalog` that make a picture of it.
//!
//! Lives here: their texts. Every name and operator is qualified, so that no search path and no object of the target
//! can change what they read. All columns are text; lists are JSON arrays. Never: a value in a text.

use super::catalogue::Major;

/// The texts for one version of the server.
#[derive(Debug, Clone, Copy)]
pub struct CatalogueQueries {
    /// The schemas that unqualified names are looked up in, in order.
    pub path: &'static str,
    /// One row that changes whenever a row that the picture is made of does.
    pub fingerprint: &'static str,
    catalogue: [&'static str; PARTS],
}

/// How many results make a picture.
pub(super) const PARTS: usize = 14;

impl CatalogueQueries {
    /// The texts whose results, in this order, make a picture.
    pub fn catalogue(&self) -> [&'static str; PARTS] {
        self.catalogue
    }
}

/// The texts for a server of this version: the same from 13 to 18.
pub fn queries(_major: Major) -> CatalogueQueries {
    CatalogueQueries {
        path: PATH,
        fingerprint: FINGERPRINT,
        catalogue: [
            RELATIONS,
            COLUMNS,
            INHERITS,
            VIEW_READS,
            UNIQUE_KEYS,
            REFERENCES,
            FUNCTIONS,
            OPERATORS,
            CASTS,
            TYPES,
            TYPE_FUNCTIONS,
            SCHEMAS,
            EXTENSIONS,
            OWN_CODE,
        ],
    }
}

const PATH: &str = "SELECT s::pg_catalog.text FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) \
WITH ORDINALITY AS t(s, n) ORDER BY n";

/// `xmin` is the transaction that wrote a row: any change of a row gives it another.
const FINGERPRINT: &str = "SELECT \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(c.oid, '/', c.xmin), 0))) \
 FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(a.attrelid, '/', a.attnum, '/', a.xmin), 0))) \
 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
 WHERE a.attrelid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_proc x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_namespace x WHERE NOT pg_catalog.pg_is_other_temp_schema(x.oid)), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_operator x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_cast x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) \
 FROM pg_catalog.pg_type x WHERE NOT pg_catalog.pg_is_other_temp_schema(x.typnamespace)), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_rewrite x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_constraint x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_trigger x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_policy x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.oid, '/', x.xmin), 0))) FROM pg_catalog.pg_extension x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.inhrelid, '/', x.inhparent, '/', x.xmin), 0))) FROM pg_catalog.pg_inherits x), \
(SELECT pg_catalog.concat(pg_catalog.count(*), ':', pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat(x.indexrelid, '/', x.xmin), 0))) FROM pg_catalog.pg_index x)";

/// oid, schema, name, kind, rules beside a view's own, rows, table of an index, extension.
const RELATIONS: &str = "SELECT c.oid::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, \
c.relkind::pg_catalog.text, \
CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite w WHERE w.ev_class OPERATOR(pg_catalog.=) c.oid \
 AND w.ev_type OPERATOR(pg_catalog.<>) '1'::pg_catalog.\"char\") THEN 't' ELSE 'f' END, \
CASE WHEN c.reltuples OPERATOR(pg_catalog.<) 0::pg_catalog.float4 OR c.relpages OPERATOR(pg_catalog.=) 0 AND c.reltuples OPERATOR(pg_catalog.=) 0::pg_catalog.float4 \
 THEN NULL ELSE c.reltuples::pg_catalog.int8::pg_catalog.text END, \
i.indrelid::pg_catalog.text, \
(SELECT e.extname::pg_catalog.text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid \
 WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) c.oid \
 AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid \
 AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\" LIMIT 1) \
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
LEFT JOIN pg_catalog.pg_index i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid \
WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S,i,I}'::pg_catalog.\"char\"[]) \
AND n.nspname OPERATOR(pg_catalog.<>) 'pg_toast'::pg_catalog.name AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace)";

/// relation, number, name, type, type modifier.
const COLUMNS: &str = "SELECT a.attrelid::pg_catalog.text, a.attnum::pg_catalog.text, a.attname::pg_catalog.text, \
a.atttypid::pg_catalog.text, a.atttypmod::pg_catalog.text \
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
WHERE a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped \
AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S}'::pg_catalog.\"char\"[]) \
AND NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace) ORDER BY a.attrelid, a.attnum";

/// child, parent.
const INHERITS: &str = "SELECT i.inhrelid::pg_catalog.text, i.inhparent::pg_catalog.text FROM pg_catalog.pg_inherits i";

/// view, relation read, column read (0: the whole row or its existence).
const VIEW_READS: &str = "SELECT DISTINCT w.ev_class::pg_catalog.text, d.refobjid::pg_catalog.text, d.refobjsubid::pg_catalog.text \
FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d \
ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) w.oid \
WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid \
AND d.refobjid OPERATOR(pg_catalog.<>) w.ev_class AND w.ev_type OPERATOR(pg_catalog.=) '1'::pg_catalog.\"char\" \
AND w.ev_class OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid";

/// relation, its key's columns.
const UNIQUE_KEYS: &str = "SELECT i.indrelid::pg_catalog.text, \
(SELECT pg_catalog.json_agg(a.attname)::pg_catalog.text FROM pg_catalog.pg_attribute a \
 WHERE a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::pg_catalog.int2[])) \
FROM pg_catalog.pg_index i WHERE i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
AND i.indnkeyatts OPERATOR(pg_catalog.=) i.indnatts AND i.indrelid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid";

/// relation, a relation whose foreign key points to it.
const REFERENCES: &str = "SELECT DISTINCT k.confrelid::pg_catalog.text, k.conrelid::pg_catalog.text FROM pg_catalog.pg_constraint k \
WHERE k.contype OPERATOR(pg_catalog.=) 'f'::pg_catalog.\"char\"";

/// What a function is told by: oid, schema, name, argument types, volatility, security definer, argument OIDs, extension.
macro_rules! function_columns {
    () => {
        "p.oid::pg_catalog.text, pn.nspname::pg_catalog.text, p.proname::pg_catalog.text, \
pg_catalog.oidvectortypes(p.proargtypes), p.provolatile::pg_catalog.text, \
CASE WHEN p.prosecdef THEN 't' ELSE 'f' END, pg_catalog.array_to_json(p.proargtypes::pg_catalog.oid[])::pg_catalog.text, \
(SELECT pg_catalog.concat(e.extname, '@', e.extversion) FROM pg_catalog.pg_depend d \
 JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid \
 WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid AND d.objid OPERATOR(pg_catalog.=) p.oid \
 AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass::pg_catalog.oid \
 AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\" LIMIT 1)"
    };
}

const FUNCTIONS: &str = concat!(
    "SELECT ",
    function_columns!(),
    " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace pn ON pn.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid OR pn.nspname OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.name"
);

/// schema, name, left, right, then its function.
const OPERATORS: &str = concat!(
    "SELECT n.nspname::pg_catalog.text, o.oprname::pg_catalog.text, o.oprleft::pg_catalog.text, o.oprright::pg_catalog.text, ",
    function_columns!(),
    " FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace \
LEFT JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) o.oprcode::pg_catalog.oid \
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE o.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid"
);

/// source, target, context, then its function, if any.
const CASTS: &str = concat!(
    "SELECT k.castsource::pg_catalog.text, k.casttarget::pg_catalog.text, k.castcontext::pg_catalog.text, ",
    function_columns!(),
    " FROM pg_catalog.pg_cast k LEFT JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) k.castfunc \
LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE k.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid"
);

/// oid, schema, name, as spelled, parts, preferred string.
const TYPES: &str = "SELECT t.oid::pg_catalog.text, n.nspname::pg_catalog.text, t.typname::pg_catalog.text, \
pg_catalog.format_type(t.oid, NULL), \
pg_catalog.array_to_json(pg_catalog.array_remove(ARRAY[t.typelem, t.typbasetype, \
 (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid OPERATOR(pg_catalog.=) t.oid)]::pg_catalog.oid[] OPERATOR(pg_catalog.||) \
 COALESCE((SELECT pg_catalog.array_agg(a.atttypid) FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid \
  AND t.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid AND a.attnum OPERATOR(pg_catalog.>) 0::pg_catalog.int2 AND NOT a.attisdropped), '{}'::pg_catalog.oid[]), \
 '0'::pg_catalog.oid))::pg_catalog.text, \
CASE WHEN t.typcategory OPERATOR(pg_catalog.=) 'S'::pg_catalog.\"char\" AND t.typispreferred THEN 't' ELSE 'f' END \
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
WHERE NOT pg_catalog.pg_is_other_temp_schema(t.typnamespace)";

/// type, then a function outside `pg_catalog` that making a value of it calls.
const TYPE_FUNCTIONS: &str = concat!(
    "SELECT u.t::pg_catalog.text, ",
    function_columns!(),
    " FROM (SELECT t.oid AS t, t.typinput::pg_catalog.oid AS f FROM pg_catalog.pg_type t \
UNION SELECT t.oid, t.typreceive::pg_catalog.oid FROM pg_catalog.pg_type t \
UNION SELECT t.oid, t.typmodin::pg_catalog.oid FROM pg_catalog.pg_type t \
UNION SELECT k.contypid, d.refobjid FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) k.oid \
 WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid \
 AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid \
 AND k.contypid OPERATOR(pg_catalog.<>) '0'::pg_catalog.oid) AS u(t, f) \
JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) u.f \
JOIN pg_catalog.pg_namespace pn ON pn.oid OPERATOR(pg_catalog.=) p.pronamespace \
WHERE p.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid"
);

const SCHEMAS: &str = "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_namespace n WHERE NOT pg_catalog.pg_is_other_temp_schema(n.oid)";

/// name, version; and one row without a name that carries the server's encoding.
const EXTENSIONS: &str = "SELECT e.extname::pg_catalog.text, e.extversion FROM pg_catalog.pg_extension e \
UNION ALL SELECT NULL, pg_catalog.current_setting('server_encoding')";

/// kind, relation, name, function.
const OWN_CODE: &str = "SELECT 'trigger', pg_catalog.concat(n.nspname, '.', c.relname), g.tgname::pg_catalog.text, g.tgfoid::pg_catalog.regproc::pg_catalog.text \
FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) g.tgrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE NOT g.tgisinternal \
UNION ALL SELECT 'rule', pg_catalog.concat(n.nspname, '.', c.relname), w.rulename::pg_catalog.text, NULL \
FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) w.ev_class \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
WHERE w.ev_type OPERATOR(pg_catalog.<>) '1'::pg_catalog.\"char\" AND w.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid \
UNION ALL SELECT 'policy', pg_catalog.concat(n.nspname, '.', c.relname), y.polname::pg_catalog.text, NULL \
FROM pg_catalog.pg_policy y JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) y.polrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
UNION ALL SELECT 'default', pg_catalog.concat(n.nspname, '.', c.relname), a.attname::pg_catalog.text, NULL \
FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) f.adrelid \
JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) f.adrelid AND a.attnum OPERATOR(pg_catalog.=) f.adnum \
WHERE NOT pg_catalog.pg_is_other_temp_schema(c.relnamespace) \
UNION ALL SELECT 'event trigger', '', v.evtname::pg_catalog.text, v.evtfoid::pg_catalog.regproc::pg_catalog.text FROM pg_catalog.pg_event_trigger v";
