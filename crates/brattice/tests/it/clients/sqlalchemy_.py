from sqlalchemy import MetaData, Table, create_engine, func, inspect, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

def told(what, value):
    print(what, repr(value))

for driver in ("psycopg", "psycopg2"):
    engine = create_engine(f"postgresql+{driver}://", future=True)
    with engine.connect() as c:
        told("version", engine.dialect.server_version_info)
        told("schema", engine.dialect.default_schema_name)
        told("isolation", c.get_isolation_level())
        told("rows", [tuple(r) for r in c.execute(text("SELECT id, item FROM orders ORDER BY id"))])
    i = inspect(engine)
    told("schemas", i.get_schema_names())
    told("tables", sorted(i.get_table_names()))
    told("views", i.get_view_names())
    told("definition", i.get_view_definition("customer_names"))
    for table in ("customers", "orders", "notes"):
        told("columns", [(k["name"], str(k["type"]), k["nullable"], k["default"]) for k in i.get_columns(table)])
        told("key", i.get_pk_constraint(table)["constrained_columns"])
        told("foreign keys", [(k["constrained_columns"], k["referred_table"]) for k in i.get_foreign_keys(table)])
        told("indexes", i.get_indexes(table))
        told("unique", i.get_unique_constraints(table))
        told("checks", i.get_check_constraints(table))
        told("comment", i.get_table_comment(table))
    told("enums", i.get_enums())
    told("sequences", i.get_sequence_names())
    told("has", (i.has_table("notes"), i.has_table("nowhere")))
    meta = MetaData()
    meta.reflect(engine)
    told("reflected", sorted(meta.tables))
    orders = Table("orders", meta, autoload_with=engine)
    with engine.begin() as c:
        told("select", [tuple(r) for r in c.execute(select(orders.c.status, func.count()).group_by(orders.c.status).order_by(orders.c.status))])
        told("in", c.execute(select(orders.c.id).where(orders.c.id.in_([1, 2, 3])).order_by(orders.c.id.desc()).limit(2)).scalars().all())
        with c.begin_nested():
            told("nested", c.execute(select(func.max(orders.c.total))).scalar())
        told("stream", sum(r[0] for r in c.execution_options(stream_results=True).execute(text("SELECT n FROM generate_series(1, 3000) n"))))
    engine.dispose()

class Base(DeclarativeBase):
    pass

class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]

engine = create_engine("postgresql+psycopg://", pool_pre_ping=True)
with Session(engine) as s:
    told("orm", [(n.id, n.text) for n in s.scalars(select(Note).order_by(Note.id))])
    told("get", s.get(Note, 2).text)
    told("missing", s.get(Note, 99))
