-- The schema of the small application: the shape of the real one's core (spots with their many
-- indexes, customers, agencies, budgets), not its size.
PRAGMA journal_mode = WAL;
CREATE TABLE agencies (
	agency_id INTEGER PRIMARY KEY AUTOINCREMENT,
	agency_name TEXT NOT NULL UNIQUE,
	is_active BOOLEAN DEFAULT 1
);
CREATE TABLE customers (
	customer_id INTEGER PRIMARY KEY AUTOINCREMENT,
	normalized_name TEXT NOT NULL UNIQUE,
	agency_id INTEGER REFERENCES agencies (agency_id),
	created_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_customers_agency ON customers (agency_id);
CREATE TABLE spots (
	spot_id INTEGER PRIMARY KEY AUTOINCREMENT,
	customer_id INTEGER NOT NULL REFERENCES customers (customer_id),
	broadcast_month TEXT,
	air_date DATE,
	gross_rate DECIMAL (12, 2) CHECK (gross_rate IS NULL OR gross_rate >= 0),
	note TEXT,
	load_date TIMESTAMP DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_spots_customer ON spots (customer_id, broadcast_month);
CREATE INDEX idx_spots_month ON spots (broadcast_month);
CREATE INDEX idx_spots_air_date ON spots (air_date) WHERE air_date IS NOT NULL;
CREATE INDEX idx_spots_note ON spots (note);
CREATE TABLE budget (
	budget_id INTEGER PRIMARY KEY AUTOINCREMENT,
	ae_name TEXT NOT NULL,
	year INTEGER NOT NULL CHECK (year BETWEEN 2000 AND 2100),
	month INTEGER NOT NULL CHECK (month BETWEEN 1 AND 12),
	budget_amount DECIMAL (12, 2) NOT NULL,
	UNIQUE (ae_name, year, month)
);
CREATE VIEW monthly_revenue AS
	SELECT broadcast_month, sum(gross_rate) AS gross, count(*) AS spots FROM spots GROUP BY broadcast_month;
