-- a table like the application's, with its kind of indexes; :rows rows (1,000,000 are about 600 MB)
PRAGMA page_size = 4096;
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
PRAGMA cache_size = -400000;
CREATE TABLE spots (
	spot_id INTEGER PRIMARY KEY, bill_code TEXT NOT NULL, air_date TEXT NOT NULL, end_date TEXT, day_of_week TEXT,
	time_in TEXT, time_out TEXT, length_seconds TEXT, media TEXT, program TEXT, language_code TEXT, format TEXT,
	sequence_number INTEGER, line_number INTEGER,
	spot_type TEXT CHECK (spot_type IN ('AV', 'BB', 'BNS', 'COM', 'CRD', 'PKG', 'PRD', 'PRG', 'SVC', '')),
	estimate TEXT, gross_rate DECIMAL(12,2), make_good TEXT, spot_value DECIMAL(12,2), station_net DECIMAL(12,2),
	broker_fees DECIMAL(12,2), priority INTEGER, broadcast_month TEXT NOT NULL, sales_person TEXT, revenue_type TEXT,
	billing_type TEXT, agency_flag TEXT, customer_id INTEGER, agency_id INTEGER, market_id INTEGER, contract TEXT,
	load_date TIMESTAMP, source_file TEXT, comment TEXT, is_historical BOOLEAN DEFAULT 0);
CREATE TABLE customers (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
INSERT INTO spots SELECT i, 'AGENCY-' || (i * 7919 % 3001) || ':CLIENT-' || (i * 104729 % 7919),
	date('2021-01-01', '+' || (i * 31 % 1700) || ' days'), date('2021-01-01', '+' || (i * 31 % 1700) || ' days'),
	substr('MonTueWedThuFriSatSun', i % 7 * 3 + 1, 3), printf('%02d:%02d:00', i % 24, i % 60),
	printf('%02d:%02d:30', i % 24, i % 60), '00:00:30', 'MEDIA' || (i % 11), 'PROGRAM NAME ' || (i * 13 % 997),
	substr('EMTHVKJP', i % 8 + 1, 1), 'FMT' || (i % 5), i % 100, i % 40, 'COM', 'EST' || (i % 9973),
	(i * 37 % 100000) / 100.0, CASE WHEN i % 50 = 0 THEN 'MG' || i END, (i * 37 % 100000) / 100.0,
	(i * 31 % 90000) / 100.0, (i * 7 % 9000) / 100.0, i % 9,
	date('2021-01-01', '+' || (i * 31 % 1700) || ' days', 'start of month'), 'Sales Person ' || (i % 17),
	'Internal Ad Sales', 'Calendar', CASE WHEN i % 3 = 0 THEN 'Agency' ELSE 'Non-agency' END, i * 104729 % 7919,
	i * 7919 % 3001, i % 12, 'C' || (i * 11 % 65537), '2025-01-01 02:05:00', 'Commercial Log ' || (i % 60) || '.xlsx',
	'remark on spot number ' || i || ' aired as scheduled by the station', i % 2 FROM n;
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 7918)
INSERT INTO customers SELECT i, 'Customer Name ' || i FROM n;
COMMIT;
CREATE INDEX idx_bill ON spots (bill_code);
CREATE INDEX idx_air ON spots (air_date);
CREATE INDEX idx_month ON spots (broadcast_month, revenue_type);
CREATE INDEX idx_customer ON spots (customer_id, broadcast_month);
CREATE INDEX idx_agency ON spots (agency_id);
CREATE INDEX idx_sales ON spots (sales_person, broadcast_month, gross_rate);
CREATE INDEX idx_market ON spots (market_id, air_date);
CREATE INDEX idx_rate ON spots (gross_rate DESC);
CREATE UNIQUE INDEX idx_key ON spots (contract, line_number, spot_id);
