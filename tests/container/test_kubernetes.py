#!/usr/bin/python3
"""The manifests of conf/kubernetes: sound YAML, no root, and run with podman as they say."""

import json
import os
import pathlib
import re
import tempfile
import unittest
import urllib.request

import yaml
from container import IMAGE, ROOT, USER, Image, podman
from harness import TOKEN, wait_until
from kubernetes_schema import object_faults

import cloudscale

FOLDER = ROOT / "conf" / "kubernetes"
RECORDS = 700


class Strict(yaml.SafeLoader):
    """Refuses a key that is there twice, as Kubernetes does."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, "twice: %s" % twice, node.start_mark)
        return super().construct_mapping(node, deep)


def documents(path):
    return list(yaml.load_all(path.read_text(), Strict))


MANIFESTS = ("cronjob.yaml", "sidecar.yaml", "cluster")


def manifests():
    """Every file with objects."""
    return sorted(FOLDER.rglob("*.yaml"))


def built(folder):
    """The objects that `kubectl apply -k` makes of a folder, as far as the ones here need it."""
    (wanted,) = documents(folder / "kustomization.yaml")
    made = [d for name in wanted["resources"] for d in documents(folder / name)]
    for one in wanted["configMapGenerator"]:
        data = {name: (folder / name).read_text() for name in one["files"]}
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": one["name"]}, "data": data})
    counts = {one["name"]: one["count"] for one in wanted["replicas"]}
    tags = {one["name"]: one["newTag"] for one in wanted["images"]}
    for document in made:
        if document["kind"] == "Deployment":
            document["spec"]["replicas"] = counts.pop(document["metadata"]["name"])
            for container in document["spec"]["template"]["spec"]["containers"]:
                name = container["image"].rpartition(":")[0]
                container["image"] = "%s:%s" % (name, tags.pop(name))
    assert not counts and not tags, "what kustomization.yaml changes is not there"
    return made


class Manifest:
    """One file or folder: its ConfigMaps, its pod, the container trawld in it."""

    def __init__(self, name):
        path = FOLDER / name
        self.documents = built(path) if path.is_dir() else documents(path)
        self.maps = {d["metadata"]["name"]: d for d in self.documents if d["kind"] == "ConfigMap"}
        kinds = ("CronJob", "StatefulSet", "Deployment")
        workload = next(d for d in self.documents if d["kind"] in kinds)
        self.spec = workload["spec"]
        job = self.spec.get("jobTemplate", {"spec": self.spec})["spec"]
        self.job = job
        self.template = job["template"]
        self.pod = self.template["spec"]
        self.trawld = next(c for c in self.pod["containers"] if c["name"] == "trawld")
        self.volumes = {v["name"]: v for v in self.pod["volumes"]}
        claims = [d for d in self.documents if d["kind"] == "PersistentVolumeClaim"]
        claims += self.spec.get("volumeClaimTemplates", [])
        self.claims = {claim["metadata"]["name"] for claim in claims}

    def configuration(self):
        """The text of trawld.conf."""
        name = self.volumes["configuration"]["configMap"]["name"]
        return self.maps[name]["data"]["trawld.conf"]


class Schema(unittest.TestCase):
    """The manifests as the API's server reads them."""

    def test_manifests(self):
        for path in manifests():
            for document in documents(path):
                self.assertEqual(object_faults(document), [], path.name)
        for document in built(FOLDER / "cluster"):
            self.assertEqual(object_faults(document), [])

    def test_faults(self):
        """What somebody could write by mistake is found."""
        for name, old, new, words in (
            ("cronjob", "readOnlyRootFilesystem", "readOnlyRootFileSystem", "there is no field"),
            ("cronjob", "concurrencyPolicy: Forbid", "concurrencyPolicy: forbid", "cannot be"),
            ("cronjob", "  schedule: \"*/15 * * * *\"\n", "", "schedule is missing"),
            ("cronjob", "storage: 2Gi", "storage: 2GB", "cannot be '2GB'"),
            ("cronjob", "values: [64", "values: [0, 64", "cannot be 0"),
            ("cronjob", "runAsUser: 65532", "runAsUser: \"65532\"", "cannot be '65532'"),
            ("cronjob", "defaultMode: 0440", "defaultMode: 4400", "cannot be 4400"),
            ("cronjob", "apiVersion: batch/v1", "apiVersion: batch/v1beta1", "no such object"),
            ("sidecar", "port: status", "port: Status", "cannot be 'Status'"),
            ("sidecar", "  serviceName: collector\n", "", "serviceName is missing"),
            ("sidecar", "drop: [ALL]", "drop: ALL", "no list"),
            ("sidecar", "containerPort: 9464", "containerPort: 94640", "cannot be 94640"),
            ("cluster/deployment", "maxSurge: 0", "maxSurge: none", "cannot be 'none'"),
            ("cluster/deployment", "maxSkew: 1", "maxskew: 1", "maxSkew is missing"),
            ("cluster/deployment", "policy/v1", "policy/v1beta1", "no such object"),
            ("cluster/kustomization", "newTag", "tag", "there is no field tag"),
            ("cluster/kustomization", "count: 2", "count: -2", "cannot be -2"),
        ):
            text = (FOLDER / (name + ".yaml")).read_text()
            self.assertIn(old, text)
            found = [
                fault
                for document in yaml.load_all(text.replace(old, new), Strict)
                for fault in object_faults(document)
            ]
            self.assertTrue(found and any(words in fault for fault in found), (new, found))


class Kubernetes(Image):
    def test_documents(self):
        self.assertEqual(sorted(p.name for p in FOLDER.iterdir()), sorted(MANIFESTS))
        for path in manifests():
            for document in documents(path):
                self.assertNotEqual(document["kind"], "Secret", "secrets are not kept in files")

    def test_rights(self):
        for name in MANIFESTS:
            manifest = Manifest(name)
            pod = manifest.pod["securityContext"]
            self.assertIs(manifest.pod["automountServiceAccountToken"], False)
            self.assertIs(pod["runAsNonRoot"], True)
            self.assertEqual(pod["fsGroup"], USER)
            self.assertEqual(pod["seccompProfile"], {"type": "RuntimeDefault"})
            for container in manifest.pod["containers"]:
                context = container["securityContext"]
                self.assertIs(context["readOnlyRootFilesystem"], True)
                self.assertIs(context["allowPrivilegeEscalation"], False)
                self.assertEqual(context["capabilities"], {"drop": ["ALL"]})
            user = {**pod, **manifest.trawld["securityContext"]}
            self.assertEqual((user["runAsUser"], user["runAsGroup"]), (USER, USER))

    def test_names(self):
        """What is named is there: volumes, claims, labels, ports."""
        for name in MANIFESTS:
            manifest = Manifest(name)
            for mount in manifest.trawld["volumeMounts"]:
                self.assertIn(mount["name"], set(manifest.volumes) | manifest.claims)
            for volume in manifest.volumes.values():
                claim = volume.get("persistentVolumeClaim")
                if claim:
                    self.assertIn(claim["claimName"], manifest.claims)
        manifest = Manifest("cronjob.yaml")
        self.assertEqual(manifest.trawld["args"], ["--once"])
        self.assertEqual(manifest.spec["concurrencyPolicy"], "Forbid")
        self.assertEqual(manifest.pod["restartPolicy"], "Never", "podFailurePolicy wants it")
        (rule,) = manifest.job["podFailurePolicy"]["rules"]
        self.assertNotIn(75, rule["onExitCodes"]["values"])
        manifest = Manifest("sidecar.yaml")
        self.assertEqual(manifest.spec["replicas"], 1)
        service = next(d for d in manifest.documents if d["kind"] == "Service")
        self.assertEqual(service["metadata"]["name"], manifest.spec["serviceName"])
        self.check_status_port(manifest)

    def test_cluster(self):
        """A pod more than shards, no disk that stays, and what is selected is what is labelled."""
        manifest = Manifest("cluster")
        text = manifest.configuration()
        self.assertEqual(manifest.spec["replicas"], int(re.search(r"(?m)^shards = (\d+)", text)[1]) + 1)
        self.assertFalse(manifest.claims)
        self.assertIn("emptyDir", manifest.volumes["work"])
        self.assertEqual(manifest.spec["strategy"]["rollingUpdate"]["maxSurge"], 0)
        self.assertNotIn("type = file", text, "a file would go with the pod")
        self.assertGreater(manifest.pod["terminationGracePeriodSeconds"], 20)
        self.assertIn("\nshutdown_timeout = 20s\n", text)
        labels = manifest.template["metadata"]["labels"]
        budget = next(d for d in manifest.documents if d["kind"] == "PodDisruptionBudget")
        self.assertEqual(budget["spec"]["selector"]["matchLabels"], labels)
        (spread,) = manifest.pod["topologySpreadConstraints"]
        self.assertEqual(spread["labelSelector"]["matchLabels"], labels)
        self.check_status_port(manifest)

    def check_status_port(self, manifest):
        """Probes, the service and the policy are about the port where trawld listens."""
        labels = manifest.template["metadata"]["labels"]
        self.assertEqual(manifest.spec["selector"]["matchLabels"], labels)
        service = next(d for d in manifest.documents if d["kind"] == "Service")
        self.assertEqual(service["spec"]["selector"], labels)
        policy = next(d for d in manifest.documents if d["kind"] == "NetworkPolicy")
        self.assertEqual(policy["spec"]["podSelector"]["matchLabels"], labels)
        (port,) = manifest.trawld["ports"]
        self.assertEqual(policy["spec"]["ingress"][0]["ports"], [{"port": port["containerPort"]}])
        self.assertIn("\nlisten = 0.0.0.0:%d\n" % port["containerPort"], manifest.configuration())
        for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
            asked = manifest.trawld[probe]["httpGet"]
            self.assertEqual(asked, {"path": path, "port": port["name"]})
        self.assertEqual(service["spec"]["ports"][0]["targetPort"], port["name"])

    def mount(self, manifest, mount, text):
        """A folder as Kubernetes would mount it: of root, readable or writable by fsGroup."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.dir))
        self.folders[mount["name"]] = folder
        volume = manifest.volumes.get(mount["name"], {})
        if "configMap" in volume:
            (folder / "trawld.conf").write_text(text)
            mode = 0o755
        elif "secret" in volume:
            for name in sorted(set(re.findall(r"/run/secrets/trawld/([\w.]+)", text))):
                secret = folder / name
                secret.write_text(TOKEN)
                os.chown(secret, 0, USER)
                secret.chmod(volume["secret"]["defaultMode"])
            mode = 0o755
        else:
            os.chown(folder, 0, USER)
            (folder / "lost+found").mkdir(mode=0o700)
            mode = 0o2775
        folder.chmod(mode)
        end = ":ro" if mount.get("readOnly") else ""
        return "%s:%s%s" % (folder, mount["mountPath"], end)

    def arguments(self, manifest, text):
        context = manifest.trawld["securityContext"]
        user = {**manifest.pod["securityContext"], **context}
        self.folders = {}
        options = ["--name", self.name, "--network", "host", "--read-only-tmpfs=false"]
        options += ["--user", "%d:%d" % (user["runAsUser"], user["runAsGroup"])]
        options += ["--cap-drop", "all"] if context["capabilities"]["drop"] == ["ALL"] else []
        options += ["--read-only"] if context["readOnlyRootFilesystem"] else []
        if not context["allowPrivilegeEscalation"]:
            options += ["--security-opt", "no-new-privileges"]
        for mount in manifest.trawld["volumeMounts"]:
            options += ["--volume", self.mount(manifest, mount, text)]
        return [*options, IMAGE, *manifest.trawld.get("args", [])]

    def adapted(self, manifest):
        """Its configuration, with the simulators for the cloud and the collector."""
        self.receiver = self.simulator(name="http_receiver")
        self.cloud = self.cloudscale(RECORDS)
        url = "url = %s/ndjson" % self.receiver.url
        text, found = re.subn(r"(?m)^url = .*", url, manifest.configuration())
        self.assertEqual(found, 1)
        # the manifest's port may be in use on this host
        text = re.sub(r"(?m)^listen = 0.0.0.0:.*", "listen = 127.0.0.1:0", text)
        more = "endpoint = %s\nstart = earliest\nrate = off\ninterval = 200ms\n" % self.cloud.url
        text, found = re.subn(r"(?m)^(\[source .*\n)", r"\g<1>" + more, text)
        self.assertEqual(found, 1)
        return text

    def taken(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self.receiver.url + "/got/ndjson") as answer:
            batches = json.load(answer)
        return [record for batch in batches if not batch["repeat"] for record in batch["records"]]

    def check(self):
        expected = cloudscale.expected_lines(1, 0, RECORDS).decode().splitlines()
        self.assertEqual(self.taken(), expected)
        self.assertEqual(self.receiver.stats()["violations"], [])

    def probe(self, manifest, name):
        """The status of an answer to the manifest's probe, asked at the port that the log names."""
        found = wait_until(lambda: re.search(r"127\.0\.0\.1:([1-9][0-9]*)", self.log()), "the port")
        path = manifest.trawld[name]["httpGet"]["path"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open("http://127.0.0.1:%s%s" % (found[1], path), timeout=30) as answer:
            return answer.status

    def test_cronjob(self):
        manifest = Manifest("cronjob.yaml")
        arguments = self.arguments(manifest, self.adapted(manifest))
        for _ in range(2):
            done = podman("run", "--rm", *arguments)
            self.assertNotIn(TOKEN, done.stderr)
            self.check()

    def test_cronjob_codes(self):
        """A run that may do better later ends with a code that is tried again, others with one that
        fails the job at once."""
        manifest = Manifest("cronjob.yaml")
        (rule,) = manifest.job["podFailurePolicy"]["rules"]
        self.assertEqual((rule["action"], rule["onExitCodes"]["operator"]), ("FailJob", "In"))
        text = self.adapted(manifest)
        arguments = self.arguments(manifest, text)

        def code(*more, settings=text):
            (self.folders["configuration"] / "trawld.conf").write_text(settings)
            return podman("run", "--rm", *arguments, *more, expect=None).returncode

        found = {"usage": code("--nonsense"), "configuration": code(settings=text + "nonsense = 1\n")}
        daemon = [one for one in arguments if one != "--once"]
        daemon[daemon.index(self.name)] = self.name + "-other"
        self.addCleanup(podman, "rm", "--force", "--time", "0", self.name + "-other", expect=None)
        (self.folders["configuration"] / "trawld.conf").write_text(text)
        podman("run", "--detach", *daemon)
        wait_until(lambda: len(self.taken()) >= RECORDS, "the records")
        found["state in use"] = code()
        podman("stop", "--time", "30", self.name + "-other")
        self.assertEqual(set(found.values()), set(rule["onExitCodes"]["values"]), found)
        self.cloud.control(revoked=[TOKEN])
        self.assertEqual(code(), 75)
        self.cloud.control(revoked=[])
        self.assertEqual(code(), 0)
        self.check()

    def test_sidecar(self):
        manifest = Manifest("sidecar.yaml")
        podman("run", "--detach", *self.arguments(manifest, self.adapted(manifest)))
        wait_until(lambda: len(self.taken()) >= RECORDS, "the records")
        self.assertEqual(self.probe(manifest, "livenessProbe"), 200)
        self.assertEqual(self.probe(manifest, "readinessProbe"), 200)
        grace = manifest.pod["terminationGracePeriodSeconds"]
        self.assertIn("\nshutdown_timeout = 20s\n", manifest.configuration())
        self.assertGreater(grace, 20)
        podman("stop", "--time", str(grace), self.name)
        self.assertEqual(self.state_of()["ExitCode"], 0, self.log())
        podman("start", self.name)
        wait_until(lambda: self.log().count("1 source, 1 sink") == 2, "the second start")
        podman("stop", "--time", str(grace), self.name)
        self.check()

    def test_as_they_are(self):
        """The configurations without a change hold no fault."""
        for name in MANIFESTS:
            manifest = Manifest(name)
            arguments = self.arguments(manifest, manifest.configuration())
            place = arguments.index(IMAGE)
            podman("run", "--rm", *arguments[: place + 1], "--check")
