#!/usr/bin/env python3
"""endless.py - a server at Dropbox's name that never comes to an end; prints its port

The path that a request is about says how:
  get_metadata of /body     200 and JSON that goes on for ever, fast
              of /error     the same as a 409
              of /drip      the same, a few bytes at a time: no stall, and no end
              of /headers   header lines without end
              of /interim   100 Continue without end
  list_folder of /same      pages that all name the same next one
              of /more      pages of entries, each with another cursor
              of /empty     pages without an entry, each with another cursor
"""
import http.server
import itertools
import json
import time

numbers = itertools.count()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def forever(self, head, text, pause):
        try:
            self.wfile.write(head)
            while True:
                self.wfile.write(text)
                self.wfile.flush()
                time.sleep(pause)
        except OSError:
            self.close_connection = True

    def whole(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def page(self, how):
        count = 0 if how == "empty" else 2000
        entries = [{".tag": "file", "name": "x", "path_lower": "/%d" % next(numbers), "path_display": "x" * 200}
                   for _ in range(count)]
        cursor = how if how == "same" else "%s %d" % (how, next(numbers))
        self.whole({"entries": entries, "cursor": cursor, "has_more": True})

    def do_POST(self):
        arg = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
        if "list_folder" in self.path:
            self.page(arg.get("cursor", arg.get("path", "").lstrip("/")).split()[0])
            return
        if arg["path"] in ("/same", "/more", "/empty"):
            self.whole({".tag": "folder", "name": "x", "path_lower": "/x", "path_display": "/x", "id": "id:1"})
            return
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        {
            "/body": lambda: self.forever(head, chunk, 0),
            "/error": lambda: self.forever(head.replace(b"200 OK", b"409 Conflict"), chunk, 0),
            "/drip": lambda: self.forever(head, b"200\r\n" + b" " * 512 + b"\r\n", 0.05),
            "/headers": lambda: self.forever(b"HTTP/1.1 200 OK\r\n", b"X-More: " + b"y" * 100 + b"\r\n", 0),
            "/interim": lambda: self.forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, 0),
        }[arg["path"]]()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
