#!/usr/bin/python3
"""trawld.conf(5) says of every key what the program does. usage: manual_options.py LIST PAGE

LIST prints the option tables. In the entry of each key (or of several) the manual has to say, in these
words: Required, or "default X", or "default:" and words where the table has no text; "a duration from
X to Y" (size, number), "yes or no", the choices as "a, b or c", "comma-separated", "one per line", "an
octal mode". The section of a kind of sink begins with "Delivery:" and its promise. It names no other keys.
"""

import re
import subprocess
import sys

MACROS = "Ar Cm Dl Em Ev Fl It Li Nm No Ns Op Pa Pq Sx Xr".split()
SECTION = {"[daemon]": "daemon", "[cluster]": "cluster", "[source NAME]": "source", "[sink NAME]": "sink"}
KIND = re.compile(r"\[sink NAME\], type = (\w+)")
DURATIONS = [
    ("w", 7 * 86400 * 10**9),
    ("d", 86400 * 10**9),
    ("h", 3600 * 10**9),
    ("m", 60 * 10**9),
    ("s", 10**9),
    ("ms", 10**6),
]
SIZES = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
# read by the code elsewhere than in these tables
ELSEWHERE = {
    "source": {"overlap", "lag", "page_size", "rate", "SECTION.KEY", "each.NAME"},
    "sink": {"type"},
}


def plain(line):
    """A line of the page without its macros."""
    if not line.startswith("."):
        return line.replace("\\&", "")
    return " ".join(word for word in line[1:].split() if word not in MACROS)


def joined(lines):
    text = " ".join(" ".join(map(plain, lines)).split())
    return re.sub(r" ([,.;:)])", r"\1", text)


class Page:
    def __init__(self, path):
        self.entries = {}  # (table, key): text of its entry
        self.order = []
        self.opening = {}  # table: the text before its list
        table, depth, keys, lines, opening = None, 0, (), [], []
        for line in open(path).read().splitlines():
            if line.startswith((".Ss ", ".Sh ")):
                name = line[4:].strip('"')
                kind = KIND.fullmatch(name)
                table = kind[1] if kind else SECTION.get(name)
                opening = self.opening.setdefault(table, [])
            elif line.startswith(".Bl "):
                depth += 1
            elif line == ".El":
                depth -= 1
            if table and depth == 1 and line.startswith(".It Cm "):
                lines = []
                for key in line[7:].replace(",", " ").split():
                    self.entries.setdefault((table, key), lines)
            elif table and depth == 0:
                opening.append(line)
            elif depth:
                lines.append(line)

    def of(self, table, key):
        """The text of the entry of a key; of NAME.xxx that of the entries of all of them."""
        if (table, key) in self.entries:
            return joined(self.entries[table, key])
        texts = {
            id(lines): joined(lines)
            for (own, name), lines in self.entries.items()
            if own == table and name.startswith(key + ".")
        }
        return " ".join(texts.values())


def amount(number, units, rest):
    for name, size in units:
        if number and number % size == 0:
            return "%d%s" % (number // size, name)
    return "%d%s" % (number, rest)


def bounds(word, least, most, units, rest):
    """As the manual has to say it. No bounds: the word alone."""
    text = "a " + word
    if least:
        text += " from " + amount(least, units, rest)
    if most and most < 1 << 60:
        text += (" to " if least else " up to ") + amount(most, units, rest)
    return text


def wanted(kind, required, default, least, most, choices):
    """The words that have to stand in the entry."""
    if kind == "count":
        yield bounds("number", least, most, [], "")
    elif kind == "size":
        yield bounds("size", least, most, SIZES, "")
    elif kind == "duration":
        yield bounds("duration", least, most, DURATIONS, "s" if not least else "ns")
    elif kind == "choice":
        names = choices.split(",")
        yield ", ".join(names[:-1]) + " or " + names[-1]
    words = {"bool": "yes or no", "list": "comma-separated", "lines": "one per line"}
    words["mode"] = "an octal mode"
    if kind in words:
        yield words[kind]
    if required:
        yield "Required."
    elif default:
        yield "default " + default
    else:
        yield "default:"


def says(text, phrase):
    """With no letter or digit of a longer word or number on either side."""
    return re.search(r"(?<![\w.-])%s(?![\w%%-]|\.\w)" % re.escape(phrase), text, re.I)


def check_options(page, rows):
    known = {table: set(names) for table, names in ELSEWHERE.items()}
    for table, key, kind, required, default, least, most, choices in rows:
        known.setdefault(table, set()).add(key)
        text = page.of(table, key)
        if not text:
            yield "%s: %s is not in its section" % (table, key)
            continue
        for phrase in wanted(kind, required, default, int(least), int(most), choices):
            open_default = phrase == "default:" and phrase in text.lower()
            if not open_default and not says(text, phrase):
                yield "%s: %s does not say: %s" % (table, key, phrase)
    for table, key in page.entries:
        if key not in known.get(table, ()) and key.split(".")[0] not in known.get(table, ()):
            yield "%s: there is no key %s" % (table, key)


def check_promises(page, rows):
    for kind, promise in rows:
        text = joined(page.opening.get(kind, []))
        if "Delivery: %s." % promise not in text:
            yield "%s: does not say: Delivery: %s." % (kind, promise)


def check_auth(page, rows):
    entry = page.entries.get(("http", "auth.type"), [])
    found = dict(re.findall(r"^\.It Li (\w+)(.*)$", "\n".join(entry), re.M))
    for kind, keys in rows:
        words = found.pop(kind, "").replace(":", "").replace(",", "").replace("Cm", "")
        words = " ".join(re.sub(r"Op (.*)", r"[\1]", words).split())
        first, _, rest = words.partition("[")
        said = first.split() + ["[%s]" % word for word in rest.rstrip("]").split()]
        if sorted(said) != sorted(keys.split()):
            yield "http: auth.type %s has the keys: %s" % (kind, keys)
    for kind in found:
        yield "http: there is no auth.type %s" % kind


def main():
    listed = subprocess.run([sys.argv[1]], capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in listed.splitlines()]
    page = Page(sys.argv[2])
    faults = [
        fault
        for check, first in (
            (check_options, "option"),
            (check_promises, "promise"),
            (check_auth, "auth"),
        )
        for fault in check(page, [row[1:] for row in rows if row[0] == first])
    ]
    for fault in faults:
        print("trawld.conf.5: " + fault)
    sys.exit(1 if faults or len(rows) < 60 else 0)


main()
