#!/usr/bin/python3
"""What --check says of a state that several processes share, and of its keys without one. Needs no database."""

import os
import socket
import unittest

import harness

CLUSTER = """\
[cluster]
name = prod
connect = host=127.0.0.1 dbname=trawld user=trawld
"""


class ClusterConfig(harness.Case):
    def write(self, cluster=CLUSTER, state="postgresql", path="/v/%{source}.ndjson", source=""):
        self.configure(cluster, self.source("http://127.0.0.1:9", more=source), self.file_sink(path=path),
                       daemon="state = " + state)
        return self.conf.read_text().splitlines()

    def assert_error(self, phrase, at, **parts):
        """One error, at the first line that begins with AT, which contains PHRASE."""
        lines = self.write(**parts)
        (number,) = [n for n, line in enumerate(lines, 1) if line.startswith(at)][:1]
        errors = [line for line in self.check(78).err.splitlines() if "trawld.conf:" in line]
        self.assertEqual(len(errors), 1, errors)
        self.assertIn("trawld.conf:%d: " % number, errors[0])
        self.assertIn(phrase, errors[0])

    def assert_key(self, line, phrase):
        """A line of [cluster] that is wrong."""
        self.assert_error(phrase, line, cluster=CLUSTER + line + "\n")

    def test_good(self):
        for more in ("", "shards = 1000\nshard = 999\n", "shards = 2\nshard = any\nlease = 3s\n", "lease = 5m\n",
                     "node = log-a.example_1\nschema = trawld_2\nrequire_synchronous = no\npassword = x y\n"):
            self.write(CLUSTER + more)
            self.check(0)
        self.write(CLUSTER + "shards = 4\n", path="/v/%{node}/%{shard}/%F.ndjson", source="shard = 3")
        self.check(0)

    def test_sections(self):
        self.assert_error("needs a [cluster] section", "state =", cluster="")
        self.assert_error("has no effect without `state = postgresql`", "[cluster]", state="sqlite")
        self.assert_error("one of sqlite, postgresql (did you mean `postgresql`?)", "state =", state="postgres",
                          cluster="")
        self.assert_error("[cluster prod]: [cluster] does not take a name", "[cluster prod]", state="sqlite",
                          cluster="[cluster prod]\n")
        self.assert_error("did you mean [cluster]?", "[clustr]", state="sqlite", cluster="[clustr]\nname = x\n")
        self.assert_error("needs `name`", "[cluster]", cluster=CLUSTER.replace("name = prod\n", ""))
        self.assert_error("did you mean `shards`?", "shrads", cluster=CLUSTER + "shrads = 2\n")

    def test_keys(self):
        self.assert_error("at most 40 letters", "name = ", cluster=CLUSTER.replace("prod", "a b"))
        self.assert_error("at most 40 letters", "name = ", cluster=CLUSTER.replace("prod", "a" * 41))
        for schema in ("2x", "Trawld", "a b", "a;drop", "pg_x", "x" * 64):
            self.assert_key("schema = " + schema, "lower-case letters")
        self.assert_key("node = log a", "letters, digits")
        self.assert_key("node = ../a", "letters, digits")
        self.assert_key("lease = 2s", "a duration from 3s to 5m")
        self.assert_key("lease = 301s", "a duration from 3s to 5m")
        self.assert_key("shards = 0", "a number from 1 to 1000")
        self.assert_key("require_synchronous = maybe", "yes or no")
        self.assert_key("shard = 1", "expected any or 0, since shards = 1")
        self.assert_error("a number from 0 to 3, since shards = 4", "shard = 4", cluster=CLUSTER + "shards = 4\nshard = 4\n")
        self.assert_error("a number from 0 to 3", "shard = all", cluster=CLUSTER + "shards = 4\nshard = all\n")

    def test_host_name(self):
        """Where the host's name is no name of a node, the error says to set one."""
        if os.geteuid() != 0:
            self.skipTest("not root")
        self.write()
        # not through /proc/sys, which a container may have mounted read-only
        named = "import os, socket, sys; socket.sethostname('_!'); os.execv(sys.argv[1], sys.argv[1:])"
        result = self.trawld("-u", "/usr/bin/python3", "-c", named, harness.TRAWLD, "-c", str(self.conf), "--check",
                             program="/usr/bin/unshare")
        self.assertEqual(result.code, 78, result.err)
        self.assertIn("the name of this host, `_!`, cannot be that of a node; set `node`", result.err)

    def test_connect(self):
        def connect(text, phrase):
            self.assert_error(phrase, "connect = ", cluster="[cluster]\nname = prod\nconnect = %s\n" % text)
        connect("pg1 dbname", "connect: it cannot be read (expected as in `host=pg1 ")
        connect("hosst=pg1", "hosst")
        connect("host=127.0.0.1 password=open-sesame", "write `password = ${credential:NAME}`")
        connect("host=127.0.0.1 application_name=x", "trawld sets application_name itself")
        connect("host=pg1 dbname=trawld", "add sslmode=verify-full")
        connect("host=/run/postgresql,pg2 target_session_attrs=primary", "add sslmode=verify-full")
        connect("host=/a,/b", "target_session_attrs=read-write")
        connect("host=pg1,pg2 sslmode=verify-full target_session_attrs=any", "target_session_attrs=read-write")
        for good in ("host=pg1 sslmode=disable", "host=/run/postgresql", "dbname=x", "postgresql://pg1/x?sslmode=require",
                     "host=pg1,pg2 sslmode=verify-full target_session_attrs=read-write"):
            self.write("[cluster]\nname = prod\nconnect = %s\n" % good)
            self.check(0)

    def test_password_is_secret(self):
        self.write(CLUSTER + "password = open-sesame\nlease = 1s\n")
        result = self.check(78)
        self.assertNotIn("open-sesame", result.err)
        self.write(CLUSTER + "password = open-sesame\n")
        shown = self.ctl("config", "--defaults").text
        self.assertNotIn("open-sesame", shown)
        self.assertIn("[cluster]\nname = prod", shown)
        self.assertIn("#node = %s" % socket.gethostname(), shown)

    def test_sources(self):
        self.assert_error("expected any, or a number below the 1 of `shards`", "shard =", source="shard = 1")
        self.assert_error("expected any, or a number", "shard =", source="shard = first")
        self.assert_error("has no effect without `state = postgresql`", "shard =", source="shard = 0", cluster="",
                          state="sqlite")

    def test_paths(self):
        """Two processes never write to one file."""
        shards = CLUSTER + "shards = 2\n"
        self.assert_error("add %{shard} or %{source} to the path", "path =", cluster=shards, path="/v/%F.ndjson")
        self.assert_error("add %{shard} or %{source} to the path", "path =", cluster=shards, path="/v/%{node}.ndjson")
        self.write(path="/v/all.ndjson")
        self.check(0)
        self.assert_error("%{node} and %{shard} need `state = postgresql`", "path =", cluster="", state="sqlite",
                          path="/v/%{node}.ndjson")
        self.assert_error("there is no %{host}", "path =", path="/v/%{host}.ndjson")

    @unittest.skipUnless(os.environ.get("TRAWLD_PRELOAD"), "a preloaded library would come before the sanitizers'")
    def test_network_disk(self):
        def check(expect, disk):
            environment = {"LD_PRELOAD": os.environ["TRAWLD_PRELOAD"], "TRAWLD_TEST_DISK": disk}
            result = self.trawld("-c", str(self.conf), "--check", environment=environment)
            self.assertEqual(result.code, expect, result.err)
            return result.err
        for disk, name in (("0x6969", "NFS"), ("0xff534d42", "CIFS"), ("0xfe534d42", "SMB"), ("0x00c36400", "Ceph"),
                           ("0x65735546", "FUSE")):
            self.write(path="/v/x/%{source}.ndjson")
            said = check(78, disk)
            self.assertIn("/v/x/%%{source}.ndjson is on a network file system (%s)" % name, said)
            self.assertIn("add %{node} to the path", said)
            self.write(path="/v/%{node}/%{source}.ndjson")
            check(0, disk)
        self.write()
        check(0, "0xef53")


if __name__ == "__main__":
    harness.main()
