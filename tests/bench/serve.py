"""An API on loopback in a thread of its own. Every page is made when it is asked for:

/chain/NAME?n=PAGES&r=RECORDS&b=BYTES   so many pages, each with so many records, padded by so many
                                        bytes; afterwards nothing new
/tick/NAME                              one new record at every request

`asked` counts the requests."""

import asyncio
import os
import pathlib
import subprocess
import sys
import threading
import time
import urllib.parse


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server = server
        self.text = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.text += data
        while b"\r\n\r\n" in self.text:
            head, self.text = self.text.split(b"\r\n\r\n", 1)
            body = self.server.page(head.split()[1].decode())
            self.transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


class Server:
    def __init__(self):
        self.asked = 0
        self.pages = {}
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,))
        self.thread.start()
        ready.wait()

    def run(self, ready):
        asyncio.set_event_loop(self.loop)
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: Connection(self), "127.0.0.1", 0, backlog=4096))
        self.port = server.sockets[0].getsockname()[1]
        self.url = "http://127.0.0.1:%d" % self.port
        ready.set()
        self.loop.run_forever()

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def page(self, target):
        self.asked += 1
        path, _, query = target.partition("?")
        numbers = {k: int(v) for k, v in urllib.parse.parse_qsl(query)}
        _, kind, name = path.split("/")
        at = numbers.get("at", 0)
        if kind == "tick":
            return self.text(self.url + "/tick/%s?at=%d" % (name, at + 1), False, name, at, 1, 0)
        n, size, pad = numbers["n"], numbers["r"], numbers.get("b", 0)
        following = self.url + "/chain/%s?n=%d&r=%d&b=%d&at=%d" % (
            name, n, size, pad, min(at + 1, n))
        return self.text(following, at + 1 < n, name, at, size if at < n else 0, pad)

    def text(self, following, more, name, at, size, pad):
        key = name, at, size, pad
        records = self.pages.get(key)
        if records is None:
            records = ",".join(record(name, at * size + i, pad) for i in range(size))
            if size > 1:
                self.pages[key] = records
        return b'{"next":%s,"more":"%s","records":[%s]}' % (
            b'"%s"' % following.encode() if more else b"null", following.encode(),
            records.encode())


def record(name, number, pad):
    """Some 200 bytes, and PAD more that hardly compress."""
    seconds, thousandths = divmod(number * 10, 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_765_000_000 + seconds))
    rest = "".join("%016x" % ((number * 61 + i) * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
                   for i in range(pad // 16))
    return (
        '{"id":"%s-%08d-4000-8000","timestamp":"%s.%03dZ","action":"server_create",'
        '"message":"Server \'web-%d\' has been created","ip_address":"172.30.%d.%d",'
        '"user":"user%d@example.com","pad":"%s"}'
        % (name, number, stamp, thousandths, number, number % 250, number % 253, number % 97, rest))


def source(name, url, more=""):
    """A section of trawld.conf."""
    return (
        "[source %s]\nprovider = custom\nrequest.url = %s\nrecords.at = /records\n"
        "records.id = /id\nrecords.time = /timestamp\npage.url = /next\nresume.url = /more\n"
        "resume.overlap = 1h\nrate = off\n%s\n" % (name, url, more))


def library(folder, source):
    """Builds the C file SOURCE (beside this one) into FOLDER, to be preloaded into trawld."""
    path = folder / (pathlib.Path(source).stem + ".so")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-O2", "-o", path,
                    pathlib.Path(__file__).parent / source, "-ldl"], check=True)
    return path


def cpu(pid):
    """Seconds of processor time."""
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def wait(process, question, what, patience=1800):
    """Until QUESTION is true; the seconds that took."""
    began = time.monotonic()
    while not question():
        if process.poll() is not None or time.monotonic() - began > patience:
            sys.exit("no " + what)
        time.sleep(0.02)
    return time.monotonic() - began


def daemon(folder, *sections, listen="off"):
    """trawld.conf in FOLDER, with one file sink."""
    conf = folder / "trawld.conf"
    conf.write_text(
        "[daemon]\nstate_directory = %s/state\nlisten = %s\ncontrol = off\n"
        "[sink file]\ntype = file\npath = %s/out\nretry_max = 1s\n%s"
        % (folder, listen, folder, "".join(sections)))
    return conf
