#!/bin/sh
# Writes names-MAJOR.txt from a running server: inventory.sh CONNECTION-STRING
set -eu
server=${1:?a connection string, e.g. "host=localhost user=postgres dbname=postgres"}
here=$(cd "$(dirname "$0")" && pwd)
major=$(psql -X -A -t -c "SELECT current_setting('server_version_num')::int / 10000" "$server")
psql -X -A -t "$server" > "$here/names-$major.txt" -c "
    SELECT name FROM (
        SELECT DISTINCT CASE n.nspname WHEN 'pg_catalog' THEN '' ELSE n.nspname || '.' END || p.proname AS name
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE n.nspname IN ('pg_catalog', 'information_schema') AND p.oid < 16384
    ) AS names ORDER BY name COLLATE \"C\""
wc -l "$here/names-$major.txt"
