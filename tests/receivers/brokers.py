"""Kafka brokers as children (KRaft, on loopback), their readers, and gates on the way to them."""

import functools
import random
import shlex
import socket
import struct
import subprocess
import threading

from receivers import CACHE, Case as ReceiverCase, Child  # first: it finds the next ones

from confluent_kafka import Consumer, KafkaError, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from harness import PATIENCE, wait_until, whole_lines

JAVA = ["java", "-Xms128m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
TOOLS = {"kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
         "kafka-acls.sh": "org.apache.kafka.tools.AclCommand"}


def free_port():
    """Not one that the kernel gives to clients: a broker is started later, and again after it was killed."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


class Broker(Child):
    def __init__(self, version, number, settings):
        super().__init__("kafka")
        self.libs = str(CACHE / version / "lib" / "*")
        settings = {
            "process.roles": "broker,controller",
            "node.id": number,
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": self.dir / "data",
            "num.partitions": 1,
            "offsets.topic.num.partitions": 1,
            "transaction.state.log.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
            **settings,
        }
        self.properties = self.dir / "server.properties"
        self.properties.write_text("".join("%s=%s\n" % pair for pair in settings.items()))

    def format(self, *options):
        subprocess.run(
            [*JAVA, "-cp", self.libs, "kafka.tools.StorageTool", "format", "-t", "trawldtrawldtrawldtrwA",
             "-c", self.properties, *options],
            check=True, capture_output=True, cwd=self.dir)

    def start(self):
        self.spawn([*JAVA, "-cp", self.libs, "kafka.Kafka", self.properties])


class Cluster:
    """N brokers. GATES lists names of further listeners whose clients are sent to a Gate."""

    def __init__(self, n=1, version="kafka", gates=(), options=(), **more):
        controllers = [free_port() for _ in range(n)]
        self.ports = [free_port() for _ in range(n)]
        self.gates = {}
        self.brokers = []
        for i in range(n):
            listeners = {"PLAINTEXT": (self.ports[i], self.ports[i])}
            for name in gates:
                port = free_port()
                self.gates[name] = Gate(port)
                listeners[name] = (port, self.gates[name].port)
            for name, port in more.get("listeners", {}).items():
                listeners[name] = (port, port)
            kinds = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT",
                     **{name: "PLAINTEXT" for name in gates},
                     **{name: name for name in more.get("listeners", {})}}
            text = lambda which: ",".join(
                "%s://127.0.0.1:%d" % (name, ports[which]) for name, ports in listeners.items())
            copies = min(n, 3)
            self.brokers.append(Broker(version, i + 1, {
                "controller.quorum.voters": ",".join(
                    "%d@127.0.0.1:%d" % (j + 1, port) for j, port in enumerate(controllers)),
                "listeners": text(0) + ",CONTROLLER://127.0.0.1:%d" % controllers[i],
                "advertised.listeners": text(1),
                "listener.security.protocol.map": ",".join(map(":".join, kinds.items())),
                "offsets.topic.replication.factor": copies,
                "default.replication.factor": copies,
                "transaction.state.log.replication.factor": copies,
                "transaction.state.log.min.isr": max(copies - 1, 1),
                "min.insync.replicas": max(copies - 1, 1),
                **more.get("settings", {}),
            }))
        for broker in self.brokers:
            broker.format(*options)
            broker.start()
        self.addresses = ["127.0.0.1:%d" % port for port in self.ports]
        self.common = {"bootstrap.servers": ",".join(self.addresses)}
        self.admin = AdminClient({**self.common, "log_level": 0})
        wait_until(self.is_up, "brokers", 60)

    def is_up(self):
        for broker in self.brokers:
            if broker.process.poll() is not None:
                raise AssertionError((broker.dir / "log").read_text()[-3000:])
        try:
            return len(self.admin.list_topics(timeout=2).brokers) == len(self.brokers)
        except Exception:  # the client has one kind for all
            return False

    def remove(self):
        for broker in self.brokers:
            broker.remove()

    def create(self, topic, partitions=1, **settings):
        settings = {name.replace("_", "."): str(value) for name, value in settings.items()}
        made = self.admin.create_topics(
            [NewTopic(topic, partitions, min(len(self.brokers), 3), config=settings)])
        made[topic].result(30 * PATIENCE)

    def leader(self, topic):
        return self.admin.list_topics(topic, timeout=10).topics[topic].partitions[0].leader

    def tool(self, command):
        """Runs a command of Kafka's bin directory."""
        name, *arguments = shlex.split(command.replace("\\\n", " "))
        done = subprocess.run([*JAVA, "-cp", self.brokers[0].libs, TOOLS[name], *arguments],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise AssertionError("%s\n%s" % (command, done.stdout))

    def read(self, topic, isolation="read_committed"):
        """All messages up to the end, by partition."""
        settings = {**self.common, "group.id": "test", "enable.partition.eof": True, "enable.auto.commit": False}
        consumer = Consumer({**settings, "isolation.level": isolation})
        every = Consumer({**settings, "isolation.level": "read_uncommitted"})
        try:
            partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
            high = {number: every.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1]
                    for number in partitions}
            consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
            found = {number: [] for number in partitions}
            ends = {}
            # a commit is answered before it is in each partition; what was never committed has no end
            while any(ends.get(number, -1) < high[number] for number in partitions):
                message = consumer.poll((10 if len(ends) == len(found) else 60) * PATIENCE)
                if message is None:
                    if len(ends) == len(found):
                        break
                    raise AssertionError("no end of %s" % topic)
                if not message.error():
                    found[message.partition()].append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ends[message.partition()] = message.offset()
            return found
        finally:
            every.close()
            consumer.close()


class Gate:
    """Passes requests on to a broker; holds those of one kind, or their answers, until they are released."""

    END_TXN = 26
    INIT_PRODUCER_ID = 22

    def __init__(self, target):
        self.target = target
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self.changed = threading.Condition()
        self.kind, self.answers = None, False
        self.n_held = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, kind, answers=False):
        with self.changed:
            self.kind, self.answers, self.n_held = kind, answers, 0

    def release(self):
        with self.changed:
            self.kind = None
            self.changed.notify_all()

    def wait_held(self):
        wait_until(lambda: self.n_held, "a request at the gate", 60)

    def _accept(self):
        while True:
            client, _ = self.server.accept()
            try:
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            kinds = {}
            for pair in ((client, broker, kinds, False), (broker, client, kinds, True)):
                threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _wait(self, kind, answer):
        with self.changed:
            if self.kind is None or kind != self.kind or answer != self.answers:
                return
            self.n_held += 1
            self.changed.wait_for(lambda: self.kind is None)

    def _pass(self, source, sink, kinds, answer):
        with source, sink:
            try:
                reader = source.makefile("rb")
                while len(head := reader.read(4)) == 4:
                    body = reader.read(struct.unpack(">i", head)[0])
                    if answer:
                        kind = kinds.pop(body[:4], None)
                    else:
                        kind = struct.unpack(">h", body[:2])[0]
                        kinds[body[4:8]] = kind
                    self._wait(kind, answer)
                    sink.sendall(head + body)
            except OSError:
                pass
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class Case(ReceiverCase):
    """A test whose sink is named `bus`."""

    def sink(self, cluster, topic, *more, brokers=None):
        return "[sink bus]\ntype = kafka\nsecurity = plaintext\nbrokers = %s\ntopic = %s\nretry_max = 1s\n%s\n" % (
            brokers or ", ".join(cluster.addresses), topic, "\n".join(more))

    def dead_letters(self):
        path = self.state / "dead-letters" / "bus.ndjson"
        return [line.decode() for line in whole_lines(path)]

    def assert_read(self, cluster, topic, expected):
        """One partition that has the texts of EXPECTED, each once, in order, byte for byte."""
        (found,) = cluster.read(topic).values()
        found = [message.value() for message in found]
        for n, pair in enumerate(zip(found, expected)):
            self.assertEqual(pair[0], pair[1], "record %d" % n)
        self.assertEqual(len(found), len(expected))


@functools.cache
def shared_cluster():
    """One broker for many tests; each has topics of its own."""
    cluster = Cluster(gates=("FIRST", "SECOND"))
    import atexit
    atexit.register(cluster.remove)
    return cluster


@functools.cache
def counter():
    return iter(range(1000000))


def new_topic(cluster, partitions=1, **settings):
    name = "audit-%d" % next(counter())
    cluster.create(name, partitions, **settings)
    return name
