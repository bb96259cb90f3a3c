#!/usr/bin/env python3
"""terminal.py DIALOGUE COMMAND... - runs a command on a terminal of its own, and talks to it

Each line of the file DIALOGUE is an action: `expect REGEX` waits until what came since the last match matches, `send
TEXT` types it (\\n, \\x03, \\x1a as Python writes them), `shell COMMAND` runs one beside it, `close` takes the terminal away. At the end what was seen is
printed, and the command's exit status is ours; a dialogue that goes wrong ends with 99.
"""
import os, pty, re, select, subprocess, sys, time

def main():
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    seen, at = b"", 0
    def more(limit):
        nonlocal seen
        if not select.select([fd], [], [], limit)[0]:
            return False
        try:
            data = os.read(fd, 65536)
        except OSError:
            return False
        seen += data
        return bool(data)
    def bad(text):
        sys.stdout.buffer.write(seen)
        print("\nterminal.py:", text)
        # all of its session: what is left, stopped perhaps, would keep whoever waits for the end of our output
        for other in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.getsid(int(other)) == pid:
                    os.kill(int(other), 9)
            except OSError:
                pass
        sys.exit(99)
    for line in open(sys.argv[1]):
        act, _, rest = line.rstrip("\n").partition(" ")
        if act == "expect":
            end = time.monotonic() + 30
            while not (m := re.search(rest.encode(), seen[at:])):
                if not more(1) and time.monotonic() > end:
                    bad("not seen: " + rest)
            at += m.end()
        elif act == "send":
            os.write(fd, rest.encode().decode("unicode_escape").encode("latin1"))
        elif act == "close":
            os.close(fd)
            os.waitpid(pid, 0)
            return
        elif act == "shell":
            if subprocess.call(rest, shell=True):
                bad("failed: " + rest)
    while more(30):
        pass
    sys.stdout.buffer.write(seen)
    sys.stdout.flush()
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) % 256)

main()
