#!/usr/bin/python3
"""A secret in every place that can hold one, each another; a server that quotes them wherever it can; debug logging.

None of them, nor eleven characters of one, plain or in an encoding, is in the log, on the status page, in the metrics, in what
trawlctl prints or records, in dead letters, the state, a backup, the archive, the journal, or in the command line or the
environment of any process. They do reach the server that they are for. TRAWLD_FAULTS says how many responses are made (all:
20,000, and every command of trawlctl for each source and sink); TRAWLD_TEST_SEED repeats the secrets.
"""

import base64
import html
import json
import os
import pathlib
import random
import re
import shlex
import signal
import socket
import subprocess
import sys
import urllib.parse

from on_disk import harness
from harness import wait_until
from echoing import Echoing
import journald
from sealed import Sealed

RESPONSES = 400
COMMANDS = 12  # of trawlctl
PART = 8  # characters of a secret that would give it away
STEP = 4  # so that any 11 of them are noticed
STREAM = 'export JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2); exec "$@"'
AWKWARD = "%/\\\"+<>&='; "
LETTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}")


def views(text):
    """TEXT, and what is in it in an encoding."""
    plain = urllib.parse.unquote(text)
    yield from (text, plain, urllib.parse.unquote(plain), html.unescape(text), text.replace("\n", "").replace(" | ", ""))
    yield re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), text)
    yield re.sub(r"\\(.)", r"\1", text)
    for each in BASE64.findall(text):
        each = each.replace("-", "+").replace("_", "/")
        for start in range(4):
            part = each[start:]
            yield base64.b64decode(part[: len(part) // 4 * 4]).decode("latin-1")
    for each in re.findall(r"(?:[0-9a-fA-F]{2}){8,}", text):
        yield bytes.fromhex(each).decode("latin-1")


class Secrets(Sealed):
    def setUp(self):
        super().setUp()
        seed = int(os.environ.get("TRAWLD_TEST_SEED", random.SystemRandom().randrange(10**9)))
        print("TRAWLD_TEST_SEED=%d" % seed, flush=True)
        self.dice, self.marks, self.env = random.Random(seed), {}, {}
        (self.dir / "credentials").mkdir()
        self.server = Echoing(self.mark("fetched token", awkward=False))
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.control_, self.web = self.dir / "control", self.dir / "web"
        self.rsa = self.pem("rsa", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")

    # --- secrets ---

    def mark(self, where, awkward=True):
        """A new secret for WHERE."""
        text = [self.dice.choice(LETTERS) for _ in range(28)]
        for character in AWKWARD if awkward else "":
            text[self.dice.randrange(2, 26)] = character
        self.marks[where] = "".join(text)
        return self.marks[where]

    def way(self, where, awkward=True, ways=("file", "credential", "env", "here")):
        """The same, as a configuration refers to it: in a file, a credential, the environment, or in place."""
        text, name = self.mark(where, awkward), "secret_%d" % len(self.marks)
        kind = self.dice.choice(ways)
        if kind == "here" and not re.search(r"\s[;#]", text):  # which begins a comment
            return text
        if kind == "env":
            self.env[name] = text
        else:
            (self.dir / "credentials" / name).write_text(text + "\n")
        return "${file:%s/credentials/%s}" % (self.dir, name) if kind in ("file", "here") else "${%s:%s}" % (kind, name)

    def pem(self, where, algorithm, *more, password=None):
        """The path of a private key; its text is a secret, too."""
        path = self.dir / (where + ".pem")
        cipher = ["-aes-256-cbc", "-pass", "pass:" + password] if password else []
        subprocess.run(
            ["openssl", "genpkey", "-quiet", "-algorithm", algorithm, *more, *cipher, "-out", path], check=True, capture_output=True
        )
        self.marks["key " + where] = "".join(path.read_text().splitlines()[1:-1])
        return path

    # --- the configuration ---

    def custom(self, name, *keys, path="log"):
        fixed = (
            "records.id = /id", "records.time = /at", "request.query.from = ${window.start}", "resume.window = yes", "page.url = /next",
            "retry_max = 20ms", "interval = 20ms", "limits.rate = off", "errors.message = /message", "errors.auth_pause = 1s",
            "insecure_http = yes",
        )  # fmt: skip
        url = "" if any(key.startswith("request.url") for key in keys) else "request.url = %s/%s\n" % (self.server.url, path)
        return "[source %s]\nprovider = custom\n%srecords.at = /rows\n%s\n" % (name, url, "\n".join((*fixed, *keys)))

    def credentials(self, prefix):
        """{kind: lines of a credential}, for a source or a sink."""
        url = self.server.url
        for kind, lines in {
            "bearer": ["token = {}"],
            "basic": ["user = me", "password = {}"],
            "header": ["name = X-Key", "value = {}"],
            "sigv4": ["provider = aws", "service = s", "region = r", "access_key = AK", "secret_key = {}", "security_token = {}"],
            "huawei_aksk": ["access_key = AK", "secret_key = {}", "security_token = {}"],
            "oauth2_client": ["token_url = %s/token" % url, "client_id = me", "client_secret = {}"],
            "oauth2_client ": ["token_url = %s/log" % url, "client_id = me", "client_auth = basic", "client_secret = {}"],
            "hmac": ["key = {}", "hash = hmac-sha256", "user = me", "sign = x"],
            "hmac ": ["key = x", "hash = sha1", "user = me", "sign = {}"],
            "jwt": ["algorithm = HS256", "key = {}"],
            "jwt ": ["algorithm = RS256", "key = ${{file:%s}}" % self.rsa, "token_url = %s/log" % url],
            "http_signature": ["key_id = me", "key = ${{file:%s}}" % self.rsa],
        }.items():
            where = "%s auth %s" % (prefix, kind)
            filled = [line.format(self.way(where + " " + line, "token" not in line)) for line in lines]
            yield ["auth.type = " + kind.strip(), *("auth." + line for line in filled)]

    def sources(self):
        for n, keys in enumerate(self.credentials("source")):
            yield self.custom("auth%d" % n, *keys)
        yield self.custom("header", "request.header.X-Api-Key = " + self.way("request header"))
        yield self.custom("query", "request.query.api_key = " + self.way("query"))
        yield self.custom("path", "request.url = %s/log/%s" % (self.server.url, self.way("path", False, ("file", "env"))))
        yield self.custom("body", "request.method = POST", 'request.body = {"password":"%s"}' % self.way("body", False))
        yield self.custom("form", "request.method = POST", "request.body_type = form", "request.form.password = " + self.way("form"))
        yield self.custom(
            "login", "auth.type = login", "login.method = POST", "login.url = %s/token" % self.server.url,
            'login.body = {"password":"%s"}' % self.way("login", False), "login.token = /access_token",
        )  # fmt: skip
        proxy = self.server.url.replace("http://", "http://me:%s@")
        yield self.custom("proxy", "request.url = https://api.invalid/log", "proxy = " + proxy % self.mark("proxy of a source", False))
        yield self.custom("plain-proxy", "proxy = " + proxy % self.mark("plain proxy", False))
        yield self.custom("command", "auth.type = command", "auth.command = " + shlex.join(self.program("command")))
        secure = self.server.url.replace("http:", "https:") + "/log"
        for name in ("own-key", "wrong-password"):
            keys = self.client_key("key of source " + name, wrong=name.startswith("wrong"))
            yield self.custom(name, "request.url = " + secure, *keys.splitlines())
        yield self.custom("good", "start = earliest", path="good")

    def client_key(self, where, wrong=False):
        """The keys for a client certificate whose key is encrypted, with its password or another one."""
        password, name = self.way(where, False), where.replace(" ", "-")
        certificate, config = self.dir / (name + ".crt"), "client_cert = %s\nclient_key = %s\nclient_key_password = %s"
        right = self.mark(where + ", right", False) if wrong else self.marks[where]
        key = self.pem(name, "RSA", "-pkeyopt", "rsa_keygen_bits:2048", password=right)
        subprocess.run(
            ["openssl", "req", "-x509", "-key", key, "-passin", "pass:" + right, "-subj", "/CN=x", "-out", certificate],
            check=True, capture_output=True,
        )  # fmt: skip
        return config % (certificate, key, password)

    def program(self, where):
        """A program that prints a secret, and on its standard error another one."""
        path = self.dir / (where + ".py")
        path.write_text("import sys\nprint(%r)\n" % self.mark(where, False))
        return [sys.executable, str(path)]

    def sinks(self):
        http = "[sink %s]\ntype = http\nurl = %s\nretry_max = 1s\nbatch_records = 1\nbatch_age = 0\ninsecure_http = yes\n%s\n"
        for n, keys in enumerate(self.credentials("sink")):
            yield http % ("auth%d" % n, self.server.url + "/log", "\n".join(keys))
        yield http % ("header", self.server.url + "/log", "header.X-Token = " + self.way("sink header"))
        yield http % ("url", self.server.url + "/log/" + self.way("sink url", False, ("file", "env")), "")
        proxy = self.server.url.replace("http://", "http://me:%s@" % self.mark("proxy of a sink", False))
        yield http % ("proxy", "https://siem.invalid/log", "proxy = " + proxy)
        keys = self.client_key("key of sinks")
        yield http % ("client-key", self.server.url.replace("http:", "https:") + "/log", keys)
        yield "[sink tls]\ntype = syslog\naddress = tls://127.0.0.1:%d\nretry_max = 1s\n%s\n" % (self.server.server_address[1], keys)
        if os.environ.get("TRAWLD_KAFKA", "yes") == "yes":
            keys += "\nusername = me\npassword = " + self.way("SASL")
            address = "127.0.0.1:%d" % self.server.server_address[1]
            yield "[sink bus]\ntype = kafka\nbrokers = %s\ntopic = audit\nsecurity = sasl_ssl\n%s\n" % (address, keys)
        (self.dir / "credentials" / "of-program").write_text(self.mark("credential of a program"))
        folder = self.dir / "program"
        folder.mkdir()
        child = [sys.executable, str(harness.SOURCE_ROOT / "tests/system/exec_child.py"), str(folder)]
        yield "[sink program]\ntype = exec\ncredentials = of-program\ncommand = %s\n" % shlex.join(child)
        yield self.file_sink(more="seal = 1s\nseal_key = ${file:%s}\n" % self.key)
        self.marks["seal key"] = "".join(self.key.read_text().splitlines()[1:-1])[20:]  # it begins as all keys do

    def environment(self):
        return {**super().environment(), **self.env, "CREDENTIALS_DIRECTORY": str(self.dir / "credentials")}

    # --- where they must not be ---

    def assert_clean(self, text, where):
        """No part of a secret, though what is between the parts of a response may have been cut."""
        everything = "\0".join(views("\n".join(dict.fromkeys(text.split("\n")))))
        for place, secret in self.marks.items():
            for at in range(0, len(secret) - PART + 1, STEP):
                part = secret[at : at + PART]
                if part in everything:
                    near = everything.find(part)
                    context = everything[max(0, near - 300) : near + 60]
                    self.fail("%s: the secret %r (%s): %r in %r" % (where, place, secret[:60], part, context))

    def ctl_output(self, *arguments):
        done = self.trawld("-c", str(self.conf), *arguments, program=harness.TRAWLCTL, environment=self.environment())
        return done.err + done.out.decode(errors="replace")

    def raw(self, command):
        """What the control socket itself answers."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.control_))
            peer.sendall(command.encode(errors="surrogateescape") + b"\n")
            peer.settimeout(10 * harness.PATIENCE)
            text = b""
            while not text.endswith(b"\n") and (part := peer.recv(65536)):
                text += part
            return text.decode(errors="replace")

    def get(self, path):
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(str(self.web))
            peer.sendall(("GET %s HTTP/1.0\r\nHost: x\r\n\r\n" % path).encode())
            return b"".join(iter(lambda: peer.recv(65536), b"")).decode(errors="replace")

    def processes(self, pid):
        """(what, text) of PID and its children."""
        folder = pathlib.Path("/proc/%d" % pid)
        yield "command line of %d" % pid, (folder / "cmdline").read_bytes().decode(errors="replace")
        for child in (folder / "task" / str(pid) / "children").read_text().split():
            yield "environment of %s" % child, pathlib.Path("/proc/%s/environ" % child).read_bytes().decode(errors="replace")
            yield from self.processes(int(child))

    def configured(self, n_sinks=None):
        """The names of all sources and of the first sinks, or of all."""
        sections = [*self.sources(), *list(self.sinks())[:n_sinks]]
        self.configure(*sections, daemon="log_level = debug", control=str(self.control_), listen="unix:%s" % self.web)
        names = {kind: re.findall(r"(?m)^\[%s (.*)\]" % kind, self.conf.read_text()) for kind in ("source", "sink")}
        return names["source"], names["sink"]

    def test_everywhere(self):
        sources, sinks = self.configured()
        responses = int(os.environ.get("TRAWLD_FAULTS", str(RESPONSES)).replace("all", "20000"))
        self.assert_clean(self.check(0).err, "--check")
        daemon = self.daemon()
        wait_until(lambda: self.server.turns >= responses // 2, "responses", 120)
        commands = [("status",), ("status", "--json"), ("cursor",), ("gaps",), ("events",), ("check",), ("coverage",)]
        commands += [("config",), ("config", "--defaults"), ("events", "--json"), ("cat", "good"), ("find", "7")]
        commands += [("verify", str(self.out)), ("replay", "archive", "--source", "good", "--from", "-1d", "--to", "now", "--dry-run")]
        commands += [("report", "--from", "-1d", "--to", "now", "--format", kind) for kind in ("json", "md", "html")]
        commands += [("definition", "record", "good", str(self.dir / "recorded")), ("backup", str(self.dir / "copy"))]
        more = [(verb, name) for name in sources for verb in ("status", "probe", "poll")]
        more += [(verb, name) for name in sinks for verb in ("status", "test")] + [("dead-letters", "list", name) for name in sinks]
        commands += more if os.environ.get("TRAWLD_FAULTS") == "all" else self.dice.sample(more, COMMANDS)
        for arguments in commands:
            self.assert_clean(self.ctl_output(*arguments), " ".join(arguments))
        for command in ({"command": "status"}, {"command": "nonsense"}, *({"command": "status", "source": name} for name in self.dice.sample(sources + sinks, 5))):
            self.assert_clean(self.raw(json.dumps(command)), "control socket: %s" % command)
        for path in ["/", "/status", "/metrics", "/healthz", *("/source/" + name for name in sources)]:
            self.assert_clean(self.get(path), path)
        for what, text in self.processes(daemon.pid):
            self.assert_clean(text, what)
        good = self.conf.read_text()
        for line in (self.marks["query"], "[sink " + self.marks["query"], self.marks["form"] + " = x"):
            mark = daemon.mark()
            self.conf.write_text(good + "\n" + line + "\n")
            daemon.signal(signal.SIGHUP)
            daemon.wait_log("configuration", mark)
        self.conf.write_text(good)
        daemon.signal(signal.SIGUSR1)
        wait_until(lambda: self.server.turns >= responses, "responses", 120)
        daemon.stop()
        self.assert_clean(daemon.text(), "log")
        kept = [path for path in [*self.state.rglob("*"), self.dir / "copy", self.dir / "recorded", self.out] if path.is_file()]
        self.assertGreater(len(kept), 4)
        for path in kept:
            self.assert_clean(path.read_bytes().decode("latin-1"), path.name)
        self.assert_sent()
        print("campaign: %d secrets, %d responses, %d lines of the log" % (len(self.marks), self.server.turns, len(daemon.log)), flush=True)

    def test_journal(self):
        """A run whose log goes to journald, field by field."""
        if "TRAWLD_FAULTS" not in os.environ:
            self.skipTest("a minute: a part of the long form")
        receiver = journald.started(self)
        self.configured(3)
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        done = subprocess.run(
            ["nsenter", "--target", str(receiver.process.pid), "--mount", *user, "sh", "-c", STREAM, "sh", harness.TRAWLD,
             "-c", str(self.conf), "--once"],
            env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=120 * harness.PATIENCE,
        )  # fmt: skip
        self.assertEqual((done.returncode, done.stderr), (75, b""))
        wait_until(lambda: "***" in "".join(entry["MESSAGE"] for entry in receiver.entries()), "a masked entry")
        self.assert_clean("\n".join(map(str, receiver.entries())), "journal")

    def assert_sent(self):
        """Those that are sent as they are have been."""
        seen = "\n".join(self.server.seen)
        seen += urllib.parse.unquote_plus(seen) + re.sub(r"\\(.)", r"\1", seen)
        seen += "".join(base64.b64decode(text + "==").decode("latin-1") for text in re.findall(r"Basic ([A-Za-z0-9+/]+)", seen))
        for where in (
            "request header", "query", "path", "body", "form", "login", "plain proxy", "proxy of a source", "proxy of a sink",
            "sink header", "sink url", "source auth bearer token = {}", "sink auth basic password = {}", "command", "fetched token",
            "source auth oauth2_client client_secret = {}", "sink auth header value = {}",
        ):  # fmt: skip
            with self.subTest(where):
                self.assertIn(self.marks[where], seen)


if __name__ == "__main__":
    harness.main()
