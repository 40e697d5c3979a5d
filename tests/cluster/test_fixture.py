#!/usr/bin/python3
"""The servers and the relay do what the tests of the cluster rely on."""

import threading
import unittest

from postgres import PASSWORD, Pair, Server  # first: it finds the next ones
from relay import ANSWERS, REQUESTS, Relay

import harness
import psycopg2

from harness import PATIENCE, wait_until


def connect(address):
    return psycopg2.connect("%s password='%s'" % (address, PASSWORD.replace("\\", "\\\\").replace("'", "\\'")),
                            connect_timeout=int(30 * PATIENCE), sslmode="disable")


class Fixture(unittest.TestCase):
    def own(self, thing):
        self.addCleanup(thing.remove)
        return thing

    def add(self, connection, n):
        with connection, connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES(%s)", (n,))

    def server(self):
        server = self.own(Server())
        with connect(server.address()) as first, first.cursor() as cursor:
            cursor.execute("CREATE TABLE t(n int)")
        first.close()
        return server

    def found(self, server):
        return [n for n, in server.rows("SELECT n FROM t ORDER BY n")]

    def test_password(self):
        """Over TCP, the role of trawld needs its password, and is no superuser."""
        server = self.own(Server())
        with self.assertRaisesRegex(psycopg2.OperationalError, "password"):
            psycopg2.connect(server.address() + " password=other")
        self.assertEqual(server.rows("SELECT rolsuper FROM pg_roles WHERE rolname = 'trawld'"), [(False,)])

    def test_stop(self):
        """What was committed is there after a stop without a shutdown, and after kill -9."""
        server = self.server()
        for n, stop in enumerate((server.stop, server.kill)):
            connection = connect(server.address())
            self.add(connection, n)
            stop()
            with self.assertRaises(psycopg2.Error):
                self.add(connection, n)
            server.start()
            self.assertEqual(self.found(server), list(range(n + 1)))

    def test_fail_over(self):
        """What a synchronous standby has not got is not committed; it becomes the primary with all that was."""
        pair = self.own(Pair())
        connection = connect(pair.address())
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE t(n int)")
        self.add(connection, 1)
        self.assertTrue(pair.standby.is_standby())
        pair.fail_over()
        with self.assertRaises(psycopg2.Error):
            self.add(connection, 2)
        connection = connect(pair.address())
        self.add(connection, 3)
        connection.close()
        self.assertEqual(self.found(pair.standby), [1, 3])

    def test_relay_stops(self):
        """A request of which one byte is missing has no effect until that byte comes."""
        server = self.server()
        relay = self.own(Relay(server.port))
        connection = connect(server.address(relay))
        connection.autocommit = True
        before = relay.passed(REQUESTS)
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO t VALUES(1)")
            size = relay.passed(REQUESTS) - before
            self.assertGreater(size, len("INSERT INTO t VALUES(1)"))
            relay.stop_after(REQUESTS, size - 1)
            thread = threading.Thread(target=cursor.execute, args=("INSERT INTO t VALUES(2)",))
            thread.start()
            relay.wait_reached(REQUESTS)
            self.assertEqual(relay.passed(REQUESTS), before + 2 * size - 1)
            self.assertEqual(self.found(server), [1])
            relay.release()
            thread.join()
        self.assertEqual(self.found(server), [1, 2])

    def test_relay_drops_answers(self):
        """The server has committed, and the client does not know."""
        server = self.server()
        relay = self.own(Relay(server.port))
        connection = connect(server.address(relay))
        connection.autocommit = True
        relay.drop_after(ANSWERS)
        failed = []

        def insert():
            with connection.cursor() as cursor:
                try:
                    cursor.execute("INSERT INTO t VALUES(1)")
                except psycopg2.Error as error:
                    failed.append(error)

        thread = threading.Thread(target=insert)
        thread.start()
        relay.wait_reached(ANSWERS)
        wait_until(lambda: self.found(server) == [1], "the row")
        self.assertTrue(thread.is_alive())
        relay.cut(refuse=True)
        thread.join()
        self.assertEqual(len(failed), 1)
        with self.assertRaises(psycopg2.Error):
            connect(server.address(relay))
        relay.release()
        connect(server.address(relay)).close()


if __name__ == "__main__":
    harness.main()
