"""Real PostgreSQL servers as children, each in a folder of its own: a primary and its standby.

A server listens on a unix socket in its folder, for the tests, and on a port of loopback, for trawld, whose role has no rights but
on its own database and needs a password. As root, the servers run as the user postgres, which Debian's package adds.
"""

import contextlib
import functools
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "system"))

import psycopg2

from harness import PATIENCE, wait_until

USER = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
PASSWORD = "pa55 'wörd\\ of trawld"
STANDBY = "standby"
SETTINGS = """
listen_addresses = '%(listen)s'
unix_socket_directories = '%(dir)s'
port = %(port)d
max_connections = 100
shared_buffers = 16MB
log_min_messages = warning
log_line_prefix = '%%m %%a '
fsync = %(fsync)s
wal_level = replica
max_wal_senders = 4
"""
# trawld comes over TCP, and nobody without a password does
HBA = """
local all all trust
local replication all trust
host all all all scram-sha-256
"""


def program(name):
    """The path of a program of the newest server that is installed."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/" + name), key=lambda path: int(path.parts[4]))
    if not found:
        raise AssertionError("PostgreSQL is not installed: script/packages cluster")
    return str(found[-1])


def run(*arguments):
    done = subprocess.run(arguments, user=as_user(), cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise AssertionError("%s\n%s" % (" ".join(map(str, arguments)), done.stdout))
    return done.stdout


def as_user():
    return pwd.getpwnam(USER).pw_uid if os.getuid() == 0 else None


def new_folder():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="trawld-pg-"))
    if os.getuid() == 0:
        os.chown(folder, as_user(), -1)
    return folder


def free_port():
    """Not one of those that clients get: a server has to have it again after it was stopped."""
    import random
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@functools.cache
def template():
    """A database directory that initdb made, once for all servers of the run."""
    import atexit
    folder = new_folder()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    run(program("initdb"), "-D", folder / "data", "-U", USER, "-A", "trust", "--no-sync", "--encoding=UTF8",
        "--locale=C.UTF-8")
    return folder / "data"


class Server:
    """A PostgreSQL server. Without SOURCE it is new; with it, a standby of that one. FSYNC is for measuring: without it a
    crash of the server still loses nothing, only one of the machine would. PRELOAD: a library and its environment."""

    def __init__(self, source=None, fsync=False, port=None, listen="127.0.0.1", preload=None):
        self.dir = new_folder()
        self.data = self.dir / "data"
        self.port = port or free_port()
        self.preload = preload or {}
        self.process = None
        if source:
            run(program("pg_basebackup"), "-D", self.data, "-R", "-c", "fast", "-X", "stream", "--no-sync",
                "-d", "host=%s port=%d user=%s application_name=%s" % (source.dir, source.port, USER, STANDBY))
        else:
            shutil.copytree(template(), self.data)
            if os.getuid() == 0:
                subprocess.run(["chown", "-R", USER, self.data], check=True)
        (self.data / "pg_hba.conf").write_text(HBA)
        settings = SETTINGS % {"dir": self.dir, "port": self.port, "listen": listen, "fsync": "on" if fsync else "off"}
        with open(self.data / "postgresql.conf", "a") as file:
            file.write(settings)
        self.start()
        if not source:
            self.execute("CREATE ROLE trawld LOGIN PASSWORD %s", (PASSWORD,))
            self.execute("CREATE DATABASE trawld OWNER trawld")

    def start(self):
        with open(self.dir / "log", "ab") as log:
            self.process = subprocess.Popen([program("postgres"), "-D", self.data], user=as_user(), cwd=self.dir,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **self.preload})
        wait_until(self.is_up, "PostgreSQL in %s" % self.dir, 60)

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError((self.dir / "log").read_text(errors="replace")[-3000:])
        try:
            self.connect("postgres").close()
            return True
        except psycopg2.OperationalError:
            return False

    def connect(self, database="trawld"):
        """A connection of the superuser, in which each statement is a transaction."""
        connection = psycopg2.connect(host=str(self.dir), port=self.port, user=USER, dbname=database,
                                      connect_timeout=int(30 * PATIENCE))
        connection.autocommit = True
        return connection

    def execute(self, sql, values=None, database="postgres"):
        """The rows of a statement, if it has any."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def rows(self, sql, values=None):
        """The rows of a query in trawld's database."""
        return self.execute(sql, values, "trawld")

    def address(self, relay=None):
        """What a test puts into `connect`, without the password."""
        return "host=127.0.0.1 port=%d dbname=trawld user=trawld" % (relay or self).port

    def set(self, name, value):
        self.execute("ALTER SYSTEM SET %s = %s" % (name, "%s"), (value,))
        self.execute("SELECT pg_reload_conf()")
        wait_until(lambda: self.execute("SHOW " + name) == [(value,)], "%s = %s" % (name, value))

    def stop(self, mode="immediate"):
        """As after a crash; or `fast`: in order."""
        self.process.send_signal({"immediate": signal.SIGQUIT, "fast": signal.SIGINT}[mode])
        self.wait()

    def kill(self):
        """kill -9: the server's processes follow it on their own, so a start may have to wait for them."""
        self.process.kill()
        self.wait()

    def wait(self):
        try:
            self.process.wait(60 * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError("PostgreSQL in %s does not end" % self.dir) from None

    def promote(self):
        """The standby becomes a primary, which waits for no standby of its own."""
        run(program("pg_ctl"), "promote", "-w", "-t", str(int(60 * PATIENCE)), "-D", self.data)
        self.set("synchronous_standby_names", "")

    def is_standby(self):
        return self.execute("SELECT pg_is_in_recovery()") == [(True,)]

    def remove(self):
        if self.process and self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Pair:
    """A primary and its standby, which is synchronous unless told otherwise."""

    def __init__(self, synchronous=True, fsync=False):
        self.primary = Server(fsync=fsync)
        self.standby = Server(self.primary, fsync=fsync)
        self.wait_state("async")
        # only then: before there is a standby, every commit would wait for it
        if synchronous:
            self.primary.execute("GRANT pg_monitor TO trawld")
            self.primary.set("synchronous_standby_names", STANDBY)
            self.wait_state("sync")

    def wait_state(self, state):
        wait_until(
            lambda: self.primary.execute("SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming'") == [(state,)],
            "a standby that is %s" % state, 60)

    def fail_over(self):
        """The primary is killed, the standby takes its place."""
        self.primary.kill()
        self.standby.promote()

    def detach(self):
        """The standby gets nothing more from the primary, which works on."""
        self.standby.set("primary_conninfo", "")
        wait_until(lambda: not self.primary.execute("SELECT 1 FROM pg_stat_replication"), "the end of the replication", 60)

    def rebuild(self):
        """After a fail-over: the server that was killed comes back as the synchronous standby of the other one, at its port."""
        port = self.primary.port
        self.primary.remove()
        self.primary, self.standby = self.standby, Server(self.standby, port=port)
        self.wait_state("async")
        self.primary.set("synchronous_standby_names", STANDBY)
        self.wait_state("sync")

    def address(self):
        """Both servers, of which libpq takes the one that can be written to."""
        both = (self.primary, self.standby)
        return "host=%s port=%s dbname=trawld user=trawld target_session_attrs=read-write connect_timeout=2" % (
            ",".join("127.0.0.1" for _ in both), ",".join(str(server.port) for server in both))

    def remove(self):
        # the standby first: a primary in order waits for it
        self.standby.remove()
        self.primary.remove()
