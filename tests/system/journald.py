"""systemd-journald as a receiver that nobody else knows of.

It runs in a mount namespace of its own, so the machine's journal (if there is one) sees nothing of
it; its socket is reached through /proc/PID/root. That needs root or user namespaces and Debian's
package systemd. As on a real machine the socket is not journald's own: this file, run as a program
in the namespace, is its systemd. It holds the socket while journald is started, killed and away.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys

PROGRAM = "/lib/systemd/systemd-journald"
SOCKET = "/run/systemd/journal/socket"
CONF = (
    "[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\nReadKMsg=no\nAudit=no\nCompress=no\n"
    "RuntimeMaxUse=1G\nRuntimeKeepFree=1M\n"
)
START = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log
for directory in /etc/systemd/journald.conf.d /usr/lib/systemd/journald.conf.d; do
	[ ! -d "$directory" ] || mount -t tmpfs tmpfs "$directory"
done
[ ! -e /etc/systemd/journald.conf ] || mount --bind "$1" /etc/systemd/journald.conf
exec "$2" "$3"
"""


def is_there():
    return os.path.exists(PROGRAM) and shutil.which("journalctl") and shutil.which("unshare")


def started(case):
    """One that runs until CASE ends; where none can, CASE is skipped."""
    if not is_there():
        case.skipTest("no systemd-journald, journalctl or unshare here")
    receiver = Journald(case.dir)
    case.addCleanup(receiver.stop)
    if not receiver.open() or not receiver.start():
        case.skipTest("journald cannot run in a namespace here: " + receiver.words[-300:])
    return receiver


class Journald:
    """After start() it runs. pid: that of journald itself."""

    def __init__(self, folder):
        conf = folder / "journald.conf"
        conf.write_text(CONF)
        # with root no user namespace is needed; without, the kernel may refuse one
        own = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        program = ["sh", "-c", START, "sh", str(conf), sys.executable, os.path.abspath(__file__)]
        self.process = subprocess.Popen(
            ["unshare", "--mount", *own, *program],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )
        self.root = pathlib.Path("/proc/%d/root" % self.process.pid)
        self.socket = self.root / SOCKET[1:]
        self.pid = 0

    def ask(self, command):
        """The holder's answer, or None where it has ended: self.words tells why."""
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        self.words = ""
        while line := self.process.stdout.readline():
            if line.startswith("done"):
                return line.split()[1]
            self.words += line
        return None

    def open(self):
        return self.ask("open")

    def close(self):
        """The socket goes away with what is in it. After end() only."""
        self.ask("close")

    def start(self):
        """False: it cannot run here."""
        pid = self.ask("start")
        self.pid = int(pid or 0)
        return pid is not None

    def end(self, number=signal.SIGTERM):
        os.kill(self.pid, number)
        os.kill(self.pid, signal.SIGCONT)
        self.ask("wait")

    def hold(self):
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def entries(self):
        """What it holds of trawld, as journalctl prints it."""
        self.journalctl("--sync")
        text = self.journalctl("--all", "--output", "json", "SYSLOG_IDENTIFIER=trawld")
        return [json.loads(line) for line in text.splitlines()]

    def journalctl(self, *arguments):
        command = ["journalctl", "--directory", str(self.root / "run/log/journal"), "--quiet"]
        return subprocess.run([*command, *arguments], capture_output=True).stdout

    def stop(self):
        with contextlib.suppress(BrokenPipeError):  # it could not begin
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Holder:
    """The socket, and journald as a child that gets it as systemd would give it."""

    def __init__(self):
        self.child = None
        self.listener = None

    def open(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener.bind(SOCKET)
        os.chmod(SOCKET, 0o666)

    def close(self):
        os.unlink(SOCKET)
        self.listener.close()

    def start(self):
        self.child = os.fork()
        if self.child == 0:
            os.dup2(self.listener.fileno(), 3)
            os.set_inheritable(3, True)
            os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
            os.execv(PROGRAM, [PROGRAM])

    def wait(self):
        if self.child:
            os.waitpid(self.child, 0)
        self.child = None


def main():
    holder = Holder()
    for line in sys.stdin:
        getattr(holder, line.strip())()
        print("done", holder.child or 0, flush=True)
    if holder.child:
        os.kill(holder.child, signal.SIGKILL)


if __name__ == "__main__":
    main()
