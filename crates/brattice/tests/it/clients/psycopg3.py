# Everything that psycopg 3 can do as a reader, told line by line.
import asyncio
import os
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

def told(what, value):
    print(what, repr(value))

with psycopg.connect(autocommit=True) as c:
    told("version", c.info.server_version)
    told("encoding", c.info.encoding)
    told("timezone", c.info.timezone.key)
    told("status", c.info.transaction_status.name)
    for binary in (False, True):
        with c.cursor(binary=binary, row_factory=dict_row) as cur:
            cur.execute("SELECT id, item, total, placed_at, extra, status FROM orders ORDER BY id")
            told("rows", cur.fetchall())
            cur.execute("SELECT %s::int + 1 AS n, %s::text AS t, %s::jsonb AS j, %s::int[] AS a, %s::timestamptz AS w, %s::numeric AS d, %b::bytea AS b",
                        (41, "it's", psycopg.types.json.Jsonb({"a": 1}), [1, 2, None], "2026-01-01T00:00:00Z", "1.50", b"\x00\x01"))
            told("types", cur.fetchone())
            told("description", [(d.name, d.type_code) for d in cur.description])
            cur.execute("SELECT 1; SELECT 2") if not binary else None
    # Prepared by hand and by threshold.
    for n in range(8):
        told("prepared", c.execute("SELECT id FROM notes WHERE id = %s", (n,), prepare=n > 2).fetchall())
    told("statements", c.execute("SELECT count(*) FROM pg_prepared_statements").fetchone())
    with c.cursor() as cur:
        cur.executemany("SELECT %s::int", [(1,), (2,)], returning=True)
        told("many", cur.fetchall())
    with c.cursor().copy("COPY (SELECT id, text FROM notes ORDER BY id) TO STDOUT") as copy:
        told("copy", [bytes(row) for row in copy])
    with c.cursor().copy("COPY (SELECT id, text FROM notes ORDER BY id) TO STDOUT (FORMAT binary)") as copy:
        copy.set_types(["int4", "text"])
        told("binary copy", list(copy.rows()))
    try:
        c.execute("SELECT * FROM nowhere")
    except psycopg.errors.UndefinedTable as e:
        told("error", e.sqlstate)
    try:
        c.execute("SELECT 1/0")
    except psycopg.errors.DivisionByZero as e:
        told("error", (e.sqlstate, str(e)))

with psycopg.connect() as c:
    with c.transaction():
        c.execute("SELECT 1")
        try:
            with c.transaction():
                c.execute("SELECT 1/0")
        except psycopg.errors.DivisionByZero:
            told("nested", c.info.transaction_status.name)
        told("after", c.execute("SELECT count(*) FROM notes").fetchone())
    with c.cursor("named") as cur:
        cur.itersize = 3
        cur.execute("SELECT n FROM generate_series(1, 10) n")
        told("server cursor", [r[0] for r in cur])
    with c.cursor("scrolling", scrollable=True, binary=True) as cur:
        cur.execute("SELECT id FROM notes ORDER BY id")
        cur.fetchall()
        cur.scroll(0, mode="absolute")
        told("scrolled", cur.fetchone())
    c.rollback()

with psycopg.connect(autocommit=True) as c, c.pipeline() as p:
    cursors = [c.execute("SELECT %s::int * 2", (n,)) for n in range(20)]
    p.sync()
    told("pipeline", [cur.fetchone()[0] for cur in cursors])
try:
    with psycopg.connect(autocommit=True) as c, c.pipeline() as p:
        a = c.execute("SELECT 1")
        b = c.execute("SELECT 1/0")
        d = c.execute("SELECT 2")
        p.sync()
        b.fetchone()
except psycopg.errors.DivisionByZero as e:
    told("failed pipeline", e.sqlstate)

with psycopg.connect(autocommit=True) as c:
    c.execute("SET statement_timeout = 100")
    try:
        c.execute("SELECT count(*) FROM generate_series(1, 2000000000)")
    except psycopg.errors.QueryCanceled as e:
        told("timeout", e.sqlstate)
    c.execute("RESET statement_timeout")
    told("client cursor", psycopg.ClientCursor(c).execute("SELECT %s, %s", ("it's", 5)).fetchone())
    told("composed", c.execute(sql.SQL("SELECT {} FROM {} ORDER BY 1").format(sql.Identifier("id"), sql.Identifier("notes"))).fetchall())
    told("big", len(c.execute("SELECT repeat('é', 1000000)").fetchone()[0]))

async def asynchronous():
    async with await psycopg.AsyncConnection.connect(autocommit=True) as c:
        async with c.cursor() as cur:
            await cur.execute("SELECT id FROM notes ORDER BY id")
            told("async", await cur.fetchall())
        task = asyncio.create_task(c.execute("SELECT count(*) FROM generate_series(1, 2000000000)"))
        await asyncio.sleep(0.3)
        await c.cancel_safe()
        try:
            await task
        except psycopg.errors.QueryCanceled as e:
            told("cancelled", e.sqlstate)

asyncio.run(asynchronous())
