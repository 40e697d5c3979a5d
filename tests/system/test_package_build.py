#!/usr/bin/python3
"""What README says of the installation, where nothing is installed but what `apt build-dep` brings: the
package is built with its unit tests, and installed; then trawld without a package. By a user without
privileges where README does not say sudo. Exit code 77 with the reason where that cannot be made."""

import subprocess
import sys
import unittest

import machine
import package
from papers import blocks

INSIDE = """
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
root=$1 user=$2
shift 2
exec chroot --userspec="$user" "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \\
	HOME=/build DEBIAN_FRONTEND=noninteractive DEB_BUILD_OPTIONS=parallel=2 "$@"
"""
APT = """APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
quiet "1";
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

    def as_printed(self, commands):
        """Each line as the user that README means: root where it says sudo."""
        said = ""
        for line in commands.splitlines():
            user = "root:root" if line.startswith("sudo ") else "nobody:nogroup"
            line = "cd /build/trawld && " + line.replace("sudo ", "")
            said += self.inside("sh", "-c", line, user=user, timeout=1500)
        return said

    def test_only_what_build_dep_brings(self):
        box = machine.Machine(self.dir)
        self.root = box.root
        why = box.make(packages="")
        if why:
            self.skipTest(why)
        self.tree = self.copy_tree(self.root / "build" / "trawld")
        self.inside("chown", "-R", "nobody:nogroup", "/build")
        box.write("/etc/apt/apt.conf.d/90test", APT)
        self.inside("apt-get", "update")
        (commands,) = blocks("README.md", "sh", "sudo apt build-dep")
        said = self.as_printed(commands)
        # the unit tests have run
        (passed,) = [line for line in said.splitlines() if line.startswith("Ok:")]
        self.assertGreater(int(passed.split()[1]), 100)
        names = sorted(path.name.split("_")[0] for path in self.tree.parent.glob("*.deb"))
        self.assertEqual(names, ["trawld", "trawld-dbgsym"])
        version = self.inside("trawld", "--version")
        self.inside("dpkg", "--purge", "trawld")
        self.assertFalse(box.path("/usr/sbin/trawld").exists())
        (commands,) = blocks("README.md", "sh", "script/packages build")
        self.as_printed(commands)
        self.assertEqual(self.inside("trawld", "--version"), version)
        owner = self.inside("stat", "-c", "%U %a", "/var/lib/trawld", "/etc/trawld/secrets")
        self.assertEqual(owner, "trawld 700\nroot 700\n")


if __name__ == "__main__":
    result = unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
