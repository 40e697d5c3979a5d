"""A Debian of the test's own: made with debootstrap, booted with systemd-nspawn. It has the host's
network, so the simulators are at the same addresses. Nothing of it is registered with the host."""

import os
import pathlib
import shutil
import subprocess

import harness
from harness import wait_until

TOOLS = ("debootstrap", "systemd-nspawn", "unshare", "nsenter")
MIRROR = os.environ.get("TRAWLD_MIRROR", "http://deb.debian.org/debian")
PACKAGES = (
    "systemd systemd-sysv dbus logrotate ca-certificates libcurl4 libev4 libjansson4 libmicrohttpd12 "
    "libpq5 librdkafka1 libsqlite3-0 libssl3 libsystemd0 libzstd1 zlib1g"
)
# /run of the host may be a disk, and systemd-nspawn wants to clean up there
BOOT = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
exec systemd-nspawn --quiet --keep-unit --register=no --private-users=no --link-journal=no \\
	--console=pipe --directory "$1" --boot
"""


def missing():
    """Why no such machine can be made here; None: it can."""
    if os.geteuid() != 0:
        return "not root"
    for tool in TOOLS:
        if not shutil.which(tool):
            return "no %s here" % tool
    return None


class Machine:
    def __init__(self, folder):
        self.root = folder / "root"
        self.console = folder / "console"
        self.process = None
        self.leader = None

    def make(self, packages=PACKAGES):
        """None, or why it cannot be made: no mirror, most likely."""
        include = ["--include=" + ",".join(packages.split())] if packages else []
        with open(self.console, "wb") as out:
            code = subprocess.run(
                ["debootstrap", "--variant=minbase", *include, "bookworm", str(self.root), MIRROR],
                stdout=out, stderr=subprocess.STDOUT, timeout=600,
            ).returncode
        return "debootstrap: " + self.text() if code else None

    def text(self):
        return self.console.read_text(errors="replace")[-3000:]

    def boot(self):
        """None, or why systemd-nspawn does not run here."""
        self.leader = None
        with open(self.console, "wb") as out:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", BOOT, "sh", str(self.root)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )
        wait_until(self._boots, "the machine's systemd", seconds=60)
        if self.process.poll() is not None:
            return "systemd-nspawn: " + self.text()
        wait_until(
            lambda: self.run("systemctl", "is-system-running", expect=None).out.strip()
            in ("running", "degraded"),
            "the machine to be up", seconds=90,
        )
        return None

    def _boots(self):
        path = pathlib.Path("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid))
        try:
            children = path.read_text().split()
            for child in children:
                if pathlib.Path("/proc/%s/comm" % child).read_text().strip() == "systemd":
                    self.leader = child
                    return True
        except OSError:
            pass
        return self.process.poll() is not None

    def run(self, *command, expect=0, timeout=120):
        """A command inside, as root."""
        done = subprocess.run(
            ["nsenter", "--target", self.leader, "--all", "--", *command],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "TERM": "dumb",
                 "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_PAGER": "cat"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=timeout * harness.PATIENCE,
        )
        if expect is not None and done.returncode != expect:
            raise AssertionError("%s: %d\n%s" % (command, done.returncode, done.stdout))
        return harness.Result(done.returncode, done.stdout, "")

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", "--property", name, unit).out.strip()

    def path(self, name):
        return self.root / name.lstrip("/")

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def stop(self):
        if self.process and self.process.poll() is None:
            if self.leader:
                os.kill(int(self.leader), 9)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
