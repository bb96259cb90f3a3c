# stress.py SEED LOOKS - writers that never stop, while db-changes looks. Each state that it finds, applied by db-apply, must
# be byte for byte one that the database had during that look; what the log tells is held against looks at every page.
#
# After everything that a writer does, a process of its own copies the database with its log or journal, lets SQLite put
# the copy in order, and notes its bytes: the history. (Not this process: a file that it opened and closed would cost
# SQLite its locks.)
import hashlib, json, multiprocessing, os, random, shutil, sqlite3, subprocess, sys, threading, time

SEED, LOOKS = int(sys.argv[1]), int(sys.argv[2])
SLOW = os.environ.get("STRESS_SLOW", "0.25")  # so many of the looks are slowed down, to be overtaken
chance = random.Random(SEED)


def published(path):
    """What a file is published as."""
    data = bytearray(open(path, "rb").read())
    data[18] = data[19] = 1
    return hashlib.sha256(data).hexdigest()


def at_rest(pipe):
    """The copying process: for each word, the bytes that the database has now."""
    while pipe.recv():
        for side in ("", "-wal", "-journal"):
            if os.path.exists("live" + side):
                shutil.copy("live" + side, "rest" + side)
        db = sqlite3.connect("rest")
        db.execute("PRAGMA user_version").fetchall()
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        db.close()
        pipe.send(published("rest"))
        for side in ("", "-wal", "-shm", "-journal"):
            if os.path.exists("rest" + side):
                os.remove("rest" + side)


class Writer(threading.Thread):
    """Does one thing after the other, and notes what the database is then."""

    def __init__(self, mode, calm, pipe, seed):
        super().__init__(daemon=True)
        self.pipe, self.chance, self.turn = pipe, random.Random(seed), threading.Lock()
        self.history, self.done, self.failure = [], False, None
        self.each = not calm and self.chance.random() < 0.4  # a connection for each transaction
        # a log that goes on for many looks, or everything that may happen to it
        self.things, self.pause = (["update"] * 9 + ["insert"], 0.2) if calm else (
            ["update"] * 8 + ["insert", "delete", "vacuum", "checkpoint", "checkpoint", "shrink", "connect", "rollback", "crash",
                              "mode", "grow"], 0.004)
        self.did = {}
        self.db = self.connect()
        self.db.execute("PRAGMA page_size=%d" % self.chance.choice([512, 1024, 4096, 65536]))
        self.db.execute("PRAGMA auto_vacuum=%d" % self.chance.randrange(3))
        self.db.execute("PRAGMA journal_mode=" + mode)
        self.db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b, c)")
        self.db.execute("CREATE INDEX i ON t(b)")
        self.insert(self.chance.choice([100, 1500, 6000]))
        self.note()

    def connect(self):
        db = sqlite3.connect("live", isolation_level=None, timeout=60, check_same_thread=False)
        db.execute("PRAGMA synchronous=OFF")
        db.execute("PRAGMA secure_delete=%d" % self.chance.randrange(2))
        db.execute("PRAGMA wal_autocheckpoint=%d" % self.chance.choice([0, 5, 50, 1000]))
        return db

    def note(self):
        self.pipe.send("now")
        self.history.append(self.pipe.recv())

    def insert(self, n):
        self.db.execute("BEGIN")
        self.db.executemany("INSERT INTO t(b,c) VALUES(?,?)",
                            [(self.chance.random(), "x" * self.chance.randrange(900)) for _ in range(n)])
        self.db.execute("COMMIT")

    def crash(self):
        """Another process dies in a transaction whose pages are in the file or the log already, or just after a commit."""
        end = self.chance.choice(["", "COMMIT;"])
        self.db.close()
        app = subprocess.Popen(["sqlite3", "-bail", "live"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        # it waits before anything else: already to read the schema may be refused
        app.stdin.write("PRAGMA busy_timeout=60000; PRAGMA cache_size=2; PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0;"
                        "BEGIN IMMEDIATE; UPDATE t SET c='crash' || c WHERE a%%3=%d; %s SELECT 'there';\n"
                        % (self.chance.randrange(3), end))
        app.stdin.flush()
        there = any(line.strip() == "there" for line in app.stdout)
        app.kill()
        app.wait()
        if there:
            self.note()
        self.db = self.connect()
        if not there:
            raise sqlite3.OperationalError("locked: the process that was to die has ended by itself")

    def change_mode(self):
        self.db.close()
        self.db = self.connect()
        if self.db.execute("PRAGMA journal_mode=DELETE").fetchone()[0] == "delete":
            if self.chance.random() < 0.5:
                self.note()
                self.db.execute("PRAGMA page_size=%d" % self.chance.choice([512, 1024, 4096, 65536]))
                self.db.execute("VACUUM")
            self.note()
            self.db.execute("PRAGMA journal_mode=" + self.chance.choice(["WAL", "WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY"]))

    def one(self):
        some = self.chance.randrange
        what = self.chance.choice(self.things)
        self.did[what] = self.did.get(what, 0) + 1
        if self.each:
            self.db.close()
            self.db = self.connect()
        if what == "update":
            self.db.executemany("UPDATE t SET c=? WHERE a=?", [("y" * some(300), some(2000))] * some(1, 3))
        elif what == "insert":
            self.insert(some(1, 60))
        elif what == "grow":
            self.db.execute("INSERT INTO t(b,c) VALUES(0, zeroblob(?))", (some(200000),))
        elif what == "delete":
            self.db.execute("DELETE FROM t WHERE a%9=? OR length(c) > 100000", (some(9),))
        elif what == "vacuum":
            self.db.execute("VACUUM")
        elif what == "checkpoint":
            self.db.execute("PRAGMA wal_checkpoint(%s)" % self.chance.choice(["PASSIVE", "FULL", "RESTART", "TRUNCATE"])).fetchall()
        elif what == "shrink":
            self.db.execute("PRAGMA incremental_vacuum").fetchall()
        elif what == "connect":
            self.db.close()
            self.db = self.connect()
        elif what == "rollback":
            self.db.execute("BEGIN")
            self.db.execute("UPDATE t SET c='never' WHERE a<500")
            self.db.execute("ROLLBACK")
        elif what == "crash":
            self.crash()
        else:
            self.change_mode()
        self.note()

    def run(self):
        try:
            while not self.done:
                with self.turn:
                    try:
                        self.one()
                    except sqlite3.OperationalError as e:
                        # the look that waits for it may be in its way, as any reader
                        if "locked" not in str(e):
                            raise
                        if self.db.in_transaction:
                            self.db.execute("ROLLBACK")
                        self.note()
                time.sleep(self.chance.random() * self.pause)
        except BaseException as e:
            self.failure = repr(e)


def fail(why):
    sys.exit(f"seed {SEED}: {why}")


def tool(*args, may=()):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode != 0 and done.returncode not in may:
        fail(f"{' '.join(args)}: {done.returncode}: {done.stderr}")
    return done


def look(full, night):
    args = ["db-changes", "--json", "--since", "state"] + ["--full"] * full + ["--file", "whole"] * night + ["live", "out"]
    if chance.random() < float(SLOW):
        args = ["strace", "-f", "-o", "/dev/null", "-P", os.path.realpath("live"), "-P", os.path.realpath("live") + "-wal",
                "-e", "inject=pread64:delay_exit=%d" % chance.choice([200, 1000, 3000])] + args
    return tool(*args, may=(73, 75))


totals = {"looks": 0, "states": 0, "by the log": 0, "at every page": 0, "unchanged": 0, "overtaken": 0, "given up": 0}
did = {}


def check(writer, said, first, night):
    """What a look has found, with what the database was from the history's number `first` on."""
    with writer.turn:
        possible = writer.history[first:]
    totals["at every page" if said["full"] else "by the log"] += 1
    totals["overtaken"] += len(set(possible)) > 1
    if said["missed"]:
        fail(f"{said['missed']} pages that the log did not tell")
    if said["changed"] and not said["base"]:
        tool("db-apply", "-o", "candidate", "out", "newest")
    elif said["changed"]:
        shutil.copy("whole", "candidate")
    found = published("candidate" if said["changed"] else "newest")
    if found not in possible:
        fail(f"state {said.get('n')}: no state that the database had during the look")
    if night and published("whole") != found:
        fail(f"state {said['n']}: --file has other bytes than the change leads to")
    totals["states"] += 1
    if not said["changed"]:
        totals["unchanged"] += 1
    elif chance.random() < 0.1:
        tool("db-changes", "--drop", "state")
    else:
        tool("db-changes", "--confirm", "state")
        for name in ("", ".note"):
            if os.path.exists("candidate" + name):
                os.replace("candidate" + name, "newest" + name)


def stress(mode, calm, looks):
    for name in os.listdir("."):
        os.remove(name)
    ours, theirs = multiprocessing.Pipe()
    copier = multiprocessing.Process(target=at_rest, args=(theirs,), daemon=True)
    copier.start()
    writer = Writer(mode, calm, ours, chance.random())
    writer.start()
    for i in range(looks):
        # the first one publishes the database whole
        begun = os.path.exists("newest")
        full, night = chance.random() < 0.3, not begun or chance.random() < 0.1
        first = len(writer.history) - 1
        done = look(full, night)
        totals["looks"] += 1
        if writer.failure:
            fail(f"the writer: {writer.failure}")
        if done.returncode != 0:
            totals["given up"] += 1
        else:
            check(writer, json.loads(done.stdout), first, night)
    writer.done = True
    writer.join()
    ours.send("")
    copier.join()
    writer.db.close()
    for what, n in writer.did.items():
        did[what] = did.get(what, 0) + n


PHASES = [("WAL", True), ("WAL", False), ("DELETE", False), ("WAL", True), ("TRUNCATE", False), ("PERSIST", False),
          ("MEMORY", False), ("WAL", False)]
for mode, calm in PHASES:
    stress(mode, calm, LOOKS // len(PHASES))
print(", ".join(f"{n} {what}" for what, n in totals.items()))
print("the writers: " + ", ".join(f"{n} {what}" for what, n in sorted(did.items())))
