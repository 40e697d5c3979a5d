"""A syslog receiver that believes nothing: it takes frames apart by its transport's own rules and
keeps every message's bytes, however long; rsyslogd cuts them at its own limit."""

import re
import socket
import threading

MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\S+) (\S+) (\S+) (\S+) (\S+) "
    rb'\[trawld@\d+((?: \w+="(?:[^"\\\]\x00-\x1f\x7f]|\\["\\\]])*")*)\] (.*)',
    re.DOTALL,
)
RELP_FRAME = re.compile(rb"(\d{1,9}) ([a-z]{1,32}) (\d{1,9})(?= |\n)")


class Peer:
    """KIND: counted or lines (TCP), relp, udp. MESSAGES: those that came, in order; FAULTS: what
    was against the rules (an empty list at the end of a good run)."""

    def __init__(self, kind):
        self.kind = kind
        self.messages = []
        self.faults = []
        datagrams = kind == "udp"
        self.socket = socket.socket(
            socket.AF_INET, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
        )
        if datagrams:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("127.0.0.1", 0))
        if not datagrams:
            self.socket.listen()
        self.thread = threading.Thread(
            target=self._datagrams if datagrams else self._connections, daemon=True
        )
        self.thread.start()

    def address(self):
        scheme = {"counted": "tcp", "lines": "tcp"}.get(self.kind, self.kind)
        return "%s://127.0.0.1:%d" % (scheme, self._port())

    def dropped(self):
        """Datagrams that the kernel had no room for."""
        with open("/proc/net/udp") as file:
            rows = [row.split() for row in file if " 0100007F:%04X " % self._port() in row]
        return int(rows[0][-1])

    def _port(self):
        return self.socket.getsockname()[1]

    def stop(self):
        # wakes accept() and recv()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()

    def _datagrams(self):
        try:
            while True:
                data = self.socket.recv(1 << 17)
                self.messages.append(data)
        except OSError:
            pass

    def _connections(self):
        take = getattr(self, "_take_" + self.kind)
        try:
            while True:
                connection, _ = self.socket.accept()
                with connection, connection.makefile("rb", 1 << 20) as stream:
                    try:
                        while take(stream, connection):
                            pass
                    except (ValueError, ConnectionError) as fault:
                        self.faults.append(str(fault))
        except OSError:
            pass

    def _exactly(self, stream, size):
        data = stream.read(size)
        if len(data) < size:
            raise ValueError("the connection ends within a frame")
        return data

    def _until(self, stream, ends, most):
        """Bytes up to one of ENDS, which comes along; empty at the end of the connection."""
        text = b""
        while not text.endswith(ends):
            byte = stream.read(1)
            if not byte and not text:
                return b""
            text += byte
            if not byte or len(text) > most:
                raise ValueError("no frame begins with %r" % text[:80])
        return text

    def _take_counted(self, stream, _):
        head = self._until(stream, b" ", 10)
        if not head:
            return False
        if not re.fullmatch(rb"[1-9]\d{0,8} ", head):
            raise ValueError("no length: %r" % head)
        self.messages.append(self._exactly(stream, int(head)))
        return True

    def _take_lines(self, stream, _):
        line = stream.readline()
        if not line:
            return False
        if not line.endswith(b"\n"):
            raise ValueError("the connection ends within a line")
        self.messages.append(line[:-1])
        return True

    def _take_relp(self, stream, connection):
        head = self._until(stream, (b" ", b"\n"), 10)
        if not head:
            return False
        head += self._until(stream, (b" ", b"\n"), 33) + self._until(stream, (b" ", b"\n"), 10)
        match = RELP_FRAME.match(head)
        if not match:
            raise ValueError("no frame: %r" % head)
        number, command, size = match.groups()
        data = self._exactly(stream, int(size)) if head.endswith(b" ") else b""
        if head.endswith(b" ") and self._exactly(stream, 1) != b"\n":
            raise ValueError("frame %r does not end where it says" % head)
        if command == b"syslog":
            self.messages.append(data)
        elif command not in (b"open", b"close"):
            raise ValueError("command %r" % command)
        answer = b"200 OK" + (b"\n" + data if command == b"open" else b"")
        connection.sendall(b"%s rsp %d %s\n" % (number, len(answer), answer))
        return command != b"close"
