-- Ways in which data of a class could leave in another shape. Run as the role that the gateway uses.

CREATE VIEW customers_view AS SELECT id, ssn AS number FROM customers;
CREATE VIEW customers_reversed AS SELECT id, reverse(ssn) AS number FROM customers;
CREATE FUNCTION tells(integer) RETURNS text LANGUAGE sql STABLE AS
    'SELECT reverse(ssn) FROM public.customers WHERE id = $1';
CREATE FUNCTION tells_on_update() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN RAISE NOTICE 'was %', reverse(OLD.ssn); RETURN NEW; END$$;
CREATE TRIGGER told AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION tells_on_update();
CREATE TABLE loud (id integer PRIMARY KEY, customer_id integer);
CREATE TABLE archive (LIKE customers);
CREATE TABLE older (old_since date) INHERITS (customers);
INSERT INTO older VALUES (9, 'Old Timer', 'old@example.com', '219-09-9999', 4000000000000002, 'Rome', '2001-01-01');
ANALYZE customers;
