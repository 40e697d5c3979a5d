"""Receivers that cannot tell what they have had before: what is sent again after a kill comes twice, and nothing else may.

Each has address, sink(), the lines of its section, and texts(), the records that came, in order.
"""

import json
import re
import socket
import threading

import syslog_peer

FIELD = re.compile(rb"(?:^|\n)MESSAGE\n........([^\n]*)\n", re.DOTALL)  # of a line; its size comes before it


class Syslog(syslog_peer.Peer):
    """KIND: relp, counted or lines (both TCP)."""

    def sink(self):
        framing = "" if self.kind == "relp" else "framing = %s\n" % self.kind
        return "[sink %s]\ntype = syslog\naddress = %s\n%sretry_max = 1s\n" % (self.kind, self.address(), framing)

    def texts(self):
        matches = [syslog_peer.MESSAGE.fullmatch(message) for message in list(self.messages)]
        return [match.group(8).decode() for match in matches]


class Datagrams:
    """A socket in PATH. KIND: unix (syslog) or journal, the native protocol of journald."""

    def __init__(self, kind, path):
        self.kind, self.path, self.messages = kind, path, []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self):
        try:
            while True:
                message = self.socket.recv(1 << 20)
                if message:
                    self.messages.append(message)
        except OSError:
            pass

    def sink(self):
        where = "address = unix:%s" if self.kind == "unix" else "socket = %s"
        kind = "syslog" if self.kind == "unix" else "journal"
        return "[sink %s]\ntype = %s\n%s\nretry_max = 1s\n" % (self.kind, kind, where % self.path)

    def texts(self):
        pattern = syslog_peer.MESSAGE.fullmatch if self.kind == "unix" else FIELD.search
        return [pattern(message).groups()[-1].decode() for message in list(self.messages)]

    def stop(self):
        self.socket.close()


class Output:
    """Standard output, in a file."""

    kind = "stdout"

    def __init__(self, path):
        self.path = path

    def sink(self):
        return "[sink stdout]\ntype = stdout\nretry_max = 1s\n"

    def texts(self):
        return [line for line in self.path.read_text().splitlines() if not self.is_half(line)]

    def is_half(self, line):
        """A record that a kill cut: it comes again."""
        try:
            return not json.loads(line)
        except ValueError:
            return True

    def stop(self):
        pass


def is_in_order(texts, lines):
    """Whether TEXTS are all LINES in order, but that after any of them they may begin again at an earlier one."""
    places = {}
    for number, line in enumerate(lines):
        places.setdefault(line, []).append(number)
    reached = {-1: -1}  # where the last text may be, as lines may be equal: the furthest line that came
    for text in texts:
        step = {}
        for at, furthest in reached.items():
            again = [place for place in places.get(text, ()) if place <= at]
            for place in again + [at + 1] * (lines[at + 1 : at + 2] == [text]):
                step[place] = max(furthest, place, step.get(place, 0))
        reached = step
    return max(reached.values(), default=-1) == len(lines) - 1


def all_of(folder):
    """One of each. Kafka is tried with real brokers (script/test-cluster): librdkafka's own has no transactions."""
    found = [Syslog("relp"), Syslog("counted"), Syslog("lines"), Output(folder / "stdout")]
    found += [Datagrams("unix", folder / "log"), Datagrams("journal", folder / "journal")]
    return found
