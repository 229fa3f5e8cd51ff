-- The shop that the cases play on, made anew each time. Run as the role that the gateway uses.
-- Numbers of cards and of social security are those published for tests or never issued.

DROP SCHEMA IF EXISTS evil CASCADE;
DROP SCHEMA IF EXISTS public CASCADE;
CREATE SCHEMA public;
GRANT USAGE ON SCHEMA public TO PUBLIC;

CREATE TABLE customers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    ssn text NOT NULL UNIQUE,
    card bigint NOT NULL,
    city text NOT NULL
);
INSERT INTO customers VALUES
    (1, 'Ada Okafor', 'ada.okafor@example.com', '219-09-9991', 4111111111111111, 'Lagos'),
    (2, 'Bruno Silva', 'bruno@example.org', '219-09-9992', 5555555555554444, 'Porto'),
    (3, 'Chen Wei', 'wei.chen@example.net', '219-09-9993', 4012888888881881, 'Wuhan');

CREATE TABLE orders (
    id integer PRIMARY KEY,
    customer_id integer NOT NULL REFERENCES customers,
    item text NOT NULL,
    total numeric(10, 2) NOT NULL,
    status text NOT NULL DEFAULT 'new',
    placed_at timestamptz NOT NULL DEFAULT timestamptz '2026-01-01 12:00:00+00',
    extra jsonb NOT NULL DEFAULT '{}'
);
INSERT INTO orders (id, customer_id, item, total, status) VALUES
    (1, 1, 'lamp', 49.00, 'shipped'),
    (2, 2, 'desk', 310.50, 'paid'),
    (3, 3, 'chair', 120.00, 'paid'),
    (4, 1, 'shelf', 89.90, 'new');

-- Nothing of a class, to be written to.
CREATE TABLE notes (id integer PRIMARY KEY, text text NOT NULL);
INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three');

CREATE VIEW customer_names AS SELECT id, name, city FROM customers;
