#!/usr/bin/python3
"""What a reader may rely on in this tree, checked in its text. usage: lint.py ROOT CHECK"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
# Each folder of lib/ and the folders that it may include from.
LAYERS = {
    "base": (),
    "conf": ("base",),
    "definition": ("base", "conf"),
    "store": ("base", "conf"),
    "net": ("base", "conf"),
    "source": ("base", "conf", "definition", "net"),
    "pipeline": ("base", "conf", "store"),
    "sink": ("base", "conf", "net", "pipeline", "store"),
}
# The same for the folders of daemon/.
PROGRAMS = {"": (), "workbench": ("",), "ctl": ("", "workbench")}
# Headers with what a struct holds, and the files that may know it.
CLOSED = {
    "source/poll_internal.h": re.compile(r"source/(poll\w*|ends|newest)\.[ch]$"),
    "source/runner_internal.h": re.compile(r"source/runner\w*\.[ch]$"),
    "trawld_internal.h": re.compile(
        r"daemon/(trawld\w*|start|adopt|reload\w*|refresh|once|overview|cluster)\.[ch]$"
    ),
    "control_internal.h": re.compile(r"daemon/control\w*\.[ch]$"),
}
FUNCTION_LINES = 60
FILE_LINES = 600
BANNED = (
    "atoi atol atoll atof strtok sprintf vsprintf strcpy strcat strncpy strncat gets system popen "
    "alloca mktime localtime fseek ftell"
).split()
PROVIDERS = re.compile(r"outscale|huawei|ovh|cloudscale", re.I)
SIGNATURE = re.compile(r"huawei_aksk|auth_huawei", re.I)
OPEN_END = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


# Where the words are checked. Of C files only the messages, the text of their string literals, are.
WORDS_IN = (
    "README.md RELIABILITY.md BENCHMARKS.md CHANGELOG.md CONTRIBUTING.md SECURITY.md Containerfile "
    "docs/*.md docs/providers/*.md docs/receivers/*.md "
    "man/*.[1-8] conf/*.conf conf/*.yml conf/*.json conf/logrotate conf/providers/*.conf "
    "conf/kubernetes/*.yaml conf/completions/* debian/README.Debian debian/control systemd/trawld* script/* "
    ".ci/run lib/*/*.c lib/*/*/*.c daemon/*.c daemon/page.html daemon/ctl/*.c daemon/workbench/*.c"
).split()
# Phrases that read as if translated, and terms that have another name, with what to write.
WORDS = {
    r"(?<!here )\bis no (?!longer|more\b)": "is not a",
    r"\bstands?\b(?! for\b)": "is, shows, contains",
    r"\banew\b": "again",
    r"\bwanted is\b|\b(is|are) (wanted|meant)\b": "expected",
    r"(?<!left )(?<!clock is )\bbehind\b(?! nginx\b| each promise\b| rate\b|\s*[^\w\s])": "after, late",
    r"\bask(s|ed)? on\b": "requests the next page",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\b1 (records|sources|sinks|pages|requests|errors)\b": "a singular",
    r"\b(go|goes|going|went) on\b": "continue, resume",
    r"(?<!at )(?<!tests/)(?<!\| )\bfaults?\b": "error, failure",
    r"\bknown (ones|already)\b": "duplicate",
    r"(?<!in )\b(its|lost|stored|saved|kept) places?\b": "cursor, position, location",
    r"\bbelongs? into\b": "belongs in",
    r"\b(tries|tried|trying) again\b": "retries",
    r"\bmay not\b": "cannot, might not",
    r"\bone a line\b|\bwith commas\b": "one per line, comma-separated",
    r"\bgiven up\b|\bgives up\b": "discarded",
}


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
    """The folder of lib/ that PATH is in; None: the programs, which may include anything."""
    parts = path.relative_to(ROOT).parts
    return parts[1] if parts[0] == "lib" else None


def arrows():
    """A folder includes from the folders that LAYERS allows; foreign libraries only where they
    belong. The source side and the delivery side never meet in lib/."""
    homes = {"sqlite3.h": ("store",), "libpq-fe.h": ("store",), "curl/curl.h": ("net",), "microhttpd.h": ()}
    homes |= {"zstd.h": ("store", "net", "sink"), "zlib.h": ("net", "source", "sink")}
    for path in sources("lib", "daemon"):
        own = layer_of(path)
        for number, line in enumerate(lines_of(path), 1):
            found = re.match(r'#include [<"]([^>"]+)[>"]', line)
            if not found:
                continue
            name = found[1]
            if name in CLOSED and not CLOSED[name].search(str(path)):
                yield place(path, number), "%s is closed: use its functions" % name
            if own is None:
                folder, parts = path.parent.name.replace("daemon", ""), name.split("/")
                other = parts[0] if len(parts) == 2 and parts[0] in PROGRAMS else folder
                if other != folder and other not in PROGRAMS[folder]:
                    yield place(path, number), "daemon/%s does not include from daemon/%s" % (folder, other)
                continue
            first = name.split("/")[0]
            if first in LAYERS and first != own and first not in LAYERS[own]:
                yield place(path, number), "lib/%s does not include from lib/%s" % (own, first)
            if own not in homes.get(name, (own,)):
                yield place(path, number), "%s belongs into lib/%s only" % (name, "|".join(homes[name]))


def including():
    """{module: modules that it includes}; a module is a header and its source."""
    paths = list(sources("lib", "daemon"))
    stems, found = {path.name: path.stem for path in paths}, {}
    for path in paths:
        names = re.findall(r'^#include "(?:[^"]*/)?([^"/]+)"', path.read_text(), re.M)
        own = path.stem.replace("_internal", "")
        others = {stems[name].replace("_internal", "") for name in names if name in stems}
        found.setdefault(own, set()).update(others - {own})
    return found


def circles(graph):
    """Sets of modules of which each includes, directly or not, every other (Kosaraju's algorithm)."""
    order, seen = [], set()

    def visit(graph, node, out):
        seen.add(node)
        for other in graph.get(node, ()):
            if other not in seen:
                visit(graph, other, out)
        out.append(node)

    sys.setrecursionlimit(10000)
    for node in graph:
        if node not in seen:
            visit(graph, node, order)
    back = {}
    for node, others in graph.items():
        for other in others:
            back.setdefault(other, set()).add(node)
    seen.clear()
    for node in reversed(order):
        if node not in seen:
            members = []
            visit(back, node, members)
            if len(members) > 1:
                yield frozenset(members)


def cycles():
    """Files that include each other are listed, with the reason, in docs/design.md."""
    text = (ROOT / "docs/design.md").read_text()
    section = text.partition("\n## Files that know each other\n")[2].partition("\n## ")[0]
    explained = {frozenset(re.findall(r"`(\w+)`", item)) for item in re.findall(r"^- (.*?):", section, re.M | re.S)}
    found = set(circles(including()))
    for members in found - explained:
        yield "docs/design.md", "does not explain why these include each other: " + " ".join(sorted(members))
    for members in explained - found:
        yield "docs/design.md", "these do not include each other: " + " ".join(sorted(members))


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
        ["pkg-config", "--cflags", "jansson", "libcurl", "libpq"], capture_output=True, text=True, check=True
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


def tool(*names):
    """The first of these programs that is installed; without any the check is skipped, but in CI."""
    for name in names:
        if shutil.which(name):
            return name
    print("%s is not installed" % names[-1])
    sys.exit(1 if os.environ.get("CI") else 77)


def style():
    """clang-format has nothing to change."""
    program = tool("clang-format-14", "clang-format")
    paths = list(sources("lib", "daemon", "tests"))
    result = subprocess.run(
        [program, "--style=file", "--dry-run", "-Werror", *paths],
        capture_output=True, text=True, cwd=ROOT,
    )
    for line in result.stderr.splitlines():
        if "error:" in line:
            yield line.split(" error:")[0].rstrip(":"), "clang-format would change this"


# What a result is not, but in functions of these "FILE TYPE".
NOT_RESULTS = (
    (r"(?<![>.])\b(r|rc) [!=]= 0\b", r"(?!)", "compares a result with 0: write `if (r)` or `if (!r)`"),
    (r"\breturn (?:[^;=()]*[?:] )?(FAULT_(?!NULL)|\(int\)[^;]*\bclass;)|\b(r|rc) [!=]?= FAULT_", r".* enum fault_class",
     "returns a class: return -1, the class is in the struct fault"),
    (r"(\breturn\b|\br =)[^=;]* -(errno|E[A-Z]{3,})\b",
     r"lib/(base|sink/file|pipeline/(resend|dead)|store/backup)|daemon/ctl/veri", "is an errno: return -1"),
    (r"\b(?!HTTP_STREAM)[A-Z_]+_E_[A-Z]+ = -", r"(?!)", "is an outcome of its own: it is positive, -1 is a failure"),
)  # fmt: skip


def results():
    """A failure is -1, and its class is in the struct fault; a result is asked for in one way."""
    for path in sources("lib", "daemon"):
        kind, text = "", re.sub(r"""/\*.*?\*/|'\\?.'|"(?:\\.|[^"\\])*\"""", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            kind = line if re.match(r"\w.*\(", line) else kind
            for pattern, where, what in NOT_RESULTS:
                if re.search(pattern, line) and not re.match(where, "%s %s" % (place(path), kind)):
                    yield place(path, number), what


def providers():
    """The engine names no provider: an API is data."""
    for path in sources("lib", "daemon"):
        if path.stem.startswith("auth_huawei"):
            continue
        for number, line in enumerate(lines_of(path), 1):
            if PROVIDERS.search(SIGNATURE.sub("", line)):
                yield place(path, number), "names a provider"


SECONDS = {"s": 1, "second": 1, "min": 60, "minute": 60, "h": 3600, "hour": 3600, "d": 86400, "day": 86400}
DAYS = {"day": 1, "month": 30.44, "year": 365.25}


def header_fields(text):
    """{field: its text} of the comment at the beginning of a definition."""
    fields, name = {}, None
    for line in text.partition("\n[provider]\n")[0].splitlines():
        field = re.match(r"# ([A-Z][a-z]+):(.*)", line)
        if field:
            name = field[1]
            fields[name] = field[2].strip()
        elif name and line.startswith("#   "):
            fields[name] += " " + line[4:].strip()
        else:
            name = None
    return {name: text.strip() for name, text in fields.items()}


def definitions():
    """Each definition says what its user has to know, obeys what it says, and has conversations."""
    for path in sorted((ROOT / "conf/providers").glob("*.conf")):
        text = path.read_text()
        fields = header_fields(text)
        wanted = ("Reads", "Permissions", "Retention", "Delay", "Rate", "Confidence", "Documentation")
        for name in wanted:
            if not fields.get(name):
                yield place(path), "its header has no %s" % name
        if "(" not in fields.get("Permissions", ""):
            yield place(path), "Permissions does not say where the credential is made"
        if not re.match(r"https://\S+$|not public: ", fields.get("Documentation", "")):
            yield place(path), "Documentation is not an address"
        kept = re.match(r"(\d+) (day|month|year)s?\b", fields.get("Retention", ""))
        key = re.search(r"^retention = (\d+)d$", text, re.M)
        if kept and (not key or not 0.97 < int(key[1]) / (int(kept[1]) * DAYS[kept[2]]) < 1.03):
            yield place(path), "Retention is %s, `retention` is not" % kept[0]
        allowed = re.match(r"([\d,]+) (?:requests|reads) an? (second|minute|hour|day)\b", fields.get("Rate", ""))
        rate = re.search(r"^rate = (\d+)/(\w+)$", text, re.M)
        if allowed and (
            not rate
            or int(rate[1]) / SECONDS[rate[2]] > int(allowed[1].replace(",", "")) / SECONDS[allowed[2]]
        ):
            yield place(path), "`rate` is more than what Rate allows"
        conversations = list(path.with_suffix("").glob("*.conversation"))
        if len(conversations) < 3:
            yield place(path), "%d conversations, at least 3: first page, last page, nothing new" % len(conversations)


# What each library that meson.build needs is called where packages are made of trawld.
LIBRARIES = {
    "libcurl": ("libcurl4-openssl-dev", "libcurl-devel", "curl", "curl-dev"),
    "libcrypto": ("libssl-dev", "openssl-devel", "openssl", "openssl-dev"),
    "jansson": ("libjansson-dev", "jansson-devel", "jansson", "jansson-dev"),
    "sqlite3": ("libsqlite3-dev", "sqlite-devel", "sqlite", "sqlite-dev"),
    "libzstd": ("libzstd-dev", "libzstd-devel", "zstd", "zstd-dev"),
    "zlib": ("zlib1g-dev", "zlib-devel", "zlib", "zlib-dev"),
    "libmicrohttpd": ("libmicrohttpd-dev", "libmicrohttpd-devel", "libmicrohttpd", "libmicrohttpd-dev"),
    "libev": ("libev-dev", "libev-devel", "libev", "libev-dev"),
    "rdkafka": ("librdkafka-dev", "librdkafka-devel", "librdkafka", "librdkafka-dev"),
    "libpq": ("libpq-dev", "libpq-devel", "postgresql-libs", "libpq-dev"),
    "check": ("check", "check-devel", "check", "check-dev"),
}
RECIPES = ("debian/control", "packaging/trawld.spec", "packaging/PKGBUILD", "packaging/APKBUILD")
VERSIONS = {
    "debian/changelog": r"^trawld \((.*?)\)",
    "packaging/trawld.spec": r"^Version: +(.*)$",
    "packaging/PKGBUILD": r"^pkgver=(.*)$",
    "packaging/APKBUILD": r"^pkgver=(.*)$",
    "Containerfile": r"^ARG VERSION=(.*)$",
}


def packaging():
    """The recipes of packages are of this version, need what meson.build needs, and can be read."""
    build = (ROOT / "meson.build").read_text()
    version = re.search(r"^  version : '(.*)',$", build, re.M)[1]
    for name, pattern in VERSIONS.items():
        found = re.search(pattern, (ROOT / name).read_text(), re.M)
        if not found or found[1] != version:
            yield name, "is not of version " + version
    libraries = set(re.findall(r"dependency\('(\w+)'", build)) - {"threads"}
    for library in sorted(libraries - set(LIBRARIES)):
        yield "meson.build", "%s is not among LIBRARIES of lint.py" % library
    for number, name in enumerate(RECIPES):
        words = set(re.findall(r"[\w-]+", (ROOT / name).read_text()))
        for library in sorted(libraries & set(LIBRARIES)):
            if LIBRARIES[library][number] not in words:
                yield name, "does not need %s" % LIBRARIES[library][number]
    spec = (ROOT / "packaging/trawld.spec").read_text()
    for path in (ROOT / "man").glob("*.[1-8]"):
        if "/%s*" % path.name not in spec:
            yield "packaging/trawld.spec", "does not list %s" % path.name
    readers = [["bash", "-n", ROOT / "packaging/PKGBUILD"]]
    scripts = sorted(path for path in (ROOT / "packaging").iterdir() if path.suffix not in (".md", ".spec"))
    readers += [["sh", "-n", path] for path in scripts if path.name != "PKGBUILD"]
    readers += [["sh", "-n", ROOT / "debian" / name] for name in ("trawld.postinst", "trawld.postrm", "tests/service")]
    if shutil.which("rpmspec"):
        readers.append(["rpmspec", "--parse", ROOT / "packaging/trawld.spec"])
    for command in readers:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            yield place(command[-1]), done.stderr.strip()


def ends():
    """Nothing is left open."""
    folders = ("lib", "daemon", "tests", "script", "conf", "man", "systemd", "debian")
    for path in sources(*folders, suffixes=(".c", ".h", ".py", ".conf", ".build", "")):
        if path.is_file() and path.name != "lint.py":
            for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                if OPEN_END.search(line):
                    yield place(path, number), "is left open"


def keys_of_page(page):
    """{section: words of its .It Cm lines} of a manual page; everything is under "", too."""
    found = {"": set()}
    sections = [""]
    for line in page.splitlines():
        if line.startswith((".Ss ", ".Sh ")):
            sections = re.findall(r"\[([a-z.]+)", line) if line.startswith(".Ss ") else []
        elif line.startswith(".It "):
            words = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"\bCm (.*)$", line))))
            for section in ["", *sections]:
                found.setdefault(section, set()).update(words)
    return found


def option_keys(text):
    keys = set(re.findall(r'\.name = "([a-z_]+)",\s*\.type = OPTION', text))
    return keys | set(re.findall(r'ROW\(\w+,(?:\s*\w+,)?\s*"([a-z_]+)", OPTION', text))


def definition_keys():
    """(file, section, key) of everything that a provider definition may say."""
    rows = "lib/definition/definition_rows.c"
    tables = re.split(r"^static const struct option ", (ROOT / rows).read_text(), flags=re.M)[1:]
    for table in tables:
        section = re.match(r"[a-z]+", table)[0]
        for key in sorted(option_keys(table.split("\n};")[0])):
            yield rows, section, key
    request = "lib/definition/definition_request.c"
    for name, section in (("reader_request_keys", "request"), ("login_keys", "login")):
        listed = re.search(r"\b%s\[\] = \{(.*?)\}" % name, (ROOT / request).read_text(), re.S)[1]
        for key in re.findall(r'"([a-z_]+)"', listed):
            yield request, section, key
    for path in sources("lib/net"):
        if path.name.startswith("auth_"):
            for listed in re.findall(r"keys\[\] = \{(.*?)\}", path.read_text(), re.S):
                for key in re.findall(r'"([a-z_]+)"', listed):
                    yield place(path), "auth", key


def example_of_page(page, file):
    """The display that follows the comment with the name of FILE."""
    found = re.search(r'^\.\\" %s\n\.Bd [^\n]*\n(.*?)^\.Ed$' % re.escape(file), page, re.M | re.S)
    return found and found[1].replace("\\&", "").replace("\\e", "\\")


def manual():
    """Every key of the option tables is in trawld.conf(5) or, a definition's, in its section of
    trawld-provider(5), whose example is the file that is tested."""
    documented = keys_of_page((ROOT / "man" / "trawld.conf.5").read_text())[""]
    for path in sources("lib/conf", "lib/pipeline", "lib/sink", suffixes=(".c",)):
        for key in sorted(option_keys(path.read_text()) - documented):
            yield place(path), "%s is not in trawld.conf(5)" % key
    for key in sorted(option_keys((ROOT / "lib/source/source.c").read_text()) - documented):
        yield "lib/source/source.c", "%s is not in trawld.conf(5)" % key
    page = (ROOT / "man" / "trawld-provider.5").read_text()
    documented = keys_of_page(page)
    found = list(definition_keys())
    for file, section, key in found:
        if key not in documented.get(section, ()):
            yield file, "%s of [%s] is not in trawld-provider(5)" % (key, section)
    for section in "records page resume fetch limits errors request login auth".split():
        if section not in {s for _, s, _ in found}:
            yield "tests/lint/lint.py", "finds no key of [%s]" % section
    file = "tests/definitions/fjordcloud.conf"
    if example_of_page(page, file) != (ROOT / file).read_text():
        yield "man/trawld-provider.5", "its example is not %s" % file


def pages():
    """mandoc has nothing to say of the manual pages, and a table of contents lists every section."""
    paths = sorted((ROOT / "man").glob("*.[1-8]"))
    result = subprocess.run(
        [tool("mandoc"), "-Tlint", "-Wwarning", *paths], capture_output=True, text=True
    )
    for line in result.stdout.splitlines() + result.stderr.splitlines():
        yield "man", line.removeprefix("mandoc: ")
    if result.returncode > 4 or not paths:
        yield "man", "mandoc did not read the pages"
    for path in paths:
        listed, _, rest = path.read_text().partition("\n.Sh CONTENTS\n")[2].partition("\n.Sh ")
        sections = re.findall(r"^\.S[hs] (.*)$", ".Sh " + rest, re.M)
        if rest and re.findall(r'^\.It Sx "?([^"\n]*)', listed, re.M) != sections:
            yield "man/" + path.name, "CONTENTS lists other sections than the page has"


def literal(found):
    """The text of a string literal between bars; of anything else in a C file, its line ends."""
    if found[1] is None:
        return "\n" * found[0].count("\n")
    return " | " + found[1].replace("\\n", " ") + " | "


def prose(path):
    """The words of a file, each with its line: a phrase may run over a line's end."""
    text = path.read_text()
    if path.suffix in (".c", ".h"):
        kinds = r'/\*.*?\*/|\'(?:\\.|[^\'\\])+\'|^#include [^\n]*|"((?:\\.|[^"\\])*)"'
        text = re.sub(r"(?sm)" + kinds + r"|[^\n]", literal, text)
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.split():
            if word != "#":
                yield word, number


def packages():
    """script/packages installs for a task what debian/control needs."""
    control = (ROOT / "debian/control").read_text()
    field = re.search(r"^Build-Depends:\n((?: .*\n)+)", control, re.M)[1]
    script = (ROOT / "script/packages").read_text()
    lists = {n: v.split() for n, v in re.findall(r'^(\w+)="([^"]*)"$', script, re.M)}
    for line in field.splitlines():
        names = re.findall(r"[ |]([a-z0-9.+-]+)", line.partition("(")[0].partition("<")[0])
        name = names[-1]  # of alternatives, that of Debian 12
        if name.startswith(("debhelper-compat", "dh-sequence-")):
            name = "debhelper"
        for extra in ("package", "test"):
            if name not in lists["build"] + lists[extra]:
                yield "script/packages", "%s of debian/control is not in build or %s" % (name, extra)


def words():
    """No phrase comes back that reads as if translated."""
    for path in sorted({path for name in WORDS_IN for path in ROOT.glob(name)}):
        text, lines = "", []
        for word, number in prose(path):
            lines += [number] * (len(word) + 1)
            text += word + " "
        for pattern, better in WORDS.items():
            for found in re.finditer(pattern, text):
                where = place(path, lines[found.start()])
                yield where, "`%s`: say %s" % (found[0], better)


def listed():
    """Every scenario is run, and every fuzz target has seeds."""
    build = (ROOT / "tests/scenario/meson.build").read_text()
    for path in sorted((ROOT / "tests/scenario").glob("*.scenario")):
        if "'%s'," % path.stem not in build:
            yield place(path), "is not in meson.build"
    build = (ROOT / "tests/fuzz/meson.build").read_text()
    for path in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c")):
        name = path.stem.removeprefix("fuzz_")
        if "'%s' :" % name not in build:
            yield place(path), "is not in meson.build"
        if not any((ROOT / "tests/fuzz/seeds" / name).glob("*")):
            yield place(path), "has no seeds"


# In the second column of RELIABILITY.md, but names of no test.
NOT_TESTS = "allow_origins scenario".split()


def is_evidence(name, system):
    """Does NAME, of the second column of RELIABILITY.md, exist? SYSTEM: the test program named before it."""
    if "/" in name:
        return (ROOT / name).exists() or (ROOT / (name + ".c")).exists()
    if name.endswith(".py"):
        return any((ROOT / "tests").rglob(name))
    if name.startswith("test_"):
        files = (ROOT / "tests").rglob("%s.py" % system)
        return any("def %s(" % name in path.read_text() for path in files)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in NOT_TESTS:
        return True
    names = [(build.parent.name, build.read_text()) for build in ROOT.glob("tests/*/meson.build")]
    # those of system and faults begin with the name of their folder
    return (ROOT / "conf/providers" / (name + ".conf")).exists() or any(
        "'%s'" % test in text
        for folder, text in names
        for test in {name, name.removeprefix(folder + "_")}
    )


def reliability():
    """Each promise in RELIABILITY.md names a test, and each test that it names exists."""
    path = ROOT / "RELIABILITY.md"
    n_rows = 0
    for number, line in enumerate(lines_of(path), 1):
        if not line.startswith("| ") or line.startswith(("| promise", "| ---")):
            continue
        n_rows += 1
        promise, _, tests = line.strip("| ").partition(" | ")
        names = [name.split()[0] for name in re.findall(r"`([^`]+)`", tests)]
        if not names or " | " in tests:
            yield place(path, number), "expected a promise and its tests"
        system = None
        for name in names:
            if name.startswith("system_"):
                system = "test_" + name[7:]
            elif name.endswith(".py"):
                system = name[:-3]
            if not is_evidence(name, system):
                yield place(path, number), "there is no %s" % name
    if n_rows < 50:
        yield place(path), "has no table"


def main():
    found = list(globals()[sys.argv[2]]())
    for where, what in found:
        print("%s: %s" % (where, what))
    sys.exit(1 if found else 0)


main()
