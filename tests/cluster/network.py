"""Two nodes and a database server, each on the other side of a router: network namespaces, for tests that cut a cable.

The nodes, and what they poll and feed, stay in the namespace that the test begins with, but each node has an address of the
server of its own, which is reached over an interface of its own. Cuts are silent: no packet says that another was dropped.
Needs root.
"""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
NODES = {"a": 1, "b": 2}
LIBC = ctypes.CDLL(None, use_errno=True)


def ip(*arguments, inside=None):
    command = ["ip", *(["-n", inside] if inside else []), *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise AssertionError("%s\n%s" % (" ".join(command), done.stdout))


@contextlib.contextmanager
def own_namespace():
    """This thread and its children are in a namespace that only they have, so that two tests may run at a time."""
    with open("/proc/thread-self/ns/net") as before:
        if LIBC.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "a new network namespace: " + os.strerror(ctypes.get_errno()))
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            LIBC.setns(before.fileno(), CLONE_NEWNET)


class Network:
    """router: 10.213.N.2 towards node N; the server: 10.213.3.2 for the first node, 10.213.4.2 for the second."""

    def __init__(self):
        self.router, self.far = ("trawld-%d-%s" % (os.getpid(), name) for name in ("router", "server"))
        for namespace in (self.router, self.far):
            ip("netns", "add", namespace)
            ip("link", "set", "lo", "up", inside=namespace)
        subprocess.run(["ip", "netns", "exec", self.router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"], check=True)
        self._join(self.far, "server0", "10.213.3.2/24", "server1", "10.213.3.1/24")
        ip("addr", "add", "10.213.4.2/32", "dev", "server0", inside=self.far)
        ip("route", "add", "default", "via", "10.213.3.1", inside=self.far)
        ip("route", "add", "10.213.4.2/32", "via", "10.213.3.2", inside=self.router)
        for name, n in NODES.items():
            self._join(None, name + "0", "10.213.%d.1/24" % n, name + "1", "10.213.%d.2/24" % n)
            ip("route", "add", self.address(name) + "/32", "via", "10.213.%d.2" % n)

    def _join(self, namespace, near, near_address, far, far_address):
        """A cable between NAMESPACE (None: this one) and the router."""
        ip("link", "add", near, "type", "veth", "peer", "name", far)
        ip("link", "set", far, "netns", self.router)
        if namespace:
            ip("link", "set", near, "netns", namespace)
        for name, address, inside in ((near, near_address, namespace), (far, far_address, self.router)):
            ip("addr", "add", address, "dev", name, inside=inside)
            ip("link", "set", name, "up", inside=inside)

    @staticmethod
    def address(node):
        """Where NODE finds the server."""
        return "10.213.%d.2" % (NODES[node] + 2)

    @contextlib.contextmanager
    def at_the_server(self):
        """Children that are started meanwhile are in the server's namespace."""
        with open("/proc/thread-self/ns/net") as before, open("/run/netns/" + self.far) as there:
            LIBC.setns(there.fileno(), CLONE_NEWNET)
            try:
                yield
            finally:
                LIBC.setns(before.fileno(), CLONE_NEWNET)

    def cut(self, node, how):
        """HOW: "cable", "requests" (what NODE sends is lost), "answers" (what the server sends), or "silence" (both)."""
        if how == "cable":
            ip("link", "set", node + "1", "down", inside=self.router)
        if how in ("requests", "silence"):
            ip("route", "replace", "blackhole", self.address(node) + "/32", inside=self.router)
        if how in ("answers", "silence"):
            ip("route", "replace", "blackhole", "10.213.%d.1/32" % NODES[node], inside=self.router)

    def join(self, node):
        """All passes again."""
        ip("link", "set", node + "1", "up", inside=self.router)
        for address in (self.address(node), "10.213.%d.1" % NODES[node]):
            with contextlib.suppress(AssertionError):
                ip("route", "del", "blackhole", address + "/32", inside=self.router)
        if node == "b":
            ip("route", "replace", "10.213.4.2/32", "via", "10.213.3.2", inside=self.router)

    def remove(self):
        for namespace in (self.router, self.far):
            with contextlib.suppress(AssertionError):
                ip("netns", "del", namespace)
