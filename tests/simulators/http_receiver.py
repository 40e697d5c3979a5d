#!/usr/bin/python3
"""Receivers of records over HTTP, each as strict as its protocol's own rules, on one port.

  POST /ndjson, /array        one record a line; one JSON array
  POST /INDEX/_bulk           Elasticsearch: pairs of lines, only `create`; an _id that is there: 409
  POST /loki/api/v1/push      Loki: label syntax, nanoseconds, entries too far behind the newest
  POST /services/collector/event, /services/collector/ack    Splunk: token, channel, acknowledgement
  POST /v1/logs               OpenTelemetry logs as JSON or as protocol buffers
  POST /token                 OAuth 2.0: t0ken-1, then t0ken-2, ...
  GET  /got/NAME              what came: [{"key", "records": [text, ...], "repeat", ...}, ...] in order
                              of arrival; NAME: ndjson array bulk loki splunk otlp
A request that breaks a rule is answered as the protocol says and noted in /_sim/stats "violations".
For all: Content-Type, Content-Encoding (gzip, zstd), UTF-8 and JSON are checked; so is that two
requests with one Idempotency-Key are the same to the byte, compressed or not.

POST /_sim/control: "max_body": bytes of a decoded body, above it 413; "poison": [text, ...], what
holds one of them is refused with 400 as the protocol does it; "tokens": {"NAME": value of the
Authorization header}; "busy_items": N, that many times a bulk answer has items with 429;
"behind": seconds a Loki entry may be behind the newest; "ack_after": N polls until an
acknowledgement is true, -1: never; "reject": otlp says of so many requests that N of their records
were rejected, [requests, N]. /_sim/stats tells what is left of "busy_items" and, as "rejects",
of "reject". "refuse": {PATH: [status, Content-Type, body]}, the answer to every request there, of which
nothing is taken; %d in the body is the number of the answer, as a receiver's own reference.
"bulk_error": {"type", "reason", ...}, the error (status 400) of every item.
"""

import gzip
import json
import re
import subprocess

import otlp
import simlib
from simlib import Answer, Refuse, answer_json, answer_text

MAX_ID = 512
PROTOBUF = "application/x-protobuf"
HEC_MEMBERS = {"time", "host", "source", "sourcetype", "index", "event"}
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _no_constant(name):
    raise ValueError("no JSON: " + name)


DECODER = json.JSONDecoder(parse_constant=_no_constant)


def value_end(text, at):
    """Where the JSON value that begins at AT ends."""
    return DECODER.raw_decode(text, at)[1]


def members(text):
    """The members of an object without white space, as {name: raw text}; equal names are refused."""
    found = {}
    at = 1
    if text[:1] != "{":
        raise ValueError("no object")
    while text[at] != "}":
        name, at = DECODER.raw_decode(text, at)
        if text[at] != ":" or name in found:
            raise ValueError("no object, or a name twice")
        end = value_end(text, at + 1)
        found[name] = text[at + 1 : end]
        at = end + (text[end] == ",")
    if at + 1 != len(text):
        raise ValueError("more than an object")
    return found


def elements(text):
    """The elements of an array without white space, as raw texts."""
    found = []
    at = 1
    if text[:1] != "[":
        raise ValueError("no array")
    while text[at] != "]":
        end = value_end(text, at)
        found.append(text[at:end])
        at = end + (text[end] == ",")
    if at + 1 != len(text):
        raise ValueError("more than an array")
    return found


def lines_of(text):
    if not text.endswith("\n"):
        raise ValueError("the last line has no line feed")
    lines = text[:-1].split("\n")
    for line in lines:
        if DECODER.raw_decode(line)[1] != len(line):
            raise ValueError("not one JSON value a line")
    return lines


class Receiver(simlib.Simulator):
    max_body = 256 << 20

    def start(self, options):
        self.names = ("ndjson", "array", "bulk", "loki", "splunk", "otlp")
        self.got = {name: [] for name in self.names}
        self.n_tokens = 0
        self.taken = set()  # (name, key)
        self.bodies = {}  # Idempotency-Key: (raw body, decoded body)
        self.violations = []
        self.documents = {}  # bulk: _id -> text
        self.conflicts = 0
        self.newest = {}  # loki: stream -> newest time
        self.acks = {}  # splunk: channel -> [polls left]
        self.settings = {
            "max_body": 1 << 30,
            "poison": [],
            "tokens": {},
            "busy_items": 0,
            "behind": 10**9,
            "ack_after": 0,
            "reject": [0, 0],
            "refuse": {},
            "bulk_error": None,
        }
        self.n_refused = 0

    def control(self, settings):
        for name in list(settings):
            if name in self.settings:
                self.settings[name] = settings.pop(name)

    def stats(self):
        return {
            "violations": self.violations[:20],
            "taken": {name: sum(len(r["records"]) for r in self.got[name]) for name in self.names},
            "new": {name: sum(len(r["records"]) for r in self.got[name] if not r["repeat"]) for name in self.names},
            "repeats": {name: sum(r["repeat"] for r in self.got[name]) for name in self.names},
            "documents": len(self.documents),
            "conflicts": self.conflicts,
            "busy_items": self.settings["busy_items"],
            "rejects": self.settings["reject"][0],
            "refused": self.n_refused,
        }

    # --- what all share ---

    def violation(self, request, status, words, payload=None):
        self.violations.append("%s %s: %s" % (request.method, request.target, words))
        raise Refuse(status, payload or {"detail": words})

    def body(self, request, *types):
        """The decoded body as text; as bytes if it is protocol buffers."""
        if request.method != "POST":
            self.violation(request, 405, "only POST")
        if request.headers.get("content-type") not in types:
            self.violation(request, 415, "Content-Type " + request.headers.get("content-type", ""))
        coding = request.headers.get("content-encoding", "identity")
        try:
            if coding == "gzip":
                body = gzip.decompress(request.body)
            elif coding == "zstd":
                command = ["zstd", "-dcq"]
                body = subprocess.run(
                    command, input=request.body, capture_output=True, check=True
                ).stdout
            elif coding == "identity":
                body = request.body
            else:
                self.violation(request, 415, "Content-Encoding " + coding)
            binary = request.headers["content-type"] == PROTOBUF
            text = body if binary else body.decode()
        except (OSError, EOFError, ValueError, subprocess.CalledProcessError) as fault:
            self.violation(request, 400, "%s: %s" % (coding, fault))
        if len(body) > self.settings["max_body"]:
            raise Refuse(413, {"detail": "Too large."})
        self.same(request, body)
        return text

    def same(self, request, body):
        key = request.headers.get("idempotency-key", "")
        if not re.fullmatch("[0-9a-f]{32}", key):
            self.violation(request, 400, "Idempotency-Key " + key)
        known = self.bodies.setdefault(key, (request.body, body))
        if known != (request.body, body):
            self.violation(request, 422, "the same key with another body")

    def authorized(self, request, name):
        wanted = self.settings["tokens"].get(name)
        return not wanted or request.headers.get("authorization") == wanted

    def poisoned(self, text):
        return any(poison in text for poison in self.settings["poison"])

    def take(self, name, request, records, **more):
        key = request.headers["idempotency-key"]
        repeat = (name, key) in self.taken
        self.taken.add((name, key))
        self.got[name].append({"key": key, "records": records, "repeat": repeat, **more})

    def answer(self, request):
        path = request.path
        if path.startswith("/got/") and path[5:] in self.got:
            return answer_json(self.got[path[5:]])
        if path == "/token":
            self.n_tokens += 1
            return answer_json({"access_token": "t0ken-%d" % self.n_tokens, "expires_in": 3600})
        if path in self.settings["refuse"]:
            return self.refuse(*self.settings["refuse"][path])
        if path in ("/ndjson", "/array"):
            return self.plain(request, path[1:])
        if re.fullmatch(r"/[a-z0-9][a-z0-9._-]*/_bulk", path):
            return self.bulk(request)
        if path == "/loki/api/v1/push":
            return self.loki(request)
        if path == "/services/collector/event":
            return self.splunk(request)
        if path == "/services/collector/ack":
            return self.splunk_ack(request)
        if path == "/v1/logs":
            return self.otlp(request)
        raise Refuse(404, {"detail": "No such place."})

    def refuse(self, status, kind, body):
        self.n_refused += 1
        reference = "%08x-a1b2-4000-8000-%012x" % (self.n_refused * 7919, self.n_refused)
        return Answer(status, body.replace("%d", reference).encode(), {"Content-Type": kind})

    # --- ndjson, json_array ---

    def plain(self, request, name):
        types = {"ndjson": "application/x-ndjson", "array": "application/json"}
        text = self.body(request, types[name])
        if not self.authorized(request, name):
            raise Refuse(401, {"detail": "Who are you?"})
        try:
            records = lines_of(text) if name == "ndjson" else elements(text)
        except (ValueError, IndexError) as fault:
            self.violation(request, 400, str(fault))
        if not records:
            self.violation(request, 400, "no records")
        if self.poisoned(text):
            raise Refuse(400, {"detail": "A record here is bad."})
        self.take(name, request, records)
        return answer_text("ok\n")

    # --- Elasticsearch ---

    def bulk_item(self, request, action, document, busy):
        if self.poisoned(document):
            error = {"type": "document_parsing_exception", "reason": 'bad field "é" in it'}
            return 400, error
        if busy:
            return 429, {"type": "es_rejected_execution_exception", "reason": "queue is full"}
        if action["_id"] in self.documents:
            if self.documents[action["_id"]] != document:
                self.violation(request, 400, "another document with the _id " + action["_id"])
            self.conflicts += 1
            return 409, {"type": "version_conflict_engine_exception", "reason": "exists"}
        self.documents[action["_id"]] = document
        return 201, None

    def bulk(self, request):
        text = self.body(request, "application/x-ndjson", "application/json")
        if not self.authorized(request, "bulk"):
            raise Refuse(401, {"error": {"type": "security_exception"}, "status": 401})
        try:
            lines = lines_of(text)
            pairs = [(json.loads(lines[i]), lines[i + 1]) for i in range(0, len(lines), 2)]
            for action, document in pairs:
                name = action["create"]["_id"]
                if list(action) != ["create"] or list(action["create"]) != ["_id"]:
                    raise ValueError("an action that is not expected: %s" % action)
                if not 0 < len(name.encode()) <= MAX_ID:
                    raise ValueError("id [%s] is too long" % name)
                if not document.startswith("{"):
                    raise ValueError("a document that is no object")
        except (ValueError, IndexError, KeyError, TypeError, AttributeError) as fault:
            self.violation(request, 400, str(fault))
        if self.settings["bulk_error"]:
            self.n_refused += 1
            item = {"create": {"status": 400, "error": self.settings["bulk_error"]}}
            return answer_json({"took": 3, "errors": True, "items": [item] * len(pairs)})
        busy = self.settings["busy_items"] > 0
        self.settings["busy_items"] -= busy
        items, taken = [], []
        for number, (action, document) in enumerate(pairs):
            action = action["create"]
            status, error = self.bulk_item(request, action, document, busy and number % 3 == 1)
            item = {"_index": "audit", "_id": action["_id"], "status": status}
            items.append({"create": {**item, **({"error": error} if error else {})}})
            if status == 201:
                taken.append(document)
        busy = [document for item, (_, document) in zip(items, pairs) if item["create"]["status"] == 429]
        self.take("bulk", request, taken, offered=[document for _, document in pairs], busy=busy)
        errors = any("error" in item["create"] for item in items)
        return answer_json({"took": 3, "errors": errors, "items": items})

    # --- Loki ---

    def loki_entries(self, text):
        """[(stream, time, line)] of a push, or ValueError."""
        push = json.loads(text)
        entries, streams = [], set()
        if list(push) != ["streams"] or not push["streams"]:
            raise ValueError("no streams")
        for stream in push["streams"]:
            labels = stream["stream"]
            if set(stream) != {"stream", "values"} or not 0 < len(labels) <= 15:
                raise ValueError("a stream is labels (1 to 15) and values")
            for name, value in labels.items():
                if not LABEL.fullmatch(name) or not isinstance(value, str) or not value:
                    raise ValueError("bad label %r=%r" % (name, value))
                if len(value.encode()) > 2048:
                    raise ValueError("label value too long: " + name)
            key = json.dumps(labels, sort_keys=True)
            if key in streams or not stream["values"]:
                raise ValueError("a stream twice, or empty")
            streams.add(key)
            for time, line in stream["values"]:
                if not isinstance(line, str) or not re.fullmatch(r"[1-9]\d{18}", time):
                    raise ValueError("a value is [nanoseconds as a string, line]")
                entries.append((key, int(time), line))
        return entries

    def loki(self, request):
        text = self.body(request, "application/json")
        try:
            entries = self.loki_entries(text)
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            self.violation(request, 400, str(fault))
        if self.poisoned(text):
            return answer_text("a line of this push is refused\n", 400)
        # as Loki does it: what can be kept is kept, then the whole is refused
        late = []
        taken = []
        for key, time, line in entries:
            newest = self.newest.get(key, 0)
            if time < newest - self.settings["behind"] * 10**9:
                late.append(line)
                continue
            self.newest[key] = max(time, newest)
            taken.append([key, time, line])
        self.take("loki", request, taken)
        if late:
            words = "entry for stream too far behind, total ignored: %d out of %d\n"
            return answer_text(words % (len(late), len(entries)), 400)
        return Answer(204)

    # --- Splunk ---

    def hec(self, request, status, code, text, **more):
        self.violations.append("%s %s: %s" % (request.method, request.target, text))
        raise Refuse(status, {"text": text, "code": code, **more})

    def hec_caller(self, request, channel):
        token = request.headers.get("authorization", "")
        if not token.startswith("Splunk "):
            self.hec(request, 401, 2, "Token is required")
        if not self.authorized(request, "splunk"):
            raise Refuse(403, {"text": "Invalid token", "code": 4})
        if self.settings["ack_after"] and not GUID.fullmatch(channel):
            self.hec(request, 400, 10, "Data channel is missing")

    def splunk_events(self, text):
        """The events of a request as {member: raw text}, or ValueError."""
        events, at = [], 0
        while at < len(text):
            end = value_end(text, at)
            event = members(text[at:end])
            if not {"time", "event"} <= set(event) <= HEC_MEMBERS:
                raise ValueError("members of an event: " + ", ".join(event))
            if not re.fullmatch(r"\d{10}\.\d{3}", event["time"]) or event["event"] == "{}":
                raise ValueError("time, or an event that is blank")
            for name in HEC_MEMBERS & set(event) - {"time", "event"}:
                if not isinstance(json.loads(event[name]), str):
                    raise ValueError(name + " is no string")
            events.append(event)
            at = end
        return events

    def splunk(self, request):
        text = self.body(request, "application/json")
        channel = request.headers.get("x-splunk-request-channel", "")
        self.hec_caller(request, channel)
        try:
            events = self.splunk_events(text)
        except (ValueError, IndexError) as fault:
            self.hec(request, 400, 6, "Invalid data format: %s" % fault)
        if not events:
            self.hec(request, 400, 5, "No data")
        for number, event in enumerate(events):
            if self.poisoned(event["event"]):
                refusal = {"text": "Invalid data format", "code": 6, "invalid-event-number": number}
                refusal["seen"] = request.headers["authorization"]  # some do: it must be masked
                raise Refuse(400, refusal)
        heads = [{k: v for k, v in event.items() if k != "event"} for event in events]
        records = [event["event"] for event in events]
        self.take("splunk", request, records, heads=heads)
        answer = {"text": "Success", "code": 0}
        if self.settings["ack_after"]:
            polls = self.acks.setdefault(channel, [])
            answer["ackId"] = len(polls)
            polls.append(self.settings["ack_after"])
        return answer_json(answer)

    def splunk_ack(self, request):
        channel = request.query("channel").get("channel", "")
        self.hec_caller(request, channel)
        if not self.settings["ack_after"]:
            self.hec(request, 400, 14, "ACK is disabled")
        polls = self.acks.get(channel, [])
        answer = {}
        for number in request.json()["acks"]:
            known = 0 <= number < len(polls)
            if known and polls[number] > 0:
                polls[number] -= 1
            answer[str(number)] = known and polls[number] == 0
        return answer_json({"acks": answer})

    # --- OpenTelemetry ---

    def otlp_attributes(self, attributes):
        found = {}
        for attribute in attributes:
            ((kind, value),) = attribute["value"].items()
            if set(attribute) != {"key", "value"} or kind != "stringValue":
                raise ValueError("an attribute is key and value")
            if not isinstance(value, str) or attribute["key"] in found:
                raise ValueError("an attribute twice, or no string")
            found[attribute["key"]] = value
        return found

    def otlp_record(self, record):
        if not set(record) <= {"timeUnixNano", "observedTimeUnixNano", "body", "attributes"}:
            raise ValueError("members of a log record: " + ", ".join(record))
        for name in ("timeUnixNano", "observedTimeUnixNano"):
            if not re.fullmatch(r"[1-9]\d{18}", record.get(name, "1" + "0" * 18)):
                raise ValueError(name)
        if list(record["body"]) != ["stringValue"]:
            raise ValueError("body")
        attributes = self.otlp_attributes(record["attributes"])
        return [record["body"]["stringValue"], record.get("timeUnixNano"), attributes]

    def otlp_records(self, push):
        (resource,) = push.pop("resourceLogs")
        (scope,) = resource.pop("scopeLogs")
        names = self.otlp_attributes(resource.pop("resource")["attributes"])
        if push or resource or "service.name" not in names or not scope.pop("scope")["name"]:
            raise ValueError("unknown members, or no name of the service or scope")
        records = [self.otlp_record(record) for record in scope.pop("logRecords")]
        if scope or not records:
            raise ValueError("unknown members, or no records")
        return records

    def otlp(self, request):
        """The answer is in the form of the request."""
        body = self.body(request, "application/json", PROTOBUF)
        binary = isinstance(body, bytes)
        form = {"Content-Type": PROTOBUF}
        try:
            records = self.otlp_records(otlp.request(body) if binary else json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as fault:
            self.violation(request, 400, str(fault), {"code": 3, "message": str(fault)})
        if self.poisoned("\n".join(record[0] for record in records)):
            fault = {"code": 3, "message": "A record here is bad."}
            if binary:
                return Answer(400, otlp.status(fault), form)
            raise Refuse(400, fault)
        answer = {}
        if self.settings["reject"][0] > 0:
            self.settings["reject"][0] -= 1
            rejected = min(self.settings["reject"][1], len(records))
            del records[:rejected]
            words = {"rejectedLogRecords": str(rejected), "errorMessage": "too much to chew"}
            answer = {"partialSuccess": words}
        self.take("otlp", request, records)
        return Answer(200, otlp.response(answer), form) if binary else answer_json(answer)


if __name__ == "__main__":
    simlib.main(Receiver)
