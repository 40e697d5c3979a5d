#!/usr/bin/python3
"""The tarball of a release: `meson dist` packs every file of the commit, and Meson can set it up in a clean
folder. With TRAWLD_DIST_BUILD=1 in the environment, it is also built there, and its quick tests are run.
Exit code 77 with the reason where there is no history, as in the tarball itself."""

import hashlib
import os
import re
import subprocess
import sys
import tarfile

import harness
from harness import SOURCE_ROOT

BUILD = os.environ["TRAWLD_BUILD"]
# the tree may belong to another user
ANYBODY = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}


class Dist(harness.Case):
    def command(self, *words, cwd=SOURCE_ROOT, timeout=600):
        done = subprocess.run(
            words, cwd=cwd, env={**os.environ, **ANYBODY}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout * harness.PATIENCE,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout[-5000:])
        return done.stdout

    def test_tarball(self):
        if subprocess.run(["git", "rev-parse"], cwd=SOURCE_ROOT, capture_output=True,
                          env={**os.environ, **ANYBODY}).returncode:  # fmt: skip
            self.skipTest("no git, or no history")
        said = self.command("meson", "dist", "-C", BUILD, "--no-tests", "--allow-dirty", "--formats", "gztar")
        path = re.search(r"^Created (.*/trawld-([\d.]+)\.tar\.gz)$", said, re.M)
        version = path[2]
        for tag in self.command("git", "tag", "--list", "v*", "--points-at", "HEAD").split():
            self.assertEqual(tag, "v" + version)
        with open(path[1], "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        with open(path[1] + ".sha256sum") as file:
            self.assertEqual(file.read().split()[0], digest)
        with tarfile.open(path[1]) as archive:
            found = sorted(member.name for member in archive if not member.isdir())
            archive.extractall(self.dir)
        listed = self.command("git", "ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0")
        self.assertEqual(found, sorted("trawld-%s/%s" % (version, name) for name in listed if name))
        tree = self.dir / ("trawld-" + version)
        self.command("meson", "setup", "b", "-Dtests=enabled", "-Dwerror=true", cwd=tree)
        if os.environ.get("TRAWLD_DIST_BUILD"):
            self.command("ninja", "-C", "b", cwd=tree, timeout=1800)
            said = self.command("meson", "test", "-C", "b", "--no-rebuild", "--suite", "quick", cwd=tree, timeout=900)
            print(said.partition("\nOk: ")[2])


if __name__ == "__main__":
    result = harness.unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
