#!/usr/bin/python3
"""Every block of commands in README.md and docs/, every literal display of commands in a manual page, and all in its
EXAMPLES, are named by a test, which runs them as they are printed; script/packages installs the programs that they call.
trawlctl(1) has every command and option of the table in ctl_main.c.
usage: commands.py ROOT"""

import ast
import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(ROOT / "tests/system"))

from papers import displays, fences

PAGES = "README.md docs/*.md docs/*/*.md".split()
MANUAL = "man/*.[1-8]"
# (page, first line): why no test runs it
NOT_RUN = {
    ("man/trawld-ha.7", "systemctl disable "): "two services on one disk, which needs systemd and a second machine",
    ("man/trawld-ha.7", "systemctl stop "): "tests/cluster moves states with this command; the service is systemd's",
    ("man/trawld-ha.7", "trawlctl cluster reshard "): "tests/cluster runs it with other numbers of shards",
    ("README.md", "script/demo "): ".ci/run runs both scripts; a test of theirs would run itself",
}
PROGRAMS = (
    "apt curl dpkg-buildpackage head install journalctl jq kafka-acls.sh kafka-topics.sh meson ninja openssl podman rm sudo systemctl "
    "tail python3 echo "
    "trawlctl trawld victoria-logs"
).split()
# Programs in commands of documents that a small Debian does not have, and their packages.
PACKAGES = {"curl": "curl", "git": "git", "jq": "jq", "meson": "meson", "ninja": "ninja-build", "openssl": "openssl",
            "podman": "podman", "zstd": "zstd"}  # fmt: skip
COMMAND = re.compile(r"(\$ |script/\w|tests/\w|(%s)\s)" % "|".join(map(re.escape, PROGRAMS)))


def pages(pattern):
    return [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob(pattern))]


def named(path):
    """(pages, kind, start) of each call of blocks and blocks_by_page in a test, and (page, None, start) of examples."""
    text = path.read_text()
    tree = ast.parse(text if "blocks" in text or "examples" in text else "")
    constants = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Constant)
    }
    for call in ast.walk(tree):
        name = isinstance(call, ast.Call) and getattr(call.func, "id", None)
        if name not in ("blocks", "blocks_by_page", "examples") or not call.args:
            continue
        words = [constants.get(getattr(arg, "id", None), getattr(arg, "value", None)) for arg in call.args]
        if not all(isinstance(word, str) for word in words):
            yield None, call.lineno, None
            continue
        if name == "examples":
            words.insert(1, None)
        yield pages(words[0]), words[1], words[2] if len(words) > 2 else ""


def in_manual(calls, unused):
    """What is wrong in the manual pages; takes what it meets out of UNUSED."""
    n = 0
    for page in pages(MANUAL):
        section = (ROOT / page).read_text().partition("\n.Sh EXAMPLES\n")[2].partition("\n.Sh ")[0]
        for line in re.findall(r"^\.D[1l] (.*)$", section, re.M):
            yield "%s: an example outside of .Bd -literal: %s" % (page, line)
        for name, text in displays(page):
            if name != "EXAMPLES" and not COMMAND.match(text):
                continue
            n += 1
            reasons = [key for key in NOT_RUN if key[0] == page and text.startswith(key[1])]
            runs = any(page == other and text.startswith(start) for other, start in calls)
            if bool(reasons) == runs:
                what = "is run by a test, but is in NOT_RUN" if runs else "is run by no test"
                yield "%s: `%s` %s" % (page, text.splitlines()[0], what)
            for key in reasons:
                unused.pop(key, None)
    if n < 20:
        yield "%s: found only %d displays of commands" % (MANUAL, n)


def in_packages():
    script = (ROOT / "script/packages").read_text()
    lists = dict(re.findall(r'^(\w+)="([^"]*)"$', script, re.M))
    installed = " ".join(lists[task] for task in "build test receivers cluster container".split()).split()
    texts = [(page, text) for pattern in PAGES for page in pages(pattern) for kind, text in fences(page) if kind == "sh"]
    texts += [(page, text) for page in pages(MANUAL) for _, text in displays(page)]
    for program, package in PACKAGES.items():
        called = re.compile(r"(^|[|(] ?|&& |sudo )%s " % program, re.M)
        for page in sorted({page for page, text in texts if called.search(text)}):
            if package not in installed:
                yield "%s: calls %s, but script/packages has no %s" % (page, program, package)


def in_table():
    page = "man/trawlctl.1"
    table = (ROOT / "daemon/ctl/ctl_main.c").read_text().partition(" commands[] = {")[2].partition("\n};")[0]
    usage = dict(re.findall(r'^\t\{"([a-z-]+)",\s*"([^"]*)"', table, re.M))
    items = {}
    for name, rest in re.findall(r"^\.It Cm ([a-z-]+)(.*(?:\n\.(?:Op|Oo|Ar|Fl).*)*)", (ROOT / page).read_text(), re.M):
        items[name] = items.get(name, "") + rest
    for name in sorted(set(usage) ^ set(items)):
        yield "%s: %s %s" % (page, name, "is no command" if name in items else "is missing")
    for name in sorted(set(usage) & set(items)):
        options = set(re.findall(r"--([a-z-]+)", usage[name])) - set(re.findall(r"Fl -([a-z-]+)", items[name]))
        for option in sorted(options):
            yield "%s: --%s of %s is missing" % (page, option, name)
    if len(usage) < 30:
        yield "%s: found only %d commands" % (page, len(usage))


def main():
    found, calls, examples, unused = [], [], [], dict(NOT_RUN)
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for where, kind, start in named(path):
            if where is None:
                found.append("%s:%d: the page and the block are not literal" % (path.relative_to(ROOT), kind))
            elif kind == "sh":
                calls += [(page, start) for page in where]
            elif kind is None:
                examples += [(page, start) for page in where]
    n = 0
    for page in [page for pattern in PAGES for page in pages(pattern)]:
        text = (ROOT / page).read_text()
        for line in re.findall(r"^    (.*)$", re.sub(r"(?ms)^```.*?^```$", "", text), re.M):
            if COMMAND.match(line):
                found.append("%s: a command outside of a block ```sh: %s" % (page, line))
        for kind, block in fences(page):
            if kind != "sh":
                if COMMAND.match(block):
                    found.append("%s: commands in a block of %s: %s" % (page, kind or "no kind", block.splitlines()[0]))
                continue
            n += 1
            reasons = [key for key in NOT_RUN if key[0] == page and block.startswith(key[1])]
            runs = any(page == other and block.startswith(start) for other, start in calls)
            if bool(reasons) == runs:
                what = "is run by a test, but is in NOT_RUN" if runs else "is run by no test"
                found.append("%s: `%s` %s" % (page, block.splitlines()[0], what))
            for key in reasons:
                unused.pop(key, None)
    found += [*in_manual(examples, unused), *in_packages(), *in_table()]
    found += ["%s: there is no block that begins with %s" % key for key in unused]
    if n < 50:
        found.append("README.md, docs: found only %d blocks of commands" % n)
    print("\n".join(found))
    sys.exit(1 if found else 0)


main()
