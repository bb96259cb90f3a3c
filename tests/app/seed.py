#!/usr/bin/env python3
"""seed.py DB [SPOTS] - makes a database for the application with some years of business in it."""

import os
import sqlite3
import sys

path = sys.argv[1]
spots = int(sys.argv[2]) if len(sys.argv) > 2 else 20000
here = os.path.dirname(os.path.abspath(__file__))
if os.path.exists(path):
    sys.exit("seed.py: %s: exists" % path)
db = sqlite3.connect(path)
with open(os.path.join(here, "schema.sql")) as f:
    db.executescript(f.read())
months = ["%s-%02d" % (m, y) for y in range(21, 26) for m in
          ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")]
with db:
    db.executemany("INSERT INTO agencies (agency_name) VALUES (?)", (("Agency %d" % i,) for i in range(20)))
    db.executemany("INSERT INTO customers (normalized_name, agency_id) VALUES (?, ?)",
                   (("Customer %d" % i, 1 + i % 20) for i in range(400)))
    db.executemany(
        "INSERT INTO spots (customer_id, broadcast_month, air_date, gross_rate, note) VALUES (?, ?, ?, ?, ?)",
        ((1 + i * 7 % 400, months[i % 60], "20%d-%02d-%02d" % (21 + i % 5, 1 + i % 12, 1 + i % 28),
          25 * (1 + i % 40), "seed %d %s" % (i, "spot copy " * (i % 5))) for i in range(spots)))
    db.executemany("INSERT INTO budget (ae_name, year, month, budget_amount) VALUES (?, ?, ?, ?)",
                   (("AE %d" % a, y, m, 1000 * (a + m)) for a in range(5) for y in (2024, 2025)
                    for m in range(1, 13)))
db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
db.close()
