#!/usr/bin/python3
"""Takes what a sink sends, as fast as Python can: records over HTTP (POST, a line each) or syslog
messages over TCP (octet counts), which are read and dropped.

usage: receive.py http|syslog PORT    On SIGTERM: the number of records and the SHA-256 of the
bodies as JSON; of syslog the number of bytes."""

import hashlib
import json
import signal
import socket
import sys

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Over(Exception):
    pass


class Http:
    def __init__(self):
        self.digest = hashlib.sha256()
        self.records = 0
        self.keys = set()
        self.repeats = 0

    def report(self):
        return {
            "records": self.records,
            "sha256": self.digest.hexdigest(),
            "repeats": self.repeats,
        }

    def take(self, connection):
        with connection.makefile("rb", 1 << 20) as stream:
            while stream.readline():
                size = 0
                for line in iter(stream.readline, b"\r\n"):
                    name, _, value = line.lower().partition(b":")
                    if name == b"content-length":
                        size = int(value)
                    elif name == b"idempotency-key":
                        key = value.strip()
                    elif name == b"expect":
                        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body = stream.read(size)
                if len(body) < size:
                    return
                if key in self.keys:
                    self.repeats += 1
                else:
                    self.keys.add(key)
                    self.digest.update(body)
                    self.records += body.count(b"\n")
                connection.sendall(ANSWER)


class Syslog:
    def __init__(self):
        self.bytes = 0
        self.buffer = bytearray(1 << 20)

    def report(self):
        return {"bytes": self.bytes}

    def take(self, connection):
        while True:
            size = connection.recv_into(self.buffer)
            if not size:
                return
            self.bytes += size


def over(*_):
    raise Over


def main(kind, port):
    receiver = {"http": Http, "syslog": Syslog}[kind]()
    signal.signal(signal.SIGTERM, over)
    try:
        with socket.create_server(("127.0.0.1", int(port))) as server:
            print("ready", flush=True)
            while True:
                connection, _ = server.accept()
                with connection:
                    try:
                        receiver.take(connection)
                    except ConnectionError:
                        pass
    except Over:
        print(json.dumps(receiver.report()), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
