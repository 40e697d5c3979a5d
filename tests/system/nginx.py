"""nginx as a program of its own: one server on loopback, in TLS or not, configured by the test."""

import os
import shutil
import signal
import socket
import subprocess

from harness import wait_until

PROGRAM = shutil.which("nginx", path="/usr/sbin:/sbin:/usr/bin")

CONFIGURATION = """
daemon off;
worker_processes 1;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log;
%(user)s
events { worker_connections 64; }
http {
    access_log %(folder)s/access.log;
    client_body_temp_path %(folder)s/t1;
    proxy_temp_path %(folder)s/t2;
    fastcgi_temp_path %(folder)s/t3;
    uwsgi_temp_path %(folder)s/t4;
    scgi_temp_path %(folder)s/t5;
    server {
        listen 127.0.0.1:%(port)d %(tls)s;
        %(server)s
    }
}
"""


def is_there():
    return PROGRAM is not None and os.access(PROGRAM, os.X_OK)


class Nginx:
    def __init__(self, folder, server, tls=False):
        """SERVER: what stands in the server block."""
        folder.mkdir()
        self.folder = folder
        self.tls = tls
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None
        self.start(server)

    def url(self, path):
        return "http%s://localhost:%d%s" % ("s" if self.tls else "", self.port, path)

    def start(self, server):
        values = {
            "folder": self.folder,
            "port": self.port,
            "tls": "ssl" if self.tls else "",
            "server": server,
            "user": "user root;" if os.geteuid() == 0 else "",
        }
        conf = self.folder / "nginx.conf"
        conf.write_text(CONFIGURATION % values)
        errors = self.folder / "error.log"
        self.process = subprocess.Popen(
            [PROGRAM, "-e", str(errors), "-c", str(conf)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self.is_ready, "nginx to listen (%s)" % errors)

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError("nginx ended:\n" + (self.folder / "error.log").read_text())
        return self.is_listening()

    def is_listening(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def statuses(self):
        """Of the requests that it has answered, in order."""
        lines = (self.folder / "access.log").read_text().splitlines()
        return [line.split('" ')[1].split()[0] for line in lines]

    def kill(self):
        """kill -9, of its workers too."""
        children = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        with open(children) as file:
            workers = [int(word) for word in file.read().split()]
        self.process.kill()
        self.process.wait()
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: not self.is_listening(), "the end of nginx")

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()
