-- What the measurements read and write, besides pgbench's own tables. Run as the role the gateway logs in with.

-- Results of the ordinary kind: numbers, text and times, nothing of a class.
CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer integer NOT NULL,
    item text NOT NULL,
    quantity integer NOT NULL,
    price numeric(10, 2) NOT NULL,
    placed_at timestamptz NOT NULL
);
INSERT INTO orders
SELECT n,
       n % 5000,
       'item ' || md5(n::text),
       n % 17,
       (n % 100000) / 100.0,
       timestamptz '2026-01-01 00:00:00+00' + n * interval '7 seconds'
FROM generate_series(1, 200000) AS n;

-- Results with something to mask: one column of a class, two without.
CREATE TABLE customers (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    joined_at timestamptz NOT NULL
);
INSERT INTO customers
SELECT n,
       'Customer ' || md5(n::text),
       'customer.' || n || '@example.com',
       timestamptz '2025-01-01 00:00:00+00' + n * interval '11 seconds'
FROM generate_series(1, 200000) AS n;

-- 190 MB as COPY writes it: 1,000,000 lines of 190 bytes or so.
CREATE TABLE events (id integer NOT NULL, origin text NOT NULL, message text NOT NULL);
INSERT INTO events
SELECT 1000000 + n,
       'origin-' || (n % 100),
       repeat(md5(n::text) || ' ', 5) || 'the end'
FROM generate_series(1, 1000000) AS n;

VACUUM (ANALYZE) orders;
VACUUM (ANALYZE) customers;
VACUUM (ANALYZE) events;
