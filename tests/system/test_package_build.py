#!/usr/bin/python3
"""The Debian package built where nothing is installed but what `apt-get build-dep` brings, with its
unit tests, by a user without privileges. Exit code 77 with the reason where that cannot be made."""

import subprocess
import sys
import unittest

import machine
import package

INSIDE = """
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root=$1 user=$2
shift 2
exec chroot --userspec="$user" "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \\
	HOME=/build DEBIAN_FRONTEND=noninteractive "$@"
"""


class PackageBuild(package.PackageCase):
    def missing(self):
        return machine.missing()

    def inside(self, *command, user="root:root", timeout=900):
        done = subprocess.run(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", INSIDE, "sh",
             str(self.root), user, *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=timeout,
        )
        self.assertEqual(done.returncode, 0, done.stdout[-8000:])
        return done.stdout

    def test_only_what_build_dep_brings(self):
        box = machine.Machine(self.dir)
        self.root = box.root
        why = box.make(packages="")
        if why:
            self.skipTest(why)
        tree = self.copy_tree(self.root / "build" / "trawld")
        apt = ("apt-get", "-qq", "-y", "--no-install-recommends")
        self.inside(*apt, "update")
        self.inside(*apt, "build-dep", "/build/trawld")
        self.inside("chown", "-R", "nobody:nogroup", "/build")
        said = self.inside(
            "sh", "-c", "cd /build/trawld && DEB_BUILD_OPTIONS=parallel=2 dpkg-buildpackage -us -uc -b",
            user="nobody:nogroup", timeout=1500)
        # the unit tests have run
        (passed,) = [line for line in said.splitlines() if line.startswith("Ok:")]
        self.assertGreater(int(passed.split()[1]), 100)
        names = sorted(path.name.split("_")[0] for path in tree.parent.glob("*.deb"))
        self.assertEqual(names, ["trawld", "trawld-dbgsym"])


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
