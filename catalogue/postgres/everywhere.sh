#!/bin/sh
# Writes everywhere.txt, what every server brings along under the same name, from one running server of each version:
# everywhere.sh CONNECTION-STRING...
#
#   operator, type, function   names
#   table                      relations that are no view
#   column RELATION            its columns
#   call FUNCTION              how many arguments it takes; `2+` is two and more
#   named FUNCTION             what its arguments are called
#   whole                      functions that take values of every type, rows too
#   value                      functions that yield values of a type that is no row
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
for server in "${@:?a connection string for each version}"; do
    psql -X -A -t -F ' ' "$server" -c "
        SELECT DISTINCT 'operator', oprname::text FROM pg_operator WHERE oid < 16384
        UNION SELECT DISTINCT 'type', typname::text FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
            WHERE n.nspname = 'pg_catalog' AND typtype IN ('b', 'r') AND typcategory <> 'A' AND t.oid < 16384
        UNION SELECT DISTINCT 'function', proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'pg_catalog' AND p.oid < 16384
        UNION SELECT 'column', CASE n.nspname WHEN 'pg_catalog' THEN '' ELSE n.nspname || '.' END || relname || ' ' || attname
            FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace
            WHERE n.nspname IN ('pg_catalog', 'information_schema') AND attnum > 0 AND NOT attisdropped
                AND relkind IN ('r', 'v') AND c.oid < 16384
        UNION SELECT 'table', CASE n.nspname WHEN 'pg_catalog' THEN '' ELSE n.nspname || '.' END || relname
            FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
            WHERE n.nspname IN ('pg_catalog', 'information_schema') AND relkind = 'r' AND c.oid < 16384
        UNION SELECT 'call', proname || ' ' || taken
            FROM pg_proc p, generate_series(pronargs::int - pronargdefaults, pronargs) AS taken
            WHERE pronamespace = 'pg_catalog'::regnamespace AND provariadic = 0 AND p.oid < 16384
        UNION SELECT 'call', proname || ' ' || (pronargs - pronargdefaults) || '+' FROM pg_proc p
            WHERE pronamespace = 'pg_catalog'::regnamespace AND provariadic <> 0 AND p.oid < 16384
        UNION SELECT 'named', proname || ' ' || argument
            FROM pg_proc p, unnest(proargnames, proargmodes) AS arguments (argument, mode)
            WHERE pronamespace = 'pg_catalog'::regnamespace AND argument <> '' AND coalesce(mode, 'i') IN ('i', 'b', 'v')
                AND p.oid < 16384
        UNION SELECT 'whole', proname::text FROM pg_proc p
            WHERE pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 AND proargtypes::oid[] && ARRAY(
                SELECT oid FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typname IN
                ('any', 'anyelement', 'anynonarray', 'anycompatible', 'anycompatiblenonarray', 'record'))
        UNION SELECT 'value', proname::text FROM pg_proc p JOIN pg_type t ON t.oid = prorettype
            WHERE pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384
            GROUP BY proname HAVING bool_and(typtype IN ('b', 'e', 'r') AND proargmodes IS NULL)" > "$work/read"
    LC_ALL=C sort "$work/read" > "$work/one"
    if [ -e "$work/all" ]; then
        LC_ALL=C comm -12 "$work/all" "$work/one" > "$work/both"
        mv "$work/both" "$work/all"
    else
        mv "$work/one" "$work/all"
    fi
done
{
    echo '# Written by everywhere.sh: what PostgreSQL 13 to 18 all bring along under the same name.'
    # One line for each kind, and for each relation and function of which more is said.
    awk '{ key = NF == 3 ? $1 " " $2 : $1; name = $NF
           if (key != last) { if (last) print line; line = key; last = key }
           line = line " " name } END { print line }' "$work/all"
} > "$here/everywhere.txt"
wc "$here/everywhere.txt"
