-- The database that the corpus speaks of. `world.json` is its catalogue, as PostgreSQL 15 shows it.
CREATE EXTENSION pgcrypto;
CREATE EXTENSION citext;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION tablefunc;
CREATE EXTENSION intarray WITH SCHEMA pg_catalog;
CREATE SCHEMA app;
CREATE SCHEMA evil;
CREATE SCHEMA odd;

CREATE TABLE public.customers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email text UNIQUE,
    ssn text,
    card text,
    active boolean DEFAULT true,
    created_at timestamptz DEFAULT now()
);
INSERT INTO public.customers (id, name) SELECT i, 'n' || i FROM generate_series(1, 500) i;
CREATE TABLE public.orders (
    id serial PRIMARY KEY,
    customer_id integer REFERENCES public.customers (id) ON DELETE CASCADE,
    total numeric,
    status text,
    tag citext
);
CREATE TABLE public.order_lines (
    order_id integer REFERENCES public.orders (id),
    line integer,
    sku text,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE public.log (at timestamptz, message text);
CREATE TABLE public.ruled (id integer, note text);
CREATE RULE ruled_delete AS ON INSERT TO public.ruled DO ALSO DELETE FROM public.customers;
CREATE INDEX orders_status ON public.orders (status);

CREATE TABLE public.events (id bigint, at date, body jsonb) PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.animals (id integer, name text);
CREATE TABLE public.dogs (breed text) INHERITS (public.animals);

CREATE VIEW public.customer_names AS SELECT id, name FROM public.customers;
CREATE VIEW public.customer_ssns AS SELECT c.* FROM public.customers c WHERE c IS NOT NULL;
CREATE VIEW public.names_again AS SELECT name FROM public.customer_names;
CREATE VIEW public.server_settings AS SELECT name, setting FROM pg_settings;
CREATE MATERIALIZED VIEW public.totals AS SELECT customer_id, sum(total) AS total FROM public.orders GROUP BY 1;
CREATE SEQUENCE public.ticket;

CREATE TYPE app.mood AS ENUM ('sad', 'happy');
CREATE TYPE app.pair AS (a integer, b text);
CREATE FUNCTION app.is_even(integer) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN DELETE FROM public.customers; RETURN $1 % 2 = 0; END $$;
CREATE DOMAIN app.even AS integer CHECK (app.is_even(VALUE));
CREATE DOMAIN app.short AS text CHECK (length(VALUE) < 10);
CREATE TABLE app.people (id integer, mood app.mood, pair app.pair, n app.even);
CREATE TABLE app.customers (id integer, secret text);

CREATE FUNCTION public.refund(uuid, numeric) RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS
    $$ BEGIN DELETE FROM public.customers; END $$;
CREATE FUNCTION public.slugify(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS
    $$ BEGIN DELETE FROM public.customers; RETURN lower($1); END $$;
CREATE FUNCTION public.slugify(text, integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left($1, $2) $$;
CREATE FUNCTION public.purge(public.customers) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN DELETE FROM public.customers; RETURN 1; END $$;
-- Called like columns that views, joins and tables do not have.
CREATE FUNCTION public.xmin(public.customer_names) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN DELETE FROM public.customers; RETURN 1; END $$;
CREATE FUNCTION public.ctid(record) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN DELETE FROM public.customers; RETURN 1; END $$;
CREATE FUNCTION public.oid(public.customers) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN DELETE FROM public.customers; RETURN 1; END $$;
CREATE FUNCTION public."extract"(record) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN DELETE FROM public.customers; RETURN 1; END $$;
CREATE FUNCTION public.cleanup() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE PROCEDURE public.wipe(integer) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.customers; END $$;
CREATE TRIGGER customers_cleanup BEFORE INSERT ON public.customers FOR EACH ROW EXECUTE FUNCTION public.cleanup();
ALTER TABLE public.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON public.orders USING (true);

CREATE FUNCTION evil.lower(varchar) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
CREATE FUNCTION evil.eq(text, varchar) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = varchar, FUNCTION = evil.eq);
CREATE TABLE evil.customers (id integer, note text);
CREATE FUNCTION odd.before(app.pair, app.pair) RETURNS boolean LANGUAGE sql AS $$ SELECT true $$;
CREATE OPERATOR odd.< (LEFTARG = app.pair, RIGHTARG = app.pair, FUNCTION = odd.before);
CREATE FUNCTION odd.to_mood(text) RETURNS app.mood LANGUAGE sql AS $$ SELECT 'sad'::app.mood $$;
CREATE CAST (text AS app.mood) WITH FUNCTION odd.to_mood(text);
CREATE FUNCTION public.plus(integer, text) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$;
CREATE OPERATOR public.<+> (LEFTARG = integer, RIGHTARG = text, FUNCTION = public.plus);
ANALYZE;
