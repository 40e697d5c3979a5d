"""The blocks of README.md and docs/, and those of the EXAMPLES of manual pages, which tests run as they are printed.
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


def displays(page, section="EXAMPLES"):
    """The literal displays of SECTION of PAGE, a manual page, as a reader sees them."""
    text = (ROOT / page).read_text().partition("\n.Sh %s\n" % section)[2].partition("\n.Sh ")[0]
    for old, new in MDOC:
        text = text.replace(old, new)
    return re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", text, re.M | re.S)


def examples(page, start):
    """The displays of the EXAMPLES of PAGE that begin with START; there is one at least."""
    found = [text for text in displays(page) if text.startswith(start)]
    if not found:
        raise AssertionError("the EXAMPLES of %s have no display: %s" % (page, start))
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
