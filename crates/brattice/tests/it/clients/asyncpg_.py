import asyncio
import os
import asyncpg

def told(what, value):
    print(what, repr(value))

async def main():
    c = await asyncpg.connect(ssl=False)
    told("version", c.get_server_version())
    told("rows", [tuple(r) for r in await c.fetch("SELECT id, item, total, placed_at FROM orders ORDER BY id")])
    told("types", tuple(await c.fetchrow("SELECT $1::int, $2::text, $3::int[], $4::numeric, $5::bool", 1, "it's", [1, 2, None], 1.5, True)))
    told("array", await c.fetchval("SELECT array_agg(id ORDER BY id) FROM notes"))
    told("jsonb", await c.fetchval("SELECT extra FROM orders WHERE id = 1"))
    told("record", await c.fetchval("SELECT ROW(1, 'a'::text)"))
    told("range", await c.fetchval("SELECT int4range(1, 5)"))
    # A composite type and a view's row make it look the types up in the catalogue.
    told("composite", tuple(await c.fetchval("SELECT n FROM notes n WHERE id = 1")))
    told("of composites", [tuple(x) for x in await c.fetchval("SELECT array_agg(n ORDER BY id) FROM notes n")])
    s = await c.prepare("SELECT id, text FROM notes WHERE id = $1")
    told("parameters", [t.name for t in s.get_parameters()])
    told("attributes", [(a.name, a.type.name) for a in s.get_attributes()])
    told("prepared", [tuple(r) for n in (1, 2, 9) for r in await s.fetch(n)])
    async with c.transaction():
        told("cursor", [r[0] async for r in c.cursor("SELECT n FROM generate_series(1, 100) n", prefetch=7)][-1])
        try:
            async with c.transaction():
                await c.fetch("SELECT 1/0")
        except asyncpg.DivisionByZeroError as e:
            told("error", e.sqlstate)
        told("after", await c.fetchval("SELECT count(*) FROM notes"))
    import io
    out = io.BytesIO()
    told("copied", await c.copy_from_query("SELECT id, text FROM notes ORDER BY id", output=out))
    told("copy", out.getvalue())
    out = io.BytesIO()
    told("copied", await c.copy_from_table("notes", output=out, format="csv"))
    try:
        await c.fetch("SELECT count(*) FROM generate_series(1, 2000000000)", timeout=0.3)
    except asyncio.TimeoutError:
        told("timeout", await c.fetchval("SELECT 'goes on'"))
    told("reset", await c.reset())
    await c.close()
    pool = await asyncpg.create_pool(ssl=False, min_size=2, max_size=4)
    told("pool", sorted(await asyncio.gather(*(pool.fetchval("SELECT $1::int", n) for n in range(12)))))
    await pool.close()

asyncio.run(main())
