#!/usr/bin/env python3
"""proxy.py DIR - a proxy that makes tunnels and nothing else; prints its port

Each request's first line goes to DIR/asked. A tunnel ends at this host, at the port in DIR/to, whatever was asked for;
while DIR/user is there, only for this `Basic` credential.
"""
import os
import socket
import sys
import threading

where = sys.argv[1]


def read(name):
    path = os.path.join(where, name)
    return open(path, encoding="ascii").read().strip() if os.path.exists(path) else None


def pass_on(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client):
    head = b""
    while b"\r\n\r\n" not in head and (more := client.recv(4096)):
        head += more
    lines = head.decode("latin-1").split("\r\n")
    with open(os.path.join(where, "asked"), "a", encoding="latin-1") as f:
        f.write(lines[0] + "\n")
    user = read("user")
    if user and "Proxy-Authorization: Basic " + user not in lines:
        client.sendall(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
    elif lines[0].startswith("CONNECT "):
        server = socket.create_connection(("127.0.0.1", int(read("to"))))
        client.sendall(b"HTTP/1.1 200 Connection established\r\nX-Length: 1\r\n\r\n")
        threading.Thread(target=pass_on, args=(server, client), daemon=True).start()
        pass_on(client, server)
    client.close()


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
