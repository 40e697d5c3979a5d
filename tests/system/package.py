"""The Debian packages that the test of the package installs: the tree's own, the same with a higher
version, and one with the first program that a service could have run."""

import contextlib
import os
import shutil
import subprocess
import threading

import harness
import machine
import rsyslog
from harness import SOURCE_ROOT

# the end of the first part of the history: its state is what an upgrade finds at the worst
OLDEST = "dc8cf5a364d94e916ad5ae7c25b13808c2f6b424"
GIT = ("git", "-c", "safe.directory=*")


def missing():
    """Why no package can be built and installed here; None: it can."""
    why = machine.missing()
    for tool in ("dpkg-buildpackage", "dh", "lintian", "meson"):
        why = why or (None if shutil.which(tool) else "no %s here" % tool)
    return why or (None if rsyslog.is_there() else "no rsyslogd here")


@contextlib.contextmanager
def flowing(simulator, visible):
    """Records keep appearing until the end of the block; the list's last is how many there are."""
    shown = [visible]
    end = threading.Event()

    def feed():
        while not end.wait(0.03):
            shown.append(shown[-1] + 3)
            simulator.control(visible=shown[-1])

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield shown
    finally:
        end.set()
        thread.join()


class PackageCase(harness.Case):
    missing = staticmethod(missing)

    def setUp(self):
        super().setUp()
        why = self.missing()
        if why:
            self.skipTest(why)
        self.dir = self.dir.resolve()

    def command(self, *words, cwd=None, timeout=600, **more):
        done = subprocess.run(
            words, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout,
            env={**self.environment(), "DEB_BUILD_OPTIONS": "nocheck parallel=2", **more},
        )
        self.assertEqual(done.returncode, 0, done.stdout[-5000:])
        return done.stdout

    def copy_tree(self, tree):
        listed = subprocess.run(
            [*GIT, "ls-files", "-z", "-co", "--exclude-standard"],
            cwd=SOURCE_ROOT, capture_output=True, check=True,
        ).stdout.decode()
        for file in listed.split("\0"):
            if file and (SOURCE_ROOT / file).is_file():
                (tree / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(SOURCE_ROOT / file, tree / file)
        return tree

    def build(self, name, **more):
        """The .changes of a copy of the tree, which stays as it is. Without the unit tests, which
        run beside this one."""
        tree = self.copy_tree(self.dir / name / "trawld")
        self.command("dpkg-buildpackage", "-us", "-uc", "-b", cwd=tree, **more)
        (changes,) = tree.parent.glob("trawld_*.changes")
        return changes

    def package(self, changes):
        (package,) = changes.parent.glob("trawld_*.deb")
        return package

    def examined(self, changes):
        """No error, no warning, and what lintian is less sure of, to be read."""
        print(self.command("lintian", "--allow-root", "--fail-on", "error,warning", "--pedantic",
                           "--display-info", str(changes)))

    def reproducible(self, changes):
        """In another folder, another zone, at another time: the same packages to the byte."""
        again = self.build("elsewhere-and-longer", TZ="Asia/Kathmandu")
        names = sorted(path.name for path in changes.parent.glob("*.deb"))
        self.assertEqual(len(names), 2)  # with the debugging symbols
        for name in names:
            same = (changes.parent / name).read_bytes() == (again.parent / name).read_bytes()
            self.assertTrue(same, name + " differs when it is built again")

    def changed(self, package, name, version, change):
        """Another version of a package, after CHANGE of its tree."""
        tree = self.dir / name
        self.command("dpkg-deb", "-R", str(package), str(tree))
        control = tree / "DEBIAN" / "control"
        lines = control.read_text().splitlines(keepends=True)
        control.write_text("".join(
            "Version: %s\n" % version if line.startswith("Version:") else line for line in lines
        ))
        change(tree)
        path = self.dir / (name + ".deb")
        self.command("dpkg-deb", "--root-owner-group", "-b", str(tree), str(path))
        return path

    def higher(self, package):
        """One more line in every conffile."""
        def change(tree):
            for name in ("trawld/trawld.conf", "logrotate.d/trawld"):
                with open(tree / "etc" / name, "a") as file:
                    file.write("# a new line of the package's\n")

        return self.changed(package, "higher", "9:1", change)

    def older(self, package):
        """With the program, definitions and example of OLDEST; None where the history is cut."""
        known = subprocess.run(
            [*GIT, "cat-file", "-e", OLDEST + "^{commit}"], cwd=SOURCE_ROOT, capture_output=True
        )
        if known.returncode:
            return None
        source = self.dir / "oldest"
        source.mkdir()
        archive = subprocess.run(
            [*GIT, "archive", OLDEST], cwd=SOURCE_ROOT, capture_output=True, check=True
        ).stdout
        subprocess.run(["tar", "-x", "-C", str(source)], input=archive, check=True)
        self.command("meson", "setup", "--prefix=/usr", "--buildtype=release", "-Dtests=disabled",
                     "b", cwd=source)
        self.command("meson", "compile", "-C", "b", cwd=source)

        def change(tree):
            shutil.copy(source / "b/daemon/trawld", tree / "usr/sbin/trawld")
            shutil.rmtree(tree / "usr/share/trawld/providers")
            shutil.copytree(source / "conf/providers", tree / "usr/share/trawld/providers")
            os.unlink(tree / "usr/bin/trawlctl")
            # it told the service manager that it is ready, but not that its loop turns
            unit = tree / "lib/systemd/system/trawld.service"
            unit.write_text(unit.read_text().replace("WatchdogSec=60s\n", ""))

        return self.changed(package, "older", "0.0.1", change)
