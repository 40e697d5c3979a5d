"""The blocks of README.md and docs/, and the literal displays of manual pages, which tests run as they are printed.
tests/lint/commands.py fails if no test names a block, so the arguments are literal strings or constants of the test's
file."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
MDOC = (("\\&", ""), ("\\e", "\\"), ("\\(rs", "\\"), ("\\-", "-"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


def fences(page):
    """[(kind, text)] of the blocks of PAGE, a path from the root of the tree."""
    return FENCE.findall((ROOT / page).read_text())


def blocks(page, kind, start=""):
    """The blocks of KIND of PAGE that begin with START; there is one at least."""
    found = [text for own, text in fences(page) if own == kind and text.startswith(start)]
    if not found:
        raise AssertionError("%s has no block of %s: %s" % (page, kind, start))
    return found


def displays(page):
    """[(section, text)] of the literal displays of PAGE, a manual page, as a reader sees them."""
    found = []
    for part in (ROOT / page).read_text().split("\n.Sh ")[1:]:
        for old, new in MDOC:
            part = part.replace(old, new)
        name = part.partition("\n")[0]
        found += [(name, text) for text in re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", part, re.M | re.S)]
    return found


def examples(page, start):
    """The displays of PAGE that begin with START; there is one at least."""
    found = [text for _, text in displays(page) if text.startswith(start)]
    if not found:
        raise AssertionError("%s has no display: %s" % (page, start))
    return found


def blocks_by_page(pattern, kind):
    """{path: its blocks of KIND} of the pages that match PATTERN."""
    pages = [path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob(pattern))]
    return {page: [text for own, text in fences(page) if own == kind] for page in pages}


def replaced(text, pairs):
    """TEXT with each old string of PAIRS, which must be there, replaced by the new one."""
    for old, new in pairs:
        if old not in text:
            raise AssertionError("%r is not in\n%s" % (old, text))
        text = text.replace(old, new)
    return text
