CREATE TABLE customers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE
);
CREATE TABLE orders (
    id TEXT PRIMARY KEY,
    customer_id TEXT NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
    placed TEXT NOT NULL,
    status TEXT NOT NULL
);
CREATE TABLE items (
    order_id TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    cents INTEGER NOT NULL
);
CREATE TABLE refunds (
    order_id TEXT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    cents INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE outbox (
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    body TEXT NOT NULL
);

INSERT INTO customers VALUES
    ('C1', 'Anna Keller', 'anna.keller@example.com'),
    ('C2', 'Anna Lindqvist', 'anna.l@example.com'),
    ('C3', 'Bruno Costa', 'bruno@example.com'),
    ('C4', 'Chiara Romano', 'chiara.romano@example.com'),
    ('C5', 'David Okafor', 'd.okafor@example.com'),
    ('C6', 'Test Account', 'test@example.com');

INSERT INTO orders VALUES
    ('A101', 'C1', '2026-01-09', 'delivered'),
    ('A102', 'C1', '2026-02-20', 'shipped'),
    ('A103', 'C2', '2026-02-11', 'delivered'),
    ('A104', 'C3', '2026-02-14', 'delivered'),
    ('A105', 'C3', '2026-02-27', 'paid'),
    ('A106', 'C4', '2026-01-30', 'delivered'),
    ('A107', 'C5', '2026-02-02', 'delivered'),
    ('A108', 'C5', '2026-02-25', 'shipped');

INSERT INTO items VALUES
    ('A101', 'desk lamp', 1, 4900),
    ('A102', 'office chair', 1, 24900),
    ('A103', 'headphones', 1, 8900),
    ('A103', 'phone case', 2, 1500),
    ('A104', 'coffee grinder', 1, 6900),
    ('A104', 'paper filters', 3, 400),
    ('A105', 'kettle', 1, 3900),
    ('A106', 'wine glasses', 6, 800),
    ('A107', 'monitor', 1, 31900),
    ('A107', 'cable', 2, 900),
    ('A108', 'keyboard', 1, 7900);
