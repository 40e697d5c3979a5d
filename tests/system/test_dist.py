#!/usr/bin/python3
"""The tarball of a release: `meson dist` packs every file of the commit, and Meson can set it up in a clean
folder. The recipes in packaging know the files that it installs. With TRAWLD_DIST_BUILD=1 in the environment, it is also
built there, its quick tests are run, and rpmbuild makes a package of it.
Exit code 77 with the reason where there is no history, as in the tarball itself."""

import fnmatch
import hashlib
import json
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

UNITS = "/usr/lib/systemd/system"
# what Debian's rpm does not know
MACROS = [
    word
    for macro in (
        "_unitdir " + UNITS,
        "_sysusersdir /usr/lib/sysusers.d",
        "_tmpfilesdir /usr/lib/tmpfiles.d",
        "meson true",
        "meson_build true",
        "meson_test true",
        "meson_install DESTDIR=%{buildroot} meson install --no-rebuild -C b",
        "sysusers_create_compat() true",
        "systemd_post() true",
        "systemd_preun() true",
        "systemd_postun_with_restart() true",
        "systemd_requires %{nil}",
        "sysusers_requires_compat %{nil}",
    )
    for word in ("-D", macro)
]


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
        self.command("meson", "setup", "b", "--prefix=/usr", "-Dtests=enabled", "-Dwerror=true", cwd=tree)
        self.recipes(tree)
        if os.environ.get("TRAWLD_DIST_BUILD"):
            self.command("ninja", "-C", "b", cwd=tree, timeout=1800)
            said = self.command("meson", "test", "-C", "b", "--no-rebuild", "--suite", "quick", cwd=tree, timeout=900)
            print(said.partition("\nOk: ")[2])
            self.rpm(tree)

    def units(self):
        return self.command("pkg-config", "--variable=systemdsystemunitdir", "systemd").strip()

    def recipes(self, tree):
        """No file is missing in a recipe, and none in a recipe is missing."""
        listed = json.loads(self.command("meson", "introspect", "--installed", "b", cwd=tree)).values()
        # by a script: the configuration; and only Debian 12 has its units in /lib
        installed = {path.replace(self.units(), UNITS) for path in listed} | {"/etc/trawld/trawld.conf"}
        spec = self.command("rpmspec", *MACROS, "--parse", "packaging/trawld.spec", cwd=tree)
        rest = set(installed)
        for line in spec.partition("\n%files\n")[2].partition("\n\n")[0].splitlines():
            kind, *words = line.split() if line.startswith("%") else ("", line)
            if kind in ("%license", "%doc"):
                self.assertEqual([word for word in words if not (tree / word).exists()], [])
                continue
            (pattern,) = words
            found = {p for p in installed if fnmatch.fnmatch(p, pattern) or p.startswith(pattern + "/")}
            self.assertTrue(found, "not installed: " + line)
            if kind != "%dir":
                rest -= found
        self.assertEqual(rest, set(), "not in trawld.spec")
        backup = self.command("bash", "-c", '. packaging/PKGBUILD; echo "${backup[@]/#//}"', cwd=tree).split()
        self.assertEqual(set(backup), {p for p in installed if p.startswith("/etc/")})
        apk = "set -eu; . packaging/APKBUILD; "
        for name in self.command("sh", "-c", apk + "echo $source $install", cwd=tree).split():
            self.assertTrue("://" in name or (tree / "packaging" / name).exists(), name)
        # what its package() leaves of the files
        for path in sorted(installed | {p.replace(UNITS, "/lib/systemd/system") for p in installed}):
            (self.dir / "apk" / path[1:]).parent.mkdir(parents=True, exist_ok=True)
            (self.dir / "apk" / path[1:]).touch()
        self.command("sh", "-c", "meson() { :; }; pkgdir=$1 srcdir=packaging; " + apk + "package", "sh",
                     self.dir / "apk", cwd=tree)  # fmt: skip
        left = {str(p.relative_to(self.dir / "apk")) for p in (self.dir / "apk").rglob("*") if not p.is_dir()}
        self.assertEqual({"/" + p for p in left}, {p for p in installed if not p.startswith("/usr/lib/")}
                         | {"/etc/init.d/trawld"})  # fmt: skip
        self.assertFalse((self.dir / "apk/lib").exists())

    def rpm(self, tree):
        """rpmbuild itself compares what is installed with the list."""
        here = ["-D", "_topdir %s" % self.dir, "-D", "_unitdir " + self.units()]
        self.command("rpmbuild", *MACROS, *here, "--build-in-place", "-bb", "--nodeps", "packaging/trawld.spec", cwd=tree)
        package = next((self.dir / "RPMS").rglob("trawld-[0-9]*.rpm"))
        print(self.command("rpm", "-qlp", "--noartifact", package))


if __name__ == "__main__":
    result = harness.unittest.main(verbosity=2, exit=False).result
    if result.skipped:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
