#!/usr/bin/python3
"""A reload that changes a sink waits for the answer to what is on its way: receivers that recognise no repeat get
it once."""

import signal
import subprocess
import threading

import harness
from harness import wait_until

import cloudscale
from syslog_peer import Peer

# appends each batch, and answers once there is a file `go`; says that it waits
PROGRAM = """#!/bin/sh
while IFS= read -r line; do
	case $line in
	'#'*) batch=${line#\\# } batch=${batch%% *} ;;
	'') : >"$1.waits"; while ! [ -e "$1.go" ]; do sleep 0.02; done; echo "ok $batch" ;;
	*) printf '%s\\n' "$line" >>"$1" ;;
	esac
done
"""
WAITS = "reload: waiting for the answers"
RELOADS = 8
LIMIT = 20_000


class Reload(harness.Case):
    def sink(self, name="run", more=""):
        return "[sink %s]\ntype = exec\ncommand = %s %s\nretry_max = 1s\n%s\n" % (
            name, self.program, self.out, more)

    def change(self, name="run", more="", keys=""):
        self.configure(self.source(self.cloud.url, more="interval = 50ms"), self.sink(name, more),
                       daemon="log_level = debug\n" + keys, control=self.dir / "control")

    def begin(self, keys=""):
        """A daemon whose program has 20 records and does not answer."""
        self.program = self.dir / "program"
        self.program.write_text(PROGRAM)
        self.program.chmod(0o755)
        self.cloud = self.cloudscale(100)
        self.cloud.control(visible=20)
        self.change(keys=keys)
        daemon = self.daemon()
        wait_until((self.dir / "out.ndjson.waits").exists, "the program's wait")
        return daemon

    def answer(self):
        (self.dir / "out.ndjson.go").touch()

    def assert_once_each(self, daemon, count=100):
        """The rest comes, too; nothing comes twice."""
        self.cloud.control(visible=count)
        expected = cloudscale.expected_lines(1, 0, count)
        self.wait_size(self.out, len(expected))
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(expected)

    def command(self, *arguments):
        """trawlctl, which waits."""
        return subprocess.Popen([harness.TRAWLCTL, "-c", self.conf, *arguments], env=self.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def test_signal(self):
        daemon = self.begin()
        self.change(more="exclude = /x = 1")
        daemon.signal(signal.SIGHUP)
        daemon.wait_log(WAITS)
        self.assertNotIn("reloaded:", daemon.text())
        self.answer()
        daemon.wait_log("reloaded: 1 source, 1 sink")
        self.assertNotIn("may arrive twice", daemon.text())
        self.assert_once_each(daemon)

    def test_commands(self):
        """They wait, too, more than one of them; the sink has another name afterwards."""
        daemon = self.begin()
        self.change("new")
        commands = [self.command("rename-sink", "run", "new")]
        daemon.wait_log(WAITS)
        commands.append(self.command("reload"))
        daemon.signal(signal.SIGHUP)
        self.ctl("status")  # others are served meanwhile
        self.assertEqual([command.poll() for command in commands], [None, None])
        self.answer()
        for command in commands:
            text = command.communicate()[0]
            self.assertEqual(command.returncode, 0, text)
        self.assertIn("continues sink run; 0 records wait", daemon.text())
        self.assert_once_each(daemon)

    def test_one_that_is_gone(self):
        """Whoever asked is gone: the sink continues, whether that was noticed before the reload or not."""
        daemon = self.begin()
        self.change(more="exclude = /x = 1")
        command = self.command("reload")
        daemon.wait_log(WAITS)
        command.kill()
        command.communicate()
        self.answer()
        self.assert_once_each(daemon)

    def test_what_stays(self):
        """No sink is changed, or the configuration is wrong: nothing is waited for."""
        daemon = self.begin()
        self.configure(self.source(self.cloud.url, more="interval = 60ms"), self.sink(),
                       daemon="log_level = debug", control=self.dir / "control")
        self.ctl("reload")
        self.change(more="nonsense = 1")
        self.ctl("reload", expect=78)
        self.assertNotIn(WAITS, daemon.text())
        self.answer()
        self.assert_once_each(daemon)

    def test_no_answer(self):
        """It is not waited for without end, and that is told."""
        daemon = self.begin()
        self.change(more="exclude = /x = 1")
        self.ctl("reload")
        self.assertIn("sink run", daemon.wait_log("the reload did not wait any longer for its answer"))
        self.answer()
        expected = cloudscale.expected_lines(1, 0, 20)
        self.wait_size(self.out, 2 * len(expected))
        self.assertEqual(daemon.stop(), 0)
        self.assert_output(2 * expected)

    def test_the_end(self):
        """SIGTERM while it waits: the sink gets the rest at once."""
        daemon = self.begin(keys="shutdown_timeout = 3s")
        mark = daemon.mark()
        self.cloud.control(visible=40)
        daemon.wait_log("20 records, 20 new", mark)
        self.change(more="exclude = /x = 1")
        command = self.command("reload")
        daemon.wait_log(WAITS)
        daemon.signal(signal.SIGTERM)
        self.assertIn("trawld is stopping", command.communicate()[0])
        self.assertEqual(command.returncode, 75)
        self.answer()
        self.assertEqual(daemon.wait(), 0)
        self.assert_output(cloudscale.expected_lines(1, 0, 40))

    def load(self, sink):
        """Reloads that change SINK, while records come without a pause; how many they are in the end."""
        self.cloud = self.cloudscale(LIMIT)
        self.cloud.control(visible=0)

        def configure(number):
            self.configure(self.source(self.cloud.url, more="interval = 5ms"),
                           sink + "retry_max = %ds\n" % (10 + number), control=self.dir / "control")
        configure(0)
        daemon = self.daemon()
        daemon.wait_log("up to date for the first time")
        over = threading.Event()
        counts = [0]

        def feed():
            while not over.wait(0.01):
                counts.append(min(counts[-1] + 3, LIMIT))
                self.cloud.control(visible=counts[-1])
        feeder = threading.Thread(target=feed)
        feeder.start()
        for number in range(1, RELOADS + 1):
            configure(number)
            self.ctl("reload")
        over.set()
        feeder.join()
        return daemon, counts[-1]

    def assert_all(self, daemon, taken, count):
        wait_until(lambda: taken() >= count, "all records")
        self.assertEqual(daemon.stop(), 0, daemon.text())
        self.assertEqual(daemon.text().count("reloaded:"), RELOADS)
        self.assertNotIn("may arrive twice", daemon.text())
        self.assertEqual(taken(), count)

    def test_syslog(self):
        """Over TCP, what is sent counts as taken 200 ms later."""
        peer = Peer("counted")
        self.addCleanup(peer.stop)
        daemon, count = self.load("[sink far]\ntype = syslog\naddress = %s\n" % peer.address())
        self.assert_all(daemon, lambda: len(peer.messages), count)
        self.assertEqual(peer.faults, [])

    def test_http(self):
        receiver = self.simulator("--delay", "0.1", name="http_receiver")
        daemon, count = self.load(
            "[sink far]\ntype = http\nurl = %s/ndjson\nencoding = ndjson\nbatch_age = 0s\n" % receiver.url)
        self.assert_all(daemon, lambda: receiver.stats()["taken"]["ndjson"], count)
        self.assertEqual(receiver.stats()["repeats"]["ndjson"], 0)


if __name__ == "__main__":
    harness.main()
