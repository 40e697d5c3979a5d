#!/usr/bin/python3
"""A state in PostgreSQL, and two processes of which one holds it."""

import collections
import os
import pathlib
import random
import re
import signal
import subprocess
import time

from holders import LEASE, LONG, Case  # first: it finds the next ones
from postgres import Pair
from relay import ANSWERS, REQUESTS, Relay

import cloudscale
import harness
import syslog_peer
from harness import wait_until
from http_sink import got

KILLS = 50 if LONG else 20
STOPS = 40 if LONG else 4
BEGIN = b"BEGIN\0"  # a commit's first statement; a renewal has none


class Cluster(Case):
    def on(self, node, *arguments, expect=0):
        """What trawlctl says on the host of NODE."""
        self.conf = self.dir / (node + ".conf")
        result = self.ctl(*arguments, expect=expect)
        return result.text + result.err

    def finish(self, *holders):
        """All is delivered; HOLDERS end in order."""
        self.cloud.control(visible=self.count)
        self.wait_acknowledged()
        for daemon in holders:
            self.assertEqual(daemon.stop(), 0, daemon.text())

    def assert_no_password(self, *daemons):
        """That of the database is in nothing that anybody can read."""
        texts = [daemon.text() for daemon in daemons]
        texts += [pathlib.Path("/proc/%d/cmdline" % daemon.pid).read_text() for daemon in daemons]
        for command in ("status", "status --json", "config", "config --defaults", "cluster status", "events"):
            texts.append(self.on("a", *command.split()))
        texts += [self.ask(daemons[0], path) for path in ("/", "/status", "/metrics")]
        texts += [path.read_bytes().decode(errors="replace") for path in self.dir.glob("state-*/*") if path.is_file()]
        for part in ("pa55", "w\u00f6rd", "w\\u00f6rd"):
            self.assertNotIn(part, "\0".join(texts))

    def test_one(self):
        """One node: start, stop, start again elsewhere. Nothing is lost, nothing given twice."""
        self.begin(400, visible=100)
        first = self.node("a")
        first.wait_log("holding shard 0", seconds=60)
        self.wait_acknowledged(100)
        second = self.node("b")
        second.wait_log("standing by")
        self.assertEqual(self.ask(second, "/readyz"), "standby\n")
        self.assertIn('trawld_shard_held{cluster="test"} 0', self.ask(second, "/metrics"))
        self.assertEqual(self.ask(first, "/readyz"), "ready\n")
        self.assertIn("acme", self.on("a", "coverage"))
        self.assert_no_password(first, second)
        self.on("a", "gaps", "--acknowledge")
        self.assertIn("trawlctl cluster status", self.on("b", "coverage", expect=73))
        self.cloud.control(visible=200)
        self.wait_acknowledged(200)
        self.assertEqual(first.stop(), 0, first.text())
        second.wait_log("holding shard 0", seconds=LEASE)  # given back: at once
        self.cloud.control(visible=400)
        self.wait_acknowledged(400)
        self.assertEqual(second.stop(), 0, second.text())
        self.on("a", "gaps", expect=73)
        self.on("a", "backup", str(self.dir / "copy"), expect=64)
        self.assertEqual(list(self.dir.glob("state-*/*.db")), [])
        self.assert_once()

    def in_hand(self, daemon):
        """How many records were in jobs of the sink log whose acknowledgement was not yet in the state for certain: what is
        acknowledged during a commit is in the next one."""
        jobs, waiting, settled = {}, [], 0
        for line in daemon.text().splitlines():
            if job := re.search(r"sink log .*: job: batches \d+ to (\d+), (\d+) record", line):
                jobs[int(job[1])] = int(job[2])
            elif done := re.search(r"sink log .*: acknowledged up to batch (\d+)", line):
                waiting.append([int(done[1]), 0])
            elif "committed in" in line:
                for acknowledged in waiting:
                    acknowledged[1] += 1
                settled = max([last for last, commits in waiting if commits > 1], default=settled)
        return sum(size for last, size in jobs.items() if last > settled)

    def assert_log(self, peer, in_hand):
        """A receiver that recognises nothing has each record, and at most those IN_HAND once more."""
        texts = [syslog_peer.MESSAGE.fullmatch(message)[8].removeprefix(b"\xef\xbb\xbf").decode() for message in peer.messages]
        found, expected = collections.Counter(texts), collections.Counter(self.expected())
        self.assertEqual(sum((expected - found).values()), 0, "lost")
        repeated = sum((found - expected).values())
        print("%d kills: %d records came twice over RELP, %d were in hand" % (KILLS, repeated, in_hand))
        self.assertLessEqual(repeated, in_hand)

    def test_kill(self):
        """cluster_kill: the holder is killed at any moment, and comes back as a standby."""
        chance = random.Random(1)
        peer = syslog_peer.Peer("relp")
        self.addCleanup(peer.stop)
        self.more_sinks = "[sink log]\ntype = syslog\naddress = %s\nretry_max = 1s\n" % peer.address()
        in_hand = 0
        self.begin(KILLS * 50)
        for name in "ab":
            self.node(name)
        for n in range(KILLS):
            name = self.wait_holder()
            holder = self.daemons[name]
            mark = holder.mark()
            self.cloud.control(visible=(n + 1) * 50)
            if n % 3:
                holder.wait_log("committed in", mark=mark)
                time.sleep(chance.random() * 0.05)
            else:
                time.sleep(chance.random() * 0.3)
            holder.kill()
            in_hand += self.in_hand(holder)
            self.node(name)
        self.finish(*self.daemons.values())
        self.recover("a", "b")
        self.assert_once(KILLS, KILLS * 50)
        self.assert_log(peer, in_hand)

    def test_stop(self):
        """cluster_stop: the holder stands still for longer than its lease, wakes up, and ends without a word to anybody."""
        chance = random.Random(2)
        self.begin(STOPS * 100)
        holder = self.node("a")
        holder.wait_log("holding shard 0", seconds=60)
        for n in range(STOPS):
            heir = self.node("b" if n % 2 == 0 else "a")
            heir.wait_log("standing by", seconds=60)
            mark = holder.mark()
            self.cloud.control(visible=n * 100 + 50)
            holder.wait_log("committed in" if n % 2 else "job: batches", mark=mark)
            time.sleep(chance.random() * 0.02)
            holder.signal(signal.SIGSTOP)
            heir.wait_log("holding shard 0", seconds=60)
            self.cloud.control(visible=(n + 1) * 100)
            heir.wait_log("committed in", mark=heir.mark())
            mark = holder.mark()
            holder.signal(signal.SIGCONT)
            self.assertEqual(holder.wait(60), 75, holder.text(mark))
            self.assertNotIn("job: batches", holder.text(mark))
            holder = heir
        self.finish(holder)
        self.recover("a", "b")
        self.assert_once(STOPS, STOPS * 100)

    def test_silent(self):
        """What waits for a connection when the shard is lost is not sent once the connection is there."""
        key, certificate = self.dir / "key.pem", self.dir / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
                        "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate], check=True, capture_output=True)
        os.environ["SSL_CERT_FILE"] = str(certificate)
        self.addCleanup(os.environ.pop, "SSL_CERT_FILE")
        secure = self.simulator("--tls-cert=%s" % certificate, "--tls-key=%s" % key, name="http_receiver")
        receiver, database = (self.own(Relay(port)) for port in (int(secure.url.rsplit(":", 1)[1]), self.server.port))
        self.more_sinks = "[sink more]\ntype = http\nurl = https://127.0.0.1:%d/ndjson\nencoding = ndjson\nca_file = %s\n" % (
            receiver.port, certificate)
        receiver.stop_after(ANSWERS)  # TLS does not come about
        self.begin(100, visible=50)
        holder = self.node("a", address=self.server.address(database), lease=60)
        receiver.wait_reached(ANSWERS, 60)
        self.server.rows("UPDATE trawld.shards SET holder = gen_random_uuid() RETURNING 1")
        database.stop_at(BEGIN, ANSWERS, 0)
        self.cloud.control(visible=100)
        database.wait_reached(ANSWERS)
        # both answers come in one turn of the loop, in which what came last is read first
        holder.signal(signal.SIGSTOP)
        for relay in (receiver, database):
            before = relay.passed(ANSWERS)
            relay.release()
            wait_until(lambda: relay.passed(ANSWERS) > before, "the answer")
        holder.signal(signal.SIGCONT)
        self.assertEqual(holder.wait(60), 75, holder.text())
        self.assertIn("is no longer held by this process", holder.text())
        self.assertEqual(len(got(secure, "ndjson")), 0)

    def test_in_doubt(self):
        """The answer to a commit is lost: the holder connects again, and finds that it is there, or is not."""
        relay = self.own(Relay(self.server.port))
        self.begin(400)
        holder = self.node("a", address=self.server.address(relay), lease=30)
        holder.wait_log("holding shard 0", seconds=60)
        for n in range(8):
            # the commit arrives and its answer does not; or it does not arrive
            relay.stop_at(BEGIN, *((ANSWERS, 0) if n % 2 == 0 else (REQUESTS, 400)))
            mark = holder.mark()
            self.cloud.control(visible=(n + 1) * 50)
            relay.wait_reached(ANSWERS if n % 2 == 0 else REQUESTS)
            if n % 2 == 0:
                before = self.version()
                wait_until(lambda: self.version() >= before, "the commit")
            relay.cut()
            relay.release()
            holder.wait_log("reconnects and checks whether", mark=mark)
            holder.wait_log("committed in", mark=mark)
            self.wait_acknowledged((n + 1) * 50)
        self.finish(holder)
        self.assert_once()

    def test_refused(self):
        """Another holder, or another history, in the database: not a row of the next commit is there, and the process ends."""
        for what in ("holder = gen_random_uuid()", "version = version - 1"):
            with self.subTest(what):
                self.setUp()
                self.begin(100, visible=50)
                holder = self.node("a", lease=60)
                self.wait_acknowledged(50)
                self.server.rows("UPDATE trawld.shards SET " + what + " RETURNING 1")
                before = self.rows()
                self.cloud.control(visible=100)
                self.assertEqual(holder.wait(60), 75, holder.text())
                self.assertIn("is no longer held by this process", holder.text())
                self.assertEqual(self.rows(), before)
                self.assertEqual(self.n_given(), 50)

    def test_failover(self):
        """cluster_failover: the primary is killed, and its synchronous standby takes its place. The holder goes on with it."""
        pair = self.own(Pair())
        self.server = pair.primary
        self.begin(600, visible=100)
        holder = self.node("a", address=pair.address(), lease=60, synchronous=True)
        holder.wait_log("holding shard 0", seconds=60)
        self.wait_acknowledged(100)
        self.cloud.control(visible=300)
        holder.wait_log("committed in", mark=holder.mark())
        pair.primary.kill()
        self.cloud.control(visible=500)
        pair.standby.promote()
        self.server = pair.standby
        self.wait_acknowledged(500)
        self.finish(holder)
        self.assert_once(1)

    def test_restart(self):
        """cluster_restart: the server crashes and comes back, and sessions are ended at any moment. The holder stays."""
        chance = random.Random(3)
        self.begin(12 * 50)
        holder = self.node("a", lease=60)
        holder.wait_log("holding shard 0", seconds=60)
        for n in range(12):
            mark = holder.mark()
            self.cloud.control(visible=(n + 1) * 50)
            holder.wait_log("batch: ", mark=mark)
            time.sleep(chance.random() * 0.02)
            if n % 4 == 0:
                self.server.stop()
                self.server.start()
            else:
                self.server.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'trawld:%'")
        self.finish(holder)
        self.assert_once()

    def test_synchronous(self):
        """Without a synchronous standby nobody takes the state, unless told so; with one that goes, no commit is believed."""
        self.begin(200, visible=50)
        waiting = self.node("a", synchronous=True)
        waiting.wait_log("the database has no synchronous standby", seconds=60)
        self.assertEqual(waiting.stop(), 0)
        pair = self.own(Pair())
        self.server = pair.primary
        holder = self.node("a", address=pair.address(), synchronous=True)
        self.wait_acknowledged(50)
        pair.standby.kill()
        self.cloud.control(visible=100)
        self.assertEqual(holder.wait(60), 75, holder.text())
        self.assertEqual(self.n_given(), 50)
        pair.standby.start()
        pair.wait_state("sync")
        self.finish(self.node("a", address=pair.address(), synchronous=True))
        self.assert_once(1, 50)

    def test_shards(self):
        """Two shards, three nodes: each source is polled by one of them, and a shard that is free finds a holder."""
        self.begin(100, visible=50)
        clouds = [self.cloudscale(100, "--page-size", "20", seed=seed) for seed in range(2, 8)]
        for cloud in clouds:
            cloud.control(visible=50)
        sources = [self.source(cloud.url, name="s%d" % n, more="interval = 100ms") for n, cloud in enumerate(clouds)]
        nodes = [self.node(name, shards=2, sources=sources) for name in "abc"]
        wait_until(lambda: self.n_given() == 300, "50 records of each source", 60)
        holders = [node for node in nodes if "holding shard" in node.text()]
        self.assertEqual(len(holders), 2)
        holders[0].kill()
        for cloud in clouds:
            cloud.control(visible=100)
        wait_until(lambda: self.n_given() == 600, "all records of each source", 60)
        given = sorted(record for request in self.requests() if not request["repeat"] for record in request["records"])
        expected = sorted(line for seed in range(2, 8) for line in cloudscale.expected_lines(seed, 0, 100).decode().splitlines())
        self.assertEqual(given, expected)
        other = self.node("d", shards=3, sources=sources)
        self.assertEqual(other.wait(60), 78)
        self.assertIn("the cluster test has 2 shards", other.text())

    def rows(self):
        return [self.server.rows("SELECT * FROM trawld.%s ORDER BY 3" % table) for table in ("sources", "commits", "batch_keys")]

    def version(self):
        return self.server.rows("SELECT version FROM trawld.shards")[0][0]


if __name__ == "__main__":
    harness.main()
