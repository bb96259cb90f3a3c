"""A small real application: spots booked by customers, in SQLite.

It stands for the one that the standby serves: the same start (a factory, src.web.app:create_app), the
same database settings (WAL, synchronous=NORMAL, a busy time-out), the same three health endpoints
and their answers. And it can misbehave as told in a file of key=value lines, data/faults:

    slow_start=S    the process thinks S seconds before it serves
    die_after=S     the whole service dies S seconds after its start
    errors_for=S    every answer is 500 until S seconds after the start
    health_hangs=1  the health endpoints never answer (read at each request, so it can begin later)
"""

import os
import shutil
import signal
import sqlite3
import threading
import time

from flask import Flask, jsonify, request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
STARTED = time.monotonic()
HEALTH = ("/api/system-stats", "/health")
LOCAL = threading.local()
FIELDS = ("customer", "broadcast_month", "air_date", "gross_rate", "note")


def faults():
    try:
        with open(os.environ.get("APP_FAULTS", os.path.join(ROOT, "data", "faults"))) as f:
            pairs = [line.strip().split("=", 1) for line in f if "=" in line]
    except FileNotFoundError:
        return {}
    return {key: float(value) for key, value in pairs}


def database():
    """One connection for as long as a worker lives, so that a power cut finds a WAL beside the file."""
    if not hasattr(LOCAL, "db"):
        path = os.environ.get("DATABASE_PATH") or os.path.join(ROOT, "data", "database", "production.db")
        # a missing database is an error, not an invitation to make an empty one
        db = sqlite3.connect("file:%s?mode=rw" % path, uri=True, timeout=10)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA foreign_keys=ON")
        LOCAL.db = db
    return LOCAL.db


def success(data, code=200):
    return jsonify(status="success", data=data), code


def failure(text, code):
    return jsonify(status="error", error=text), code


def create_app():
    start = faults()
    time.sleep(start.get("slow_start", 0))
    if "die_after" in start:
        # systemd made us a process group: gunicorn's master and its workers
        threading.Timer(start["die_after"], os.killpg, (0, signal.SIGKILL)).start()
    app = Flask(__name__)

    @app.before_request
    def misbehave():
        if time.monotonic() - STARTED < start.get("errors_for", 0):
            return failure("not yet", 500)
        if request.path.startswith(HEALTH) and faults().get("health_hangs"):
            time.sleep(3600)
        return None

    @app.errorhandler(sqlite3.Error)
    def database_error(e):
        return failure("database: %s" % e, 503)

    @app.get("/api/system-stats")
    def system_stats():
        disk = shutil.disk_usage(ROOT)
        return success({
            "host": os.uname().nodename,
            "load": os.getloadavg()[0],
            "disk_percent": round(100 * disk.used / disk.total, 1),
            "uptime_seconds": round(time.monotonic() - STARTED, 1),
        })

    @app.get("/health/")
    def health():
        try:
            database().execute("SELECT count(*) FROM customers").fetchone()
        except sqlite3.Error as e:
            return success({"overall_status": "unhealthy", "database": str(e)}, 503)
        return success({"overall_status": "healthy"})

    @app.get("/health/database")
    def health_database():
        try:
            database().execute("SELECT 1").fetchone()
        except sqlite3.Error as e:
            return success({"status": "critical", "connection_test": "failed: %s" % e}, 503)
        return success({"status": "healthy", "connection_test": "success"})

    @app.post("/api/spots")
    def add_spot():
        spot = request.get_json(silent=True)
        if not isinstance(spot, dict) or not spot.get("customer"):
            return failure("a spot needs a customer", 400)
        db = database()
        with db:
            db.execute("INSERT OR IGNORE INTO customers (normalized_name) VALUES (?)", (spot["customer"],))
            cursor = db.execute(
                "INSERT INTO spots (customer_id, broadcast_month, air_date, gross_rate, note)"
                " SELECT customer_id, :broadcast_month, :air_date, :gross_rate, :note"
                " FROM customers WHERE normalized_name = :customer",
                {field: spot.get(field) for field in FIELDS})
        # committed: from here on it may not get lost
        return success({"spot_id": cursor.lastrowid}, 201)

    @app.get("/api/spots/<int:spot_id>")
    def get_spot(spot_id):
        row = database().execute(
            "SELECT s.*, c.normalized_name AS customer FROM spots s JOIN customers c USING (customer_id)"
            " WHERE spot_id = ?", (spot_id,)).fetchone()
        return success(dict(row)) if row else failure("no such spot", 404)

    @app.get("/api/spots/count")
    def count_spots():
        return success({"count": database().execute("SELECT count(*) FROM spots").fetchone()[0]})

    return app
