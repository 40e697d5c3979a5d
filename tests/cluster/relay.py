"""A relay between trawld and a server: it counts bytes, and stops, swallows or cuts what passes.

The two directions are REQUESTS (to the server) and ANSWERS (from it). What is set counts from then on, over all connections
together, and lasts until release().
"""

import socket
import threading
import time

from harness import wait_until

REQUESTS, ANSWERS = "requests", "answers"


class Relay:
    def __init__(self, target):
        self.target = target
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.changed = threading.Condition()
        self.n_passed = {REQUESTS: 0, ANSWERS: 0}
        self.limits = {}  # direction: (bytes that may still pass, drop the rest?)
        self.reached = set()  # directions whose limit was met
        self.next = None  # (bytes, limits that begin with the request that contains them)
        self.n_marked = 0  # how long that request was
        self.mark = None  # (bytes, direction): as below, from the request that contains them
        self.muted = set()  # sockets from which nothing passes any more, though it is read
        self.refusing = False
        self.rate = None  # bytes a second of requests, over each connection
        self.sockets = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def passed(self, direction):
        with self.changed:
            return self.n_passed[direction]

    def stop_after(self, direction, count=0):
        """COUNT bytes more, then nothing until release(): what follows waits."""
        self._limit(direction, count, False)

    def drop_after(self, direction, count=0):
        """COUNT bytes more; what follows is lost."""
        self._limit(direction, count, True)

    def stop_at(self, text, direction, count):
        """The same, from the request on that contains TEXT."""
        with self.changed:
            self.next = (text, direction, count)
            self.reached.discard(direction)

    def mute_at(self, text, direction):
        """From the request on that contains TEXT, what follows in that one connection is lost for ever. Others work."""
        with self.changed:
            self.mark = (text, direction)

    def _limit(self, direction, count, drop):
        with self.changed:
            self.limits[direction] = (count, drop)
            self.reached.discard(direction)
            self.changed.notify_all()

    def wait_reached(self, direction, seconds=30):
        """Waits until a byte was kept back or dropped."""
        wait_until(lambda: direction in self.reached, "the limit of the %s" % direction, seconds)

    def release(self):
        """Everything passes again, what was stopped first."""
        with self.changed:
            self.limits.clear()
            self.next = None
            self.reached.clear()
            self.refusing = False
            self.changed.notify_all()

    def cut(self, refuse=False):
        """Closes all connections; REFUSE: also new ones, until release()."""
        with self.changed:
            self.refusing = refuse
            sockets, self.sockets = self.sockets, set()
            self.changed.notify_all()
        for one in sockets:
            self._close(one)

    def remove(self):
        self.server.close()
        self.cut(refuse=True)
        self.release()

    @staticmethod
    def _close(one):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            with self.changed:
                refused = self.refusing
                if not refused:
                    self.sockets |= {client, server}
            if refused:
                self._close(client)
                self._close(server)
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((client, server, REQUESTS), (server, client, ANSWERS)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _take(self, direction, data, source, sink):
        """(how many bytes may pass now, how many are dropped); waits while it is none. None: the connection was cut."""
        wanted = len(data)
        with self.changed:
            if direction == REQUESTS and self.next and self.next[0] in data:
                self.limits[self.next[1]] = (self.next[2], False)
                self.next, self.n_marked = None, wanted
            if direction == REQUESTS and self.mark and self.mark[0] in data:
                self.muted.add(source if self.mark[1] == REQUESTS else sink)
                self.mark = None
            while True:
                if source not in self.sockets:
                    return None
                if source in self.muted:
                    return 0, wanted
                left, drop = self.limits.get(direction, (wanted, False))
                n = min(left, wanted)
                if direction in self.limits:
                    self.limits[direction] = (left - n, drop)
                    if n < wanted:
                        self.reached.add(direction)
                self.n_passed[direction] += n
                if n or drop:
                    return n, wanted - n if drop else 0
                self.changed.wait()

    def _pass(self, source, sink, direction):
        try:
            while data := source.recv(65536):
                while data:
                    taken = self._take(direction, data, source, sink)
                    if taken is None:
                        return
                    n, dropped = taken
                    if self.rate and direction == REQUESTS:
                        time.sleep(n / self.rate)
                    sink.sendall(data[:n])
                    data = data[n + dropped:]
        except OSError:
            pass
        finally:
            with self.changed:
                self.sockets -= {source, sink}
                self.changed.notify_all()
            self._close(source)
            self._close(sink)
