#!/usr/bin/python3
"""What a reader may rely on in this tree, checked in its text. usage: lint.py ROOT CHECK"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
LAYERS = ["base", "conf", "store", "http", "source", "pipeline", "sink"]
FUNCTION_LINES = 60
FILE_LINES = 600
BANNED = (
    "atoi atol atoll atof strtok sprintf vsprintf strcpy strcat strncpy strncat gets system popen "
    "alloca mktime localtime"
).split()
PROVIDERS = re.compile(r"outscale|huawei|ovh|cloudscale", re.I)
SIGNATURE = re.compile(r"huawei_aksk|auth_huawei", re.I)
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def sources(*folders, suffixes=(".c", ".h")):
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in suffixes:
                yield path


def place(path, line=None):
    name = str(path.relative_to(ROOT))
    return name if line is None else "%s:%d" % (name, line)


def lines_of(path):
    return path.read_text().splitlines()


def layer_of(path):
    parts = path.relative_to(ROOT).parts
    return LAYERS.index(parts[1]) if parts[0] == "lib" else len(LAYERS)


def arrows():
    """A folder includes only what stands before it; foreign libraries only where they belong."""
    homes = {
        "sqlite3.h": ("store",),
        "curl/curl.h": ("http",),
        "zstd.h": ("store", "sink"),
        "zlib.h": ("source", "sink"),
        "microhttpd.h": (),
    }
    for path in sources("lib", "daemon"):
        own = layer_of(path)
        for number, line in enumerate(lines_of(path), 1):
            found = re.match(r'#include [<"]([^>"]+)[>"]', line)
            if not found:
                continue
            name = found[1]
            first = name.split("/")[0]
            if first in LAYERS and LAYERS.index(first) > own:
                yield place(path, number), "%s is above this folder" % name
            home = homes.get(name)
            if home and own not in map(LAYERS.index, home):
                yield place(path, number), "%s belongs into lib/%s only" % (name, "|".join(home))


def calls():
    """Functions that have a strict replacement in lib/base."""
    pattern = re.compile(r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED))
    for path in sources("lib", "daemon"):
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            found = pattern.search(re.sub(r'"(\\.|[^"\\])*"', '""', line))
            if found:
                yield place(path, number), "%s is not used here" % found[1]


def headers():
    """Every header compiles alone."""
    flags = subprocess.run(
        ["pkg-config", "--cflags", "jansson", "libcurl"], capture_output=True, text=True, check=True
    ).stdout.split()
    for path in sources("lib", "daemon", suffixes=(".h",)):
        command = ["cc", "-std=c17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-pedantic", "-Werror"]
        command += ["-fsyntax-only", "-I", ROOT / "lib", "-I", ROOT / "daemon", *flags]
        result = subprocess.run(
            [*command, "-x", "c", "-include", path, "/dev/null"], capture_output=True, text=True
        )
        if result.returncode:
            yield place(path), result.stderr.strip().splitlines()[0]


def names():
    """Base names are unique, so that a file can be named without its folder."""
    seen = {}
    for path in sources("lib", "daemon"):
        other = seen.setdefault(path.name, path)
        if other is not path:
            yield place(path), "has the name of %s" % place(other)


def sizes():
    """A file holds one idea, a function fits a screen."""
    for path in sources("lib", "daemon", "tests", suffixes=(".c", ".h", ".py")):
        lines = lines_of(path)
        if len(lines) > FILE_LINES:
            yield place(path), "%d lines, %d at most" % (len(lines), FILE_LINES)
        start = None
        for number, line in enumerate(lines, 1):
            if path.suffix == ".py":
                break
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start - 1 > FUNCTION_LINES:
                    yield place(path, start), "a function of %d lines" % (number - start - 1)
                start = None


def style():
    """clang-format has nothing to change."""
    program = shutil.which("clang-format-14") or shutil.which("clang-format")
    if not program:
        if os.environ.get("CI"):
            yield ".clang-format", "clang-format is missing"
            return
        print("clang-format is not installed")
        sys.exit(77)
    paths = list(sources("lib", "daemon", "tests"))
    result = subprocess.run(
        [program, "--style=file", "--dry-run", "-Werror", *paths],
        capture_output=True, text=True, cwd=ROOT,
    )
    for line in result.stderr.splitlines():
        if "error:" in line:
            yield line.split(" error:")[0].rstrip(":"), "clang-format would change this"


def providers():
    """The engine names no provider: an API is data."""
    for path in sources("lib", "daemon"):
        if path.stem.startswith("auth_huawei"):
            continue
        for number, line in enumerate(lines_of(path), 1):
            if PROVIDERS.search(SIGNATURE.sub("", line)):
                yield place(path, number), "names a provider"


def ends():
    """Nothing is left open."""
    folders = ("lib", "daemon", "tests", "script", "conf", "man", "systemd", "debian")
    for path in sources(*folders, suffixes=(".c", ".h", ".py", ".conf", ".build", "")):
        if path.is_file() and path.name != "lint.py":
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if OPEN_END.search(line):
                    yield place(path, number), "is left open"


def manual():
    """Every key of the option tables is in trawld.conf(5)."""
    page = (ROOT / "man" / "trawld.conf.5").read_text()
    documented = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"^\.It Cm (.*)$", page, re.M))))
    for path in sources("lib/conf", "lib/pipeline", "lib/sink", suffixes=(".c",)):
        keys = set(re.findall(r'\.name = "([a-z_]+)",\s*\.type = OPTION', path.read_text()))
        keys |= set(re.findall(r'ROW\(\w+, "([a-z_]+)", OPTION', path.read_text()))
        for key in sorted(keys - documented):
            yield place(path), "%s is not in trawld.conf(5)" % key
    text = (ROOT / "lib" / "source" / "source.c").read_text()
    for key in sorted(set(re.findall(r'ROW\(\w+, "([a-z_]+)", OPTION', text)) - documented):
        yield "lib/source/source.c", "%s is not in trawld.conf(5)" % key


def main():
    found = list(globals()[sys.argv[2]]())
    for where, what in found:
        print("%s: %s" % (where, what))
    sys.exit(1 if found else 0)


main()
