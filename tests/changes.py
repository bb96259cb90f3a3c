# changes.py SEED ROUNDS - random writers of every journal mode; each state that db-changes publishes is compared with the
# database at rest, and so is what db-apply makes of it
import json, os, random, shutil, sqlite3, subprocess, sys

random.seed(int(sys.argv[1]))
rounds = int(sys.argv[2])
compared = 0


def tool(*args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{args}: {done.returncode}: {done.stderr}")
    return done.stdout


def at_rest():
    """The bytes that the database is published as: its file and its log, put together by SQLite."""
    for side in ("", "-wal"):
        if os.path.exists("live" + side):
            shutil.copy("live" + side, "rest" + side)
    db = sqlite3.connect("rest")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    data = bytearray(open("rest", "rb").read())
    data[18] = data[19] = 1
    for name in ("rest", "rest-wal", "rest-shm"):
        if os.path.exists(name):
            os.remove(name)
    return bytes(data)


def same(name, wanted, what):
    global compared
    if open(name, "rb").read() != wanted:
        sys.exit(f"seed {sys.argv[1]}: {what}: other bytes")
    compared += 1


def write(db):
    """One thing that an application does; returns the connection to go on with."""
    some = random.randrange
    what = some(14)
    if what < 5:
        db.executemany("UPDATE t SET c=? WHERE a=?", [("y" * some(300), some(2000)) for _ in range(some(1, 20))])
    elif what == 5:
        db.execute("DELETE FROM t WHERE a%7=?", (some(7),))
    elif what == 6:
        db.executemany("INSERT INTO t(b,c) VALUES(?,?)", [(random.random(), "x" * some(900)) for _ in range(300)])
    elif what == 7:
        db.execute("VACUUM")
    elif what == 8:
        db.execute("PRAGMA wal_checkpoint(%s)" % random.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])).fetchall()
    elif what == 9:
        db.execute("PRAGMA incremental_vacuum").fetchall()
    elif what == 10:
        db.close()
        db = connect()
    elif what == 11:
        db.execute("BEGIN")
        db.execute("UPDATE t SET c='never' WHERE a<500")
        db.execute("ROLLBACK")
    elif what == 12 and some(3) == 0:
        if db.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete":
            db.execute("PRAGMA page_size=%d" % random.choice([512, 1024, 4096]))
            db.execute("VACUUM")
            db.execute("PRAGMA journal_mode=" + random.choice(["WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY"]))
    return db


def connect():
    db = sqlite3.connect("live", isolation_level=None)
    db.execute("PRAGMA synchronous=OFF")
    db.execute("PRAGMA secure_delete=%d" % random.randrange(2))
    return db


for mode in ("WAL", "DELETE", "PERSIST"):
    for name in os.listdir("."):
        os.remove(name)
    db = connect()
    db.execute("PRAGMA page_size=%d" % random.choice([512, 1024, 4096, 65536]))
    db.execute("PRAGMA auto_vacuum=%d" % random.randrange(3))
    db.execute("PRAGMA journal_mode=" + mode)
    db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b, c)")
    db.execute("CREATE INDEX i ON t(b)")
    db.executemany("INSERT INTO t(b,c) VALUES(?,?)", [(random.random(), "x" * random.randrange(300)) for _ in range(1500)])
    before, waiting = None, []
    for _ in range(rounds):
        db = write(db)
        args = ["db-changes", "--json", "--since", "state"]
        if random.random() < 0.2:
            args.append("--full")
        night = random.random() < 0.1
        if night:
            args += ["--file", "whole"]
        said = json.loads(tool(*args, "live", "out"))
        if said["missed"]:
            sys.exit(f"seed {sys.argv[1]}: {said['missed']} pages that the log did not tell")
        now = at_rest()
        if not said["changed"]:
            if now != before:
                sys.exit(f"seed {sys.argv[1]}: {mode}: 'nothing changed', and it did")
            continue
        if night:
            same("whole", now, "--file")
        change = "change%d" % said["n"]
        shutil.copy("out", change)
        if said["base"]:
            open("base", "wb").write(now)
            tool("db-apply", "-o", "newest", change, "base")
        else:
            open("hand", "wb").write(before)
            subprocess.run("zstd -q -dc out >hand-wal", shell=True, check=True)
            by_hand = sqlite3.connect("hand")
            by_hand.execute("PRAGMA locking_mode=EXCLUSIVE")
            by_hand.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            by_hand.close()
            if os.path.exists("hand-wal"):
                os.remove("hand-wal")
            same("hand", now, f"{mode}: SQLite alone")
            waiting.append(change)
            if random.random() < 0.4:
                tool("db-apply", *waiting, "newest")
                same("newest", now, f"{mode}: db-apply")
                waiting = waiting[-1:]
        tool("db-changes", "--confirm", "state")
        before = now
    db.close()
print(f"{compared} states compared")
