"""The blocks of README.md and docs/, which tests run as they are printed. tests/lint/commands.py fails if no
test names a block of commands, so the arguments are literal strings or constants of the test's file."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
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
