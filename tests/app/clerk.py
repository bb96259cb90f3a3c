#!/usr/bin/env python3
"""clerk.py URL LOG [NAME [COUNT]] - enters spots one after another; appends to LOG what was accepted.

A line "NAME-N" is in LOG only after the application answered 201, so whatever is there and not in the
database afterwards was lost. Errors are waited out: a clerk tries the next one a moment later. Ends
after COUNT accepted spots, or when told to by a signal.
"""

import itertools
import json
import sys
import time
import urllib.request

url, log = sys.argv[1], open(sys.argv[2], "a", buffering=1)
name = sys.argv[3] if len(sys.argv) > 3 else "clerk"
wanted = int(sys.argv[4]) if len(sys.argv) > 4 else 0
accepted = 0
for n in itertools.count(1):
    note = "%s-%d" % (name, n)
    body = json.dumps({"customer": "Walk-in %d" % (n % 9), "broadcast_month": "Dec-25",
                       "gross_rate": n % 500, "note": note}).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(
                url + "/api/spots", body, {"Content-Type": "application/json"}), timeout=5) as answer:
            if answer.status == 201:
                log.write(note + "\n")
                accepted += 1
    except OSError:
        time.sleep(0.05)
    if wanted and accepted == wanted:
        break
