-- What attacks need to find on the server, beside the shop. Run as the role that the gateway uses.

DROP ROLE IF EXISTS made_by_attack;
CREATE FUNCTION wipe() RETURNS integer LANGUAGE plpgsql AS
    $$BEGIN DELETE FROM public.notes; RETURN 1; END$$;
CREATE FUNCTION wipe_immutable(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS
    $$BEGIN PERFORM public.wipe(); RETURN 1; END$$;
CREATE FUNCTION wipe_stable() RETURNS SETOF integer LANGUAGE sql AS 'SELECT public.wipe()';
CREATE FUNCTION wipe_pair(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT public.wipe() = 1';
CREATE OPERATOR === (FUNCTION = wipe_pair, LEFTARG = integer, RIGHTARG = integer);
CREATE FUNCTION wipe_state(integer, integer) RETURNS integer LANGUAGE sql AS 'SELECT public.wipe()';
CREATE AGGREGATE wipe_all(integer) (SFUNC = wipe_state, STYPE = integer, INITCOND = '0');
CREATE PROCEDURE wipe_procedure() LANGUAGE plpgsql AS $$BEGIN DELETE FROM public.notes; END$$;
CREATE FUNCTION note_of(notes) RETURNS integer LANGUAGE sql AS 'SELECT public.wipe()';
CREATE DOMAIN wiping AS integer CHECK (wipe_immutable(VALUE) = 1);
CREATE VIEW notes_view AS SELECT id, text FROM notes;
CREATE RULE wiped_by_rule AS ON INSERT TO notes_view DO INSTEAD DELETE FROM notes;
CREATE SCHEMA evil;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS 'SELECT public.wipe()::text';
CREATE VIEW evil.notes AS SELECT 1 AS id, wipe()::text AS text;
CREATE SEQUENCE counter;
