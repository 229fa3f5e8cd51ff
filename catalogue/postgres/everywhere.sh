#!/bin/sh
# Writes everywhere.txt, what every server brings along under the same name, from one running server of each version:
# everywhere.sh CONNECTION-STRING...
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
                AND relkind IN ('r', 'v') AND c.oid < 16384" | LC_ALL=C sort > "$work/one"
    if [ -e "$work/all" ]; then
        LC_ALL=C comm -12 "$work/all" "$work/one" > "$work/both"
        mv "$work/both" "$work/all"
    else
        mv "$work/one" "$work/all"
    fi
done
{
    echo '# Written by everywhere.sh: what PostgreSQL 13 to 18 all bring along under the same name.'
    # One line for each kind, and for each relation with its columns.
    awk '{ key = $1 == "column" ? $1 " " $2 : $1; name = $1 == "column" ? $3 : $2
           if (key != last) { if (last) print line; line = key; last = key }
           line = line " " name } END { print line }' "$work/all"
} > "$here/everywhere.txt"
wc "$here/everywhere.txt"
