"""What Kubernetes' API demands of the objects in conf/kubernetes, as far as they use it: which fields
there are, which must be there, their types and ranges. Stricter than its server, which drops a field
it does not know with a warning: here that is a fault, and so a misspelt one is found."""

import re

LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?" + LABEL.pattern)
NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
JOB_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,50}[a-z0-9])?")  # the jobs' own have 11 more
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
FILE_NAME = re.compile(r"(?!\.\.)[-._a-zA-Z0-9]{1,253}")
QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
PATH = re.compile(r"/[^:]*")
SCHEDULE = re.compile(r"(?:[0-9*/,-]+ ){4}[0-9*/,-]+")
IMAGE = re.compile(r"[a-z0-9./:-]+(:[A-Za-z0-9._-]+|@sha256:[0-9a-f]{64})")
IMAGE_NAME = re.compile(r"[a-z0-9./-]+")
TAG = re.compile(r"[A-Za-z0-9._-]+")
TEXT = re.compile(r"(?s).*")


def one_of(*words):
    return re.compile("|".join(words))


def mapping(key, value):
    return ("mapping", key, value)


LABELS = mapping(LABEL_KEY, LABEL)
COUNT = range(0, 1 << 31)
SECONDS = range(1, 1 << 31)
ID = range(0, 1 << 31)
METADATA = {"name!": NAME, "namespace": NAME, "labels": LABELS, "annotations": mapping(LABEL_KEY, TEXT)}
RESOURCES = mapping(one_of("cpu", "memory", "storage", "ephemeral-storage"), QUANTITY)
NEEDS = {"requests": RESOURCES, "limits": RESOURCES}
SELECTOR = {"matchLabels!": LABELS}
SECCOMP = {"type!": one_of("RuntimeDefault", "Unconfined", "Localhost"), "localhostProfile": TEXT}
USER = {"runAsUser": ID, "runAsGroup": ID, "runAsNonRoot": bool, "seccompProfile": SECCOMP}
CAPABILITY = [re.compile("[A-Z_]+")]
CONTEXT = {
    **USER,
    "readOnlyRootFilesystem": bool,
    "allowPrivilegeEscalation": bool,
    "privileged": bool,
    "capabilities": {"add": CAPABILITY, "drop": CAPABILITY},
}
PORT = range(1, 65536)
PROBE = {
    "httpGet!": {
        "path": PATH,
        "port!": (PORT, PORT_NAME),
        "scheme": one_of("HTTP", "HTTPS"),
    },
    "initialDelaySeconds": COUNT,
    "periodSeconds": SECONDS,
    "timeoutSeconds": SECONDS,
    "successThreshold": SECONDS,
    "failureThreshold": SECONDS,
}
MOUNT = {"name!": NAME, "mountPath!": PATH, "readOnly": bool, "subPath": TEXT}
CONTAINER = {
    "name!": NAME,
    "image!": IMAGE,
    "imagePullPolicy": one_of("Always", "IfNotPresent", "Never"),
    "command": [TEXT],
    "args": [TEXT],
    "env": [{"name!": TEXT, "value": TEXT}],
    "ports": [{"name": PORT_NAME, "containerPort!": PORT, "protocol": one_of("TCP", "UDP", "SCTP")}],
    "securityContext": CONTEXT,
    "livenessProbe": PROBE,
    "readinessProbe": PROBE,
    "startupProbe": PROBE,
    "resources": NEEDS,
    "volumeMounts": [MOUNT],
}
MODE = range(0, 0o1000)
VOLUME = {
    "name!": NAME,
    "configMap": {"name!": NAME, "defaultMode": MODE},
    "secret": {"secretName!": NAME, "defaultMode": MODE},
    "persistentVolumeClaim": {"claimName!": NAME, "readOnly": bool},
    "emptyDir": {"sizeLimit": QUANTITY},
}
POD = {
    "containers!": [CONTAINER],
    "initContainers": [CONTAINER],
    "volumes": [VOLUME],
    "restartPolicy": one_of("Always", "OnFailure", "Never"),
    "automountServiceAccountToken": bool,
    "enableServiceLinks": bool,
    "terminationGracePeriodSeconds": COUNT,
    "securityContext": {
        **USER,
        "fsGroup": ID,
        "fsGroupChangePolicy": one_of("OnRootMismatch", "Always"),
    },
    "topologySpreadConstraints": [
        {
            "maxSkew!": SECONDS,
            "topologyKey!": LABEL_KEY,
            "whenUnsatisfiable!": one_of("DoNotSchedule", "ScheduleAnyway"),
            "labelSelector": SELECTOR,
        }
    ],
}
TEMPLATE = {"metadata!": {"labels!": LABELS, "annotations": mapping(LABEL_KEY, TEXT)}, "spec!": POD}
CLAIM = {
    "accessModes!": [one_of("ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany")],
    "resources!": {"requests!": RESOURCES},
    "storageClassName": NAME,
}
CODES = {
    "containerName": NAME,
    "operator!": one_of("In", "NotIn"),
    "values!": [range(1, 256)],
}
JOB = {
    "template!": TEMPLATE,
    "backoffLimit": COUNT,
    "activeDeadlineSeconds": SECONDS,
    "ttlSecondsAfterFinished": COUNT,
    "podFailurePolicy": {
        # the schemas of 1.26 to 1.28 require both; the API server takes exactly one that is not empty
        "rules!": [
            {
                "action!": one_of("FailJob", "Ignore", "Count"),
                "onExitCodes!": CODES,
                "onPodConditions!": (),
            }
        ]
    },
}
CRON_JOB = {
    "schedule!": SCHEDULE,
    "concurrencyPolicy": one_of("Allow", "Forbid", "Replace"),
    "startingDeadlineSeconds": COUNT,
    "successfulJobsHistoryLimit": COUNT,
    "failedJobsHistoryLimit": COUNT,
    "suspend": bool,
    "timeZone": TEXT,
    "jobTemplate!": {"metadata": {"labels": LABELS}, "spec!": JOB},
}
STATEFUL_SET = {
    "replicas": COUNT,
    "serviceName!": NAME,
    "selector!": SELECTOR,
    "template!": TEMPLATE,
    "volumeClaimTemplates": [{"metadata!": METADATA, "spec!": CLAIM}],
}
FEW = (COUNT, re.compile(r"[0-9]{1,2}%|100%"))
DEPLOYMENT = {
    "replicas": COUNT,
    "strategy": {
        "type": one_of("RollingUpdate", "Recreate"),
        "rollingUpdate": {"maxSurge": FEW, "maxUnavailable": FEW},
    },
    "selector!": SELECTOR,
    "template!": TEMPLATE,
}
BUDGET = {"selector!": SELECTOR, "minAvailable": FEW, "maxUnavailable": FEW}
SERVICE = {
    "clusterIP": one_of("None"),
    "selector": LABELS,
    "ports": [{"name": PORT_NAME, "port!": PORT, "targetPort": (PORT, PORT_NAME)}],
}
PEER = {"namespaceSelector": SELECTOR, "podSelector": SELECTOR}
POLICY = {
    "podSelector!": SELECTOR,
    "policyTypes": [one_of("Ingress", "Egress")],
    "ingress": [{"from": [PEER], "ports": [{"port": (PORT, PORT_NAME), "protocol": TEXT}]}],
}
OBJECTS = {
    ("v1", "ConfigMap"): {"metadata!": METADATA, "data": mapping(FILE_NAME, TEXT)},
    ("v1", "PersistentVolumeClaim"): {"metadata!": METADATA, "spec!": CLAIM},
    ("v1", "Service"): {"metadata!": METADATA, "spec!": SERVICE},
    ("batch/v1", "CronJob"): {"metadata!": {**METADATA, "name!": JOB_NAME}, "spec!": CRON_JOB},
    ("apps/v1", "Deployment"): {"metadata!": METADATA, "spec!": DEPLOYMENT},
    ("policy/v1", "PodDisruptionBudget"): {"metadata!": METADATA, "spec!": BUDGET},
    # read by kubectl: no object of the server
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"): {
        "namespace": NAME,
        "resources!": [FILE_NAME],
        "configMapGenerator": [{"name!": NAME, "files!": [FILE_NAME]}],
        "images": [{"name!": IMAGE_NAME, "newTag": TAG}],
        "replicas": [{"name!": NAME, "count!": COUNT}],
    },
    ("apps/v1", "StatefulSet"): {"metadata!": METADATA, "spec!": STATEFUL_SET},
    ("networking.k8s.io/v1", "NetworkPolicy"): {"metadata!": METADATA, "spec!": POLICY},
}


def _members(value, shape, at):
    fields = {name.rstrip("!"): inner for name, inner in shape.items()}
    for name in shape:
        if name.endswith("!") and name[:-1] not in value:
            yield "%s: %s is missing" % (at, name[:-1])
    for name, inner in value.items():
        if name not in fields:
            yield "%s: there is no field %s" % (at, name)
        else:
            yield from faults(inner, fields[name], "%s.%s" % (at, name))


def _is(value, shape):
    if shape is bool:
        return isinstance(value, bool)
    if isinstance(shape, range):
        return isinstance(value, int) and not isinstance(value, bool) and value in shape
    return isinstance(value, str) and shape.fullmatch(value) is not None


def faults(value, shape, at):
    """Every fault of VALUE, as text that begins with the place."""
    if isinstance(shape, dict) or (isinstance(shape, tuple) and shape[:1] == ("mapping",)):
        if not isinstance(value, dict):
            yield "%s: no mapping" % at
        elif isinstance(shape, dict):
            yield from _members(value, shape, at)
        else:
            for name, inner in value.items():
                if not _is(name, shape[1]):
                    yield "%s: no such name: %r" % (at, name)
                yield from faults(inner, shape[2], "%s.%s" % (at, name))
    elif shape == ():
        if value != []:
            yield "%s: not an empty list" % at
    elif isinstance(shape, list):
        if not isinstance(value, list) or not value:
            yield "%s: no list, or an empty one" % at
        else:
            for n, inner in enumerate(value):
                yield from faults(inner, shape[0], "%s[%d]" % (at, n))
    elif not any(_is(value, kind) for kind in (shape if isinstance(shape, tuple) else (shape,))):
        yield "%s: cannot be %r" % (at, value)


def object_faults(document):
    kind = (document.get("apiVersion"), document.get("kind"))
    if kind not in OBJECTS:
        return ["no such object: %s %s" % kind]
    shape = {"apiVersion!": TEXT, "kind!": TEXT, **OBJECTS[kind]}
    return list(faults(document, shape, kind[1]))
