"""A real OpenSearch as a child, one for all tests."""

import atexit
import functools
import json
import re
import subprocess
import time

from receivers import CACHE, Child, ask

JAVA = (
    "java", "-Xms256m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
    "-cp", "%s/opensearch/classes:%s/opensearch/lib/*" % (CACHE, CACHE), "OneNode",
)
# one thread and a short queue: a part of each request to an index of many shards is rejected
SETTINGS = ("thread_pool.write.size=1", "thread_pool.write.queue_size=3")
HIT = re.compile(r'\{"_index":"[^"]*","_id":"')


class Node(Child):
    def __init__(self):
        super().__init__("opensearch")
        self.port = 0

    def start(self):
        """Its indices answer when this returns."""
        self.spawn([*JAVA, self.dir, str(self.port), *SETTINGS], stdout=subprocess.PIPE, text=True)
        address = self.process.stdout.readline().strip()
        self.process.stdout.close()
        if not address:
            raise AssertionError((self.dir / "log").read_text(errors="replace")[-3000:])
        self.url = "http://" + address
        self.port = int(address.rpartition(":")[2])
        self.must("GET", "/_cluster/health?wait_for_status=yellow&timeout=60s")

    def ask(self, method, path, body=None):
        """(status, document) of the answer."""
        status, text = ask(self.url + path, body, method)
        return status, json.loads(text)

    def must(self, method, path, body=None):
        status, answer = self.ask(method, path, body)
        if status not in (200, 201):
            raise AssertionError("%s %s: %d %s" % (method, path, status, answer))
        return answer

    def settings(self, **settings):
        """Sets dynamic settings of the cluster, a dot written as two underscores."""
        transient = {name.replace("__", "."): value for name, value in settings.items()}
        self.must("PUT", "/_cluster/settings", {"transient": transient})

    def reset(self):
        """Everything that a test left goes; a node that it killed is there again."""
        if self.process.poll() is not None:
            self.start()
        self.settings(
            cluster__max_shards_per_node=None,
            indices__id_field_data__enabled=None,
            action__auto_create_index=None,
        )
        for path in ("/_data_stream/*", "/_index_template/*", "/*?expand_wildcards=all"):
            self.must("DELETE", path)

    def count(self, index):
        """How many documents there are; for polls, so it leaves the node time for other work."""
        time.sleep(0.1)
        self.ask("POST", "/%s/_refresh" % index)
        status, answer = self.ask("GET", "/%s/_count" % index)
        return answer["count"] if status == 200 else 0

    def documents(self, index):
        """The texts of all documents as OpenSearch has them, in the order of their _id."""
        self.must("POST", "/%s/_refresh" % index)
        decoder = json.JSONDecoder(strict=False)
        found, query = [], {"size": 2000, "sort": ["_id"]}
        while True:
            status, raw = ask("%s/%s/_search" % (self.url, index), query)
            text = raw.decode("utf-8", "surrogatepass")
            if status != 200:
                raise AssertionError(text)
            hits = json.loads(text, strict=False)["hits"]["hits"]
            if not hits:
                return found
            for match in HIT.finditer(text):
                at = text.index('"_source":', match.end()) + len('"_source":')
                found.append(text[at : decoder.raw_decode(text, at)[1]])
            query["search_after"] = hits[-1]["sort"]

    def index(self, index, documents):
        """Stores DOCUMENTS, {_id: text}, and waits until they can be found."""
        body = "".join(
            '{"create":{"_id":%s}}\n%s\n' % (json.dumps(name), text)
            for name, text in documents.items()
        )
        url = "%s/%s/_bulk?refresh=true" % (self.url, index)
        status, text = ask(url, body.encode("utf-8", "surrogatepass"))
        if status != 200 or json.loads(text)["errors"]:
            raise AssertionError(text[:2000])


@functools.cache
def shared_node():
    node = Node()
    atexit.register(node.remove)
    node.start()
    return node
