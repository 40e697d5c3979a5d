#!/usr/bin/python3
"""trawld's kafka sink with TLS: PLAIN and client certificates with Kafka 4, SCRAM with Kafka 3.9."""

import subprocess

from brokers import Case, Cluster, free_port  # first: it finds the next ones
from receivers import blocks, replaced

import cloudscale
import harness

PASSWORD = "s3cret-of-the-broker"
JAAS = "org.apache.kafka.common.security."


class Security(Case):
    def setUp(self):
        super().setUp()
        self.cloud = self.cloudscale(300, "--page-size", "50")
        self.certificates()

    def certificates(self):
        """A CA, and certificates of a broker and of a client."""
        path = lambda name: str(self.dir / name)
        run = lambda *arguments: subprocess.run(["openssl", *arguments], check=True, capture_output=True)
        new = ("-newkey", "rsa:2048", "-nodes", "-keyout")
        run("req", "-x509", *new, path("ca.key"), "-days", "2", "-subj", "/CN=CA", "-out", path("ca.pem"))
        (self.dir / "names").write_text("subjectAltName=IP:127.0.0.1\n")
        for name in ("broker", "client"):
            run("req", "-new", *new, path(name + ".key"), "-subj", "/CN=" + name, "-out", path("request"))
            run("x509", "-req", "-days", "2", "-in", path("request"), "-CA", path("ca.pem"), "-CAkey",
                path("ca.key"), "-CAcreateserial", "-extfile", path("names"), "-out", path(name + ".pem"))
        both = (self.dir / "broker.pem").read_text() + (self.dir / "broker.key").read_text()
        (self.dir / "both.pem").write_text(both)

    def cluster(self, version, options=(), **settings):
        self.ports = {"SASL_SSL": free_port(), "SSL": free_port()}
        cluster = Cluster(1, version, options=options, listeners=self.ports, settings={
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.dir / "both.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.dir / "ca.pem",
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "listener.name.sasl_ssl.plain.sasl.jaas.config":
                JAAS + 'plain.PlainLoginModule required user_trawld="%s";' % PASSWORD,
            "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": JAAS + "scram.ScramLoginModule required;",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": JAAS + "scram.ScramLoginModule required;",
            **settings,
        })
        self.addCleanup(cluster.remove)
        cluster.create("audit")
        return cluster

    def use(self, pairs, more=""):
        """The sink of the page, with its replacements."""
        (self.dir / "password").write_text(PASSWORD)
        sink = replaced(blocks("docs/receivers/kafka.md", "ini")[1], [
            ("k1.example.net:9093, k2.example.net:9093, k3.example.net:9093",
             "127.0.0.1:%d" % self.ports["SASL_SSL"]),
            ("${credential:kafka-password}", "${file:%s}" % (self.dir / "password")),
            ("/etc/trawld/kafka-ca.pem", str(self.dir / "ca.pem")), *pairs])
        self.configure(self.source(self.cloud.url), sink + "retry_max = 1s\n" + more)

    def assert_works(self, cluster, topic="audit"):
        self.assertIn("ok: ", self.ctl("test", "bus").text)
        self.once()
        self.assert_read(cluster, topic, cloudscale.expected_lines(1, 0, 300).splitlines())

    def assert_denied(self, *words, code=78):
        result = self.ctl("test", "bus", expect=code)
        for phrase in words:
            self.assertIn(phrase, result.err)
        for text in (result.err, result.text):
            self.assertNotIn(PASSWORD, text)

    def test_plain_and_certificates(self):
        cluster = self.cluster("kafka")
        self.use([("username = trawld", "username = other")])
        self.assert_denied("Authentication failed")
        self.use([])
        self.assert_works(cluster)
        self.use([("ca_file = ", "#ca_file = ")])
        self.assert_denied("certificate", code=75)
        cluster.create("certificates")
        self.state = self.dir / "another"
        user = "mechanism = PLAIN\nusername = trawld\npassword = ${file:%s}\n" % (self.dir / "password")
        pairs = [(str(self.ports["SASL_SSL"]), str(self.ports["SSL"])), ("sasl_ssl", "ssl"), (user, ""),
                 ("topic = audit", "topic = certificates")]
        self.use(pairs)
        self.assert_denied(code=75)
        self.use(pairs, "client_cert = %s\nclient_key = %s\n" % (
            self.dir / "client.pem", self.dir / "client.key"))
        self.assert_works(cluster, "certificates")

    def test_acls(self):
        """`trawlctl test` finds each permission that is missing; those of the page are enough."""
        cluster = self.cluster("kafka", **{
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        })
        acls = [replaced(text, [("k1.example.net:9092", cluster.addresses[0])])
                for text in blocks("docs/receivers/kafka.md", "sh", "kafka-acls.sh")]
        deny = "kafka-acls.sh --bootstrap-server %s %%s --deny-principal User:trawld --operation Write --topic audit" % (
            cluster.addresses[0])
        records, places, transactions = acls
        self.use([])
        self.assert_denied("topic trawld.places: Broker: Topic authorization failed")
        cluster.create("trawld.places")
        cluster.tool(places)
        self.assert_denied("a transaction cannot be begun: ")
        cluster.tool(transactions)
        self.assert_denied("topic audit: Broker: Topic authorization failed")
        cluster.tool(deny % "--add")
        cluster.tool(records)
        self.assert_denied("writing to topic audit: ", "Topic authorization failed")
        self.assertIn("Topic authorization failed", self.once(expect=75).err)
        cluster.tool(deny % "--remove --force")
        self.assert_works(cluster)

    def test_scram(self):
        users = ["SCRAM-SHA-%d=[name=trawld,password=%s]" % (bits, PASSWORD) for bits in (256, 512)]
        cluster = self.cluster("kafka39", [word for user in users for word in ("--add-scram", user)])
        self.use([("PLAIN", "SCRAM-SHA-256"), ("username = trawld", "username = other")])
        self.assert_denied("Authentication failed")
        self.use([("PLAIN", "SCRAM-SHA-256")])
        self.assert_works(cluster)
        cluster.create("more")
        self.state = self.dir / "another"
        self.use([("PLAIN", "SCRAM-SHA-512"), ("topic = audit", "topic = more")])
        self.assert_works(cluster, "more")


if __name__ == "__main__":
    harness.main()
