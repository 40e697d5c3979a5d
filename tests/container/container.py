"""What the tests of the image share. Every container runs as conf/kubernetes/ and README.md say:
read-only root, no capability, user 65532, state on a volume, configuration and secrets mounted.
The simulators are on this host's loopback. TRAWLD_IMAGE is the image's name."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
os.environ.setdefault("TRAWLD", "/usr/sbin/trawld")

import harness
from harness import TOKEN

IMAGE = os.environ["TRAWLD_IMAGE"]
USER = 65532


def podman(*arguments, expect=0, seconds=120):
    """What it printed; with expect None whatever the exit code was."""
    done = subprocess.run(
        ["podman", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds * harness.PATIENCE,
    )
    done.stderr = done.stderr.decode(errors="replace")
    if expect is not None and done.returncode != expect:
        raise AssertionError(
            "podman %s: exit code %d, not %d\n%s"
            % (" ".join(arguments), done.returncode, expect, done.stderr)
        )
    return done


class Image(harness.Case):
    def setUp(self):
        super().setUp()
        self.dir.chmod(0o755)
        self.name = self.dir.name
        self.etc = self.dir / "etc"
        self.secrets = self.dir / "secrets"
        self.logs = self.dir / "log"
        for folder in (self.etc, self.secrets, self.logs):
            folder.mkdir(mode=0o755)
        os.chown(self.logs, USER, USER)
        self.out = self.logs / "acme.ndjson"
        self.conf = self.etc / "trawld.conf"
        self.secret("acme", TOKEN)
        podman("volume", "create", self.name)
        self.addCleanup(podman, "volume", "rm", "--force", self.name, expect=None)
        # the volume cannot go before the container
        self.addCleanup(podman, "rm", "--force", "--time", "0", self.name, expect=None)

    def secret(self, name, text):
        path = self.secrets / name
        path.write_text(text + "\n")
        path.chmod(0o400)
        os.chown(path, USER, USER)

    def configure(self, url, more=""):
        self.conf.write_text(
            "[daemon]\nlisten = off\ncontrol = off\n"
            "[source acme]\nprovider = cloudscale\ntoken = ${file:/run/secrets/trawld/acme}\n"
            "endpoint = %s\nstart = earliest\nrate = off\ninterval = 200ms\n%s\n"
            "[sink archive]\ntype = file\npath = /var/log/trawld/%%{source}.ndjson\n" % (url, more)
        )

    def options(self, *more):
        return (
            *("--name", self.name, "--network", "host"),
            *("--read-only", "--read-only-tmpfs=false"),
            *("--cap-drop", "all", "--security-opt", "no-new-privileges"),
            *("--volume", self.name + ":/var/lib/trawld"),
            *("--volume", "%s:/etc/trawld:ro" % self.etc),
            *("--volume", "%s:/run/secrets/trawld:ro" % self.secrets),
            *("--volume", "%s:/var/log/trawld" % self.logs),
            *more,
        )

    def run_trawld(self, *arguments, expect=0, options=()):
        done = podman("run", "--rm", *self.options(*options), IMAGE, *arguments, expect=expect)
        self.assertNotIn(TOKEN, done.stderr)
        return done

    def state_of(self):
        return json.loads(podman("inspect", self.name).stdout)[0]["State"]

    def log(self):
        done = podman("logs", self.name)
        return done.stderr + done.stdout.decode(errors="replace")
