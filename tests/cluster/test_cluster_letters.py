#!/usr/bin/python3
"""Dead letters are on the disk of the node whose receiver rejected them, whoever holds the shard by then."""

from holders import Case  # first: it finds the next ones

import cloudscale
import harness
from harness import wait_until

COUNT = 200


class Letters(Case):
    def on(self, node, *arguments):
        """What trawlctl says on the host of NODE: its output, and its errors."""
        self.conf = self.dir / (node + ".conf")
        result = self.ctl("dead-letters", *arguments)
        return result.text, result.err

    def file(self, node):
        return self.dir / ("state-" + node) / "dead-letters" / "net.ndjson"

    def hold(self, node):
        daemon = self.node(node)
        daemon.wait_log("holding shard 0", seconds=60)
        return daemon

    def test_take_over(self):
        """The node that has them is told so while another one holds the shard, and sends them when it holds it again. Its job
        in hand, taken and not answered when it is killed, comes once more under its key."""
        self.begin(COUNT)
        bad = sorted(set(cloudscale.expected_lines(1, 0, COUNT).decode().splitlines()))[::9]
        self.receiver.control(poison=bad)
        first = self.hold("a")
        self.cloud.control(visible=COUNT)
        self.wait_acknowledged(COUNT - len(bad))
        n = len(self.file("a").read_text().splitlines())
        self.assertEqual(self.n_given() + n, COUNT)
        self.receiver.control(poison=[])
        # it is killed while they are sent again
        self.receiver.faults({"kind": "hang", "times": 1, "path": "/ndjson"})
        self.assertIn("%d dead letters are sent again" % n, self.on("a", "resend", "net")[0])
        wait_until(lambda: any(entry["fault"] == "hang" for entry in self.receiver.log()), "the request that hangs")
        first.kill()
        self.receiver.faults()
        second = self.hold("b")
        self.node("a").wait_log("standing by")
        self.assertEqual(self.on("b", "list", "net"), ("sink net: 0 dead letters on this node\n", ""))
        self.assertIn("sink net: %d dead letters on this node\n" % n, self.on("a", "list", "net")[0])
        nothing = "sink net: no dead letters on nodes that hold a shard\n"
        self.assertEqual(self.on("b", "resend", "net"), (nothing, ""))
        stay = "trawlctl: the dead letters of this node stay in %s, since its trawld holds no shard: run this again when it does\n"
        self.assertEqual(self.on("a", "discard", "net"), (nothing, stay % self.file("a")))
        self.assertEqual(len(self.file("a").read_text().splitlines()), n)
        self.assertEqual(second.stop(), 0)
        wait_until(lambda: not self.file("a").exists(), "the end of the dead letters", 60)
        self.assertEqual(self.on("a", "resend", "net"), (nothing, ""))
        self.assertEqual(self.daemons["a"].stop(), 0)
        self.assert_once(1)


if __name__ == "__main__":
    harness.main()
