#!/usr/bin/python3
"""The image of Containerfile under podman; script/test-container builds it and runs this."""

import io
import json
import os
import pathlib
import random
import re
import subprocess
import tarfile

from container import IMAGE, ROOT, USER, Image, harness, podman
from harness import TOKEN, wait_until
from papers import blocks, replaced

import cloudscale

ROUNDS = 12
RECORDS = 30_000


def version():
    return re.search(r"^  version : '(.*)',$", (ROOT / "meson.build").read_text(), re.M)[1]


class Contents(Image):
    def files(self):
        """path -> (member, archive)"""
        podman("create", "--name", self.name, IMAGE)
        archive = tarfile.open(fileobj=io.BytesIO(podman("export", self.name).stdout))
        return {"/" + member.name: (member, archive) for member in archive}

    def test_contents(self):
        files = self.files()
        programs = {
            path
            for path, (member, _) in files.items()
            if member.isfile() and member.mode & 0o111 and ".so" not in path
        }
        self.assertEqual(programs, {"/usr/sbin/trawld", "/usr/bin/trawlctl"})
        for path, (member, _) in files.items():
            self.assertFalse(member.mode & 0o6000, "set-user-ID: " + path)
            if member.mode & 0o002 and not member.issym():
                self.assertEqual(path, "/tmp")
            if member.uid != 0:
                self.assertIn(path, ("/var/lib/trawld", "/var/log/trawld"))
        for path in ("/etc/ssl/certs/ca-certificates.crt", "/usr/share/zoneinfo/Europe/Zurich"):
            self.assertIn(path, files)
        for definition in (ROOT / "conf" / "providers").glob("*.conf"):
            member, tar = files["/usr/share/trawld/providers/" + definition.name]
            self.assertEqual(tar.extractfile(member).read(), definition.read_bytes())
        # scanners find the packages, and each one's licence is there
        status = [p for p in files if p.startswith("/var/lib/dpkg/status.d/")]
        member, tar = files["/var/lib/dpkg/status.d/trawld"]
        self.assertIn("Version: %s\n" % version(), tar.extractfile(member).read().decode())
        for package in ("libc6", "libcurl4", "libssl3", "libsqlite3-0", "ca-certificates", "tzdata"):
            self.assertIn("/var/lib/dpkg/status.d/" + package, status)
        for path in status:
            self.assertIn("/usr/share/doc/%s/copyright" % path.rpartition("/")[2], files)

    def test_configuration(self):
        image = json.loads(podman("image", "inspect", IMAGE).stdout)[0]
        print("the image has %.1f MB" % (image["Size"] / 1e6), flush=True)
        # README.md says 30
        self.assertLess(image["Size"], 35e6)
        config = image["Config"]
        self.assertEqual(config["User"], "%d:%d" % (USER, USER))
        self.assertEqual(list(config["Volumes"]), ["/var/lib/trawld"])
        self.assertEqual(config["Entrypoint"], ["/usr/sbin/trawld"])
        for name in ("title", "description", "licenses", "vendor", "version", "revision", "source"):
            self.assertTrue(config["Labels"].get("org.opencontainers.image." + name), name)
        self.assertEqual(config["Labels"]["org.opencontainers.image.version"], version())

    def test_health(self):
        """Images of Docker's format have it; the format of podman build has no place for it."""
        text = (ROOT / "Containerfile").read_text()
        command = json.loads(re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", text, re.M)[1])
        self.assertEqual(command, ["/usr/bin/trawlctl", "status", "--check"])

    def test_no_shell(self):
        for shell in ("/bin/sh", "/usr/bin/sh", "sh"):
            done = podman("run", "--rm", "--entrypoint", shell, IMAGE, "-c", ":", expect=None)
            self.assertIn(done.returncode, (126, 127), done.stderr)

    def test_programs(self):
        self.assertIn(b"trawld", self.run_trawld("--version").stdout)
        done = self.run_trawld("providers", options=("--entrypoint", "/usr/bin/trawlctl"))
        self.assertIn(b"cloudscale", done.stdout)


class Readme(Image):
    def test_commands(self):
        """As printed there, with the folders of this test."""
        simulator = self.cloudscale(300)
        self.configure(simulator.url)
        self.conf.write_text(self.conf.read_text().replace("/run/secrets/trawld", "/etc/trawld/secrets"))
        self.secrets = self.etc / "secrets"
        self.secrets.mkdir()
        self.secret("acme", TOKEN)
        (commands,) = blocks("README.md", "sh", "podman build")
        limits = "--ulimit nofile=1024:1024 --ulimit nproc=1000:1000"
        commands = replaced(commands, [
            ("podman build -t trawld ", "podman build -t %s:readme --network host %s " % (self.name, limits)),
            ("podman run -d --name trawld ", "podman run -d --network host --name %s " % self.name),
            ("trawld-state:", self.name + ":"), ("-v /etc/trawld:", "-v %s:" % self.etc),
            ("/var/log/trawld:/var/log/trawld trawld\n", "%s:/var/log/trawld %s:readme\n" % (self.logs, self.name)),
        ])  # fmt: skip
        self.addCleanup(podman, "rmi", "--force", self.name + ":readme", expect=None)
        done = subprocess.run(["sh", "-euc", commands], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 300)))
        self.assert_output(cloudscale.expected_lines(1, 0, 300))


class Once(Image):
    def test_once(self):
        simulator = self.cloudscale(3000)
        self.configure(simulator.url)
        simulator.control(visible=1000)
        self.run_trawld("--check")
        self.run_trawld("--once")
        self.assert_output(cloudscale.expected_lines(1, 0, 1000))
        self.run_trawld("--once")
        self.assert_output(cloudscale.expected_lines(1, 0, 1000))
        simulator.control(visible=3000)
        self.run_trawld("--once")
        self.assert_output(cloudscale.expected_lines(1, 0, 3000))

    def test_codes(self):
        simulator = self.cloudscale(10)
        self.configure(simulator.url, "no_such_key = 1")
        self.assertIn("no_such_key", self.run_trawld("--once", expect=78).stderr)
        self.configure(simulator.url)
        simulator.control(revoked=[TOKEN])
        self.run_trawld("--once", expect=75)

    def certificate(self):
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
        subprocess.run(
            command.split()
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
            + ["-keyout", str(self.dir / "key.pem"), "-out", str(self.dir / "cert.pem")],
            check=True,
            capture_output=True,
        )
        return self.dir / "cert.pem"

    def test_tls(self):
        """By name and over TLS; certificates are looked for where the image has them."""
        certificate = self.certificate()
        files = ("--tls-cert", str(certificate), "--tls-key", str(self.dir / "key.pem"))
        simulator = harness.Simulator("cloudscale", "--project", TOKEN + "=1:500", *files)
        self.addCleanup(simulator.stop)
        # the simulator's links name the address
        allow = "allow_origins = " + simulator.url
        self.configure(simulator.url.replace("127.0.0.1", "localhost"), allow)
        done = self.run_trawld("--once", expect=75)
        self.assertRegex(done.stderr, "the TLS certificate of .* is not accepted: .*that CA's file")
        self.assertFalse(self.out.exists())
        own = "%s:/etc/ssl/certs/ca-certificates.crt:ro" % certificate
        self.run_trawld("--once", options=("--volume", own))
        self.assert_output(cloudscale.expected_lines(1, 0, 500))


class Daemon(Image):
    def start(self):
        podman("run", "--detach", *self.options(), IMAGE)

    def size(self):
        return self.out.stat().st_size if self.out.exists() else 0

    def wait_growth(self, goal):
        def question():
            if self.size() >= goal:
                return True
            return pathlib.Path("/proc/%d" % self.pid).exists() is False

        wait_until(question, "%d bytes" % goal, 60)
        self.assertTrue(self.state_of()["Running"], self.log())

    @property
    def pid(self):
        return self.state_of()["Pid"]

    def test_confined(self):
        simulator = self.cloudscale(100)
        self.configure(simulator.url)
        self.start()
        self.wait_size(self.out, len(cloudscale.expected_lines(1, 0, 100)))
        process = pathlib.Path("/proc/%d" % self.pid)
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
        self.assertEqual(set(status["Uid"].split()), {str(USER)})
        self.assertEqual(set(status["Gid"].split()), {str(USER)})
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual(status["NoNewPrivs"], "1")
        mounts = {}
        for line in (process / "mountinfo").read_text().splitlines():
            mounts[line.split()[4]] = line.split()[5].split(",")
        for path in ("/", "/etc/trawld", "/run/secrets/trawld"):
            self.assertIn("ro", mounts[path], path)
        for path in ("/var/lib/trawld", "/var/log/trawld"):
            self.assertIn("rw", mounts[path], path)
        self.assertNotIn("/tmp", mounts)
        self.assertNotIn(TOKEN, (process / "environ").read_text())

        podman("stop", "--time", "30", self.name)
        state = self.state_of()
        self.assertEqual(state["ExitCode"], 0, self.log())
        self.assertNotIn(TOKEN, self.log())
        self.assert_output(cloudscale.expected_lines(1, 0, 100))

    def test_kill(self):
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        dice = random.Random(seed)
        expected = cloudscale.expected_lines(1, 0, RECORDS)
        simulator = self.cloudscale(RECORDS, "--page-size", "50", "--delay", "0.02")
        self.configure(simulator.url)
        self.start()
        unfinished = 0
        for left in range(ROUNDS - 1, -1, -1):
            size = self.size()
            # in the mean the rounds share evenly what is still to come
            self.wait_growth(size + dice.uniform(0, 1.2 * (len(expected) - size) / (left + 2)))
            podman("kill", "--signal", "KILL", self.name)
            podman("wait", self.name)
            found = self.out.read_bytes() if self.out.exists() else b""
            self.assertEqual(found, expected[: len(found)], "after a kill")
            unfinished += len(found) < len(expected)
            if dice.random() < 0.5:
                podman("start", self.name)
            else:
                # as an orchestrator does it: another container, the same volume
                podman("rm", self.name)
                self.start()
        print("%d of %d kills before the end" % (unfinished, ROUNDS), flush=True)
        self.assertGreater(unfinished, ROUNDS // 2)
        self.wait_size(self.out, len(expected), 120)
        podman("stop", "--time", "30", self.name)
        podman("rm", self.name)
        self.run_trawld("--once")
        self.assert_output(expected)
        self.assertEqual(simulator.stats()["served"][TOKEN], RECORDS)


if __name__ == "__main__":
    harness.main()
