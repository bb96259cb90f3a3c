#!/usr/bin/env python3
"""receiver.py DIR [PORT [ADDRESS CERTIFICATE KEY]] - takes what alert-post sends and answers as a test wants

Prints its port; https with a certificate. Each request becomes a line of DIR/log:
{"at","method","path","query","type","authorization","body"}. The answer is what DIR/answer.SEGMENT says for a path /SEGMENT/...,
else DIR/answer, else 200:
  STATUS [RETRY-AFTER]   with the body in DIR/body, if there
  keep                   200, and the connection stays open for the next request
  stall                  takes the request and says nothing
  hold                   the same until DIR/go is there, then 200
  cut                    hangs up without a word
  garbage                no HTTP
  endless                200 and a body without end
"""
import http.server
import json
import os
import ssl
import sys
import threading
import time
import urllib.parse

where = sys.argv[1]
lock = threading.Lock()


def read(name, default):
    try:
        with open(os.path.join(where, name), encoding="utf-8") as f:
            return f.read().rstrip()
    except FileNotFoundError:
        return default


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        line = {"at": time.time(), "method": self.command, "path": url.path,
                "query": dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True)),
                "type": self.headers.get("Content-Type"), "authorization": self.headers.get("Authorization"),
                "body": body.decode("utf-8")}
        with lock, open(os.path.join(where, "log"), "a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")
        self.answer(read("answer." + url.path.split("/")[1], read("answer", "200")))

    do_POST = do_GET

    def answer(self, how):
        keep = how == "keep"
        how = "200" if keep else how
        self.close_connection = not keep
        if how == "stall":
            time.sleep(600)
        elif how == "hold":
            while not os.path.exists(os.path.join(where, "go")):
                time.sleep(0.01)
            how = "200"
        if how == "garbage":
            self.wfile.write(b"220 mail.example ESMTP\r\n")
        elif how == "endless":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                self.wfile.write(b"x" * 65536)
        elif how not in ("cut", "stall"):
            status, *wait = how.split()
            body = read("body", '{"ok":true}').encode()
            self.send_response(int(status))
            if wait:
                self.send_header("Retry-After", wait[0])
            if status.startswith("3"):
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            if not keep:
                self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass    # a client that was killed


server = Server((sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 0), Handler)
if len(sys.argv) > 3:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[4], sys.argv[5])
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_port, flush=True)
server.serve_forever()
