#!/usr/bin/python3
"""trawld's kafka sink and real brokers, configured as docs/receivers/kafka.md says: order, fidelity, records
that are too large, brokers that are killed."""

import json

from brokers import Case, Cluster, new_topic, shared_cluster  # first: it finds the next ones
from receivers import blocks, replaced

import cloudscale
import harness
from harness import TOKEN, wait_until

PAGE = "docs/receivers/kafka.md"


class One(Case):
    def setUp(self):
        super().setUp()
        self.cluster = shared_cluster()

    def serve(self, texts):
        """A page with these records, byte for byte."""
        cloud = self.cloudscale(0)
        cloud.faults({"kind": "body", "times": 1, "body": (
            '{"next":null,"poll_more":"%s/v1/project-logs?cursor=10000","results":[%s]}'
            % (cloud.url, ",".join(texts)))})
        return cloud

    def test_order(self):
        """kafka_order: the records of each source are in one partition, in order."""
        topic = new_topic(self.cluster, 3)
        tokens = {"s%d" % n: "t0ken-of-source-%d" % n for n in range(4)}
        clouds = {name: self.simulator("--project", "%s=%d:600" % (token, n), "--page-size", "50")
                  for n, (name, token) in enumerate(tokens.items(), 1)}
        self.configure(*(self.source(clouds[name].url, name, token) for name, token in tokens.items()),
                       self.sink(self.cluster, topic))
        self.once()
        found = self.cluster.read(topic)
        for n, name in enumerate(tokens, 1):
            of_it = {number: [m.value() for m in messages if m.key() == name.encode()]
                     for number, messages in found.items()}
            texts = [texts for texts in of_it.values() if texts]
            self.assertEqual(len(texts), 1, "partitions of %s" % name)
            self.assertEqual(texts[0], cloudscale.expected_lines(n, 0, 600).splitlines())

    def test_fidelity(self):
        """kafka_fidelity: the text of records, and what the headers say."""
        texts = [r'{"e":"\u00e9\/\ud834\udd1e é 𝄞","n":null,"":""}',
                 '{"timestamp":"2025-12-11T12:00:00.5Z","b":1e400,"a":20481.835938,"a":-0.0}',
                 '{"nested":[[[]],{"x":[{}]}]}',
                 '{"long":"%s"}' % ("x" * 200000)]
        for compression in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(compression=compression):
                topic = new_topic(self.cluster)
                cloud = self.serve(texts)
                self.state = self.dir / compression
                self.configure(self.source(cloud.url), self.sink(
                    self.cluster, topic, "compression = " + compression, "key = id"))
                self.once()
                self.assert_read(self.cluster, topic, [text.encode() for text in texts])
                (found,) = self.cluster.read(topic).values()
                headers = [dict(message.headers()) for message in found]
                self.assertEqual({h["trawld.source"] for h in headers}, {b"acme"})
                # a record without a time has that of the one before
                self.assertEqual([h.get("trawld.time") for h in headers],
                                 [None, *3 * [b"2025-12-11T12:00:00.500000000Z"]])
                self.assertEqual([h["trawld.id"] for h in headers], [m.key() for m in found])
                self.assertEqual({h["trawld.number"] for h in headers}, {b"1"})

    def test_large(self):
        """kafka_large: what is too large for the brokers alone becomes a dead letter, and only that."""
        topic = new_topic(self.cluster, max_message_bytes=300000)
        text = lambda n, size: '{"n":%d,"text":"%s"}' % (n, "x" * size)
        texts = [text(n, size) for n, size in enumerate((10, 400000, 100000, 299000, 301000, 200000, 20))]
        self.configure(self.source(self.serve(texts).url), self.sink(self.cluster, topic))
        self.once(expect=75)
        fit = [text.encode() for text in texts if len(text) < 300000]
        self.assert_read(self.cluster, topic, fit)
        self.assertEqual([len(json.loads(line)["record"]["text"]) for line in self.dead_letters()],
                         [400000, 301000])

    def test_max_record(self):
        topic = new_topic(self.cluster)
        texts = ['{"text":"%s"}' % ("x" * size) for size in (10, 1000, 20)]
        self.configure(self.source(self.serve(texts).url), self.sink(
            self.cluster, topic, "max_record = 1000"))
        self.once(expect=75)
        self.assert_read(self.cluster, topic, [texts[0].encode(), texts[2].encode()])
        self.assertEqual(len(self.dead_letters()), 1)

    def test_without_topic(self):
        """No record is blamed; once the topic is there, all arrive."""
        cloud = self.cloudscale(100)
        self.configure(self.source(cloud.url), self.sink(self.cluster, "audit.%{source}"))
        self.assertTrue(self.ctl("test", "bus", expect=78).err.count("audit.acme"))
        daemon = self.daemon()
        daemon.wait_log("topic audit.acme: ", seconds=60)
        self.cluster.create("audit.acme")
        daemon.wait_log("works again", seconds=60)
        daemon.stop()
        self.once()
        self.assert_read(self.cluster, "audit.acme", cloudscale.expected_lines(1, 0, 100).splitlines())

    def test_before_its_broker(self):
        """The log says at the start that no broker is there, although nothing waits for it."""
        topic = new_topic(self.cluster)
        cloud = self.cloudscale(100)
        cloud.control(visible=0)
        self.configure(self.source(cloud.url), self.sink(self.cluster, topic))
        (broker,) = self.cluster.brokers
        broker.kill()
        try:
            daemon = self.daemon()
            self.assertIn("Connection refused", daemon.wait_log("nothing is lost, retrying in ", seconds=60))
        finally:
            broker.start()
        daemon.wait_log("works again", seconds=60)
        self.assertEqual(daemon.stop(), 0)
        cloud.control(visible=100)
        self.once()
        self.assert_read(self.cluster, topic, cloudscale.expected_lines(1, 0, 100).splitlines())

    def test_not_enough_replicas(self):
        """`trawlctl test` warns of topics whose records do not survive the loss of a disk."""
        topic = new_topic(self.cluster)
        self.configure(self.source("http://127.0.0.1:9"), self.sink(self.cluster, topic))
        said = self.ctl("test", "bus").text
        self.assertIn("topic %s: replicas 1, min.insync.replicas 1\n" % topic, said)
        self.assertIn("warning: topic %s: records that one broker has acknowledged are lost" % topic, said)
        self.assert_read(self.cluster, topic, [])

    def test_not_transactional(self):
        topic = new_topic(self.cluster)
        cloud = self.cloudscale(500)
        self.configure(self.source(cloud.url), self.sink(self.cluster, topic, "transactional = no"))
        self.once()
        self.assert_read(self.cluster, topic, cloudscale.expected_lines(1, 0, 500).splitlines())


class Three(Case):
    def setUp(self):
        super().setUp()
        self.cluster = Cluster(3)
        self.addCleanup(self.cluster.remove)

    def configure_page(self, url):
        """As the page says."""
        for command in blocks(PAGE, "sh", "kafka-topics.sh"):
            self.cluster.tool(replaced(command, [
                ("k1.example.net:9092", self.cluster.addresses[0]), ("--partitions 6", "--partitions 1")]
                if "--partitions 6" in command else
                [("k1.example.net:9092", self.cluster.addresses[0])]))
        sink = replaced(blocks(PAGE, "ini")[0], [
            ("k%d.example.net:9092" % (n + 1), address)
            for n, address in enumerate(self.cluster.addresses)])
        self.configure(self.source(url, more="interval = 200ms"), sink + "retry_max = 1s\n", daemon="log_level = debug")

    def test_broker(self):
        """kafka_broker: brokers are killed while records flow, the leader of the topic first."""
        cloud = self.cloudscale(6000, "--page-size", "50")
        cloud.control(visible=0)
        self.configure_page(cloud.url)
        (command,) = blocks(PAGE, "sh", "trawlctl")
        said = self.ctl(*command.split()[1:]).text
        self.assertIn("topic audit: replicas 3, min.insync.replicas 2\n", said)
        self.assertIn("topic trawld.places: replicas 3, min.insync.replicas 2\n", said)
        self.assertNotIn("warning", said)
        daemon = self.daemon()
        for round in range(3):
            mark = daemon.mark()
            cloud.control(visible=2000 * round + 1000)
            daemon.wait_log("job: batches", mark, 120)
            number = self.cluster.leader("audit") if round % 2 == 0 else self.cluster.leader("trawld.places")
            broker = self.cluster.brokers[number - 1]
            broker.kill()
            cloud.control(visible=2000 * round + 2000)
            self.wait_acknowledged(120)
            broker.start()
            wait_until(self.cluster.is_up, "the broker again", 60)
        self.assertEqual(daemon.stop(), 0)
        self.assert_read(self.cluster, "audit", cloudscale.expected_lines(1, 0, 6000).splitlines())


if __name__ == "__main__":
    harness.main()
