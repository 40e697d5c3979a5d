"""An HTTP proxy on loopback: requests in absolute form, and CONNECT. It writes down what it is asked."""

import base64
import socket
import threading
import urllib.parse


class Proxy:
    def __init__(self, user=None, password=None):
        self.user = user
        self.password = password
        self.log = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def url(self, password=None):
        caller = "%s:%s@" % (self.user, password or self.password) if self.user else ""
        return "http://%s127.0.0.1:%d" % (caller, self.port)

    def stop(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _listen(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        try:
            with client:
                self._serve_one(client)
        except OSError:
            pass

    def _serve_one(self, client):
        """One request a connection: the answer to a plain one says so."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = client.recv(65536)
            if not more:
                return
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines}
        if self.user and headers.get("proxy-authorization") != self._proof():
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="p"\r\nContent-Length: 0\r\n'
                b"Connection: close\r\n\r\n"
            )
            return
        self.log.append("%s %s" % (method, target))
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            with socket.create_connection((host, int(port))) as server:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                server.sendall(rest)
                self._pump(client, server)
            return
        parts = urllib.parse.urlsplit(target)
        own = ("proxy-authorization", "proxy-connection", "connection")
        kept = [line for line in lines if line.split(":", 1)[0].lower() not in own]
        path = target.split(parts.netloc, 1)[1]
        text = "\r\n".join(["%s %s HTTP/1.1" % (method, path), *kept, "Connection: close", "", ""])
        with socket.create_connection((parts.hostname, parts.port)) as server:
            server.sendall(text.encode("latin-1") + rest)
            self._pump(client, server)

    def _proof(self):
        pair = "%s:%s" % (self.user, self.password)
        return "Basic " + base64.b64encode(pair.encode()).decode()

    @staticmethod
    def _pump(client, server):
        def copy(source, to):
            try:
                while data := source.recv(65536):
                    to.sendall(data)
                to.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        other = threading.Thread(target=copy, args=(client, server), daemon=True)
        other.start()
        copy(server, client)
        client.shutdown(socket.SHUT_RDWR)
        other.join()
