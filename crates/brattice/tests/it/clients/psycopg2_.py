import psycopg2
import psycopg2.extras

def told(what, value):
    print(what, repr(value))

c = psycopg2.connect("")
told("version", c.server_version)
cur = c.cursor(cursor_factory=psycopg2.extras.DictCursor)
cur.execute("SELECT id, item, total, placed_at FROM orders ORDER BY id")
told("rows", [tuple(r) for r in cur.fetchall()])
cur.execute("SELECT %s, %s, %s", (1, "it's", [1, 2]))
told("types", tuple(cur.fetchone()))
c.commit()
named = c.cursor("named")
named.execute("SELECT n FROM generate_series(1, 5000) n")
told("named", sum(r[0] for r in named))
c.rollback()
import io
out = io.StringIO()
cur.copy_expert("COPY notes TO STDOUT WITH CSV", out)
told("copy", out.getvalue())
try:
    cur.execute("SELECT 1/0")
except psycopg2.Error as e:
    told("error", (e.pgcode, str(e)))
c.rollback()
c.set_session(readonly=True, autocommit=True)
cur.execute("SHOW transaction_read_only")
told("readonly", cur.fetchone()[0])
c.set_isolation_level(psycopg2.extensions.ISOLATION_LEVEL_SERIALIZABLE)
cur.execute("SELECT count(*) FROM notes")
told("serializable", cur.fetchone()[0])
c.close()
