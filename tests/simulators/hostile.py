#!/usr/bin/python3
"""An API whose records try to break what carries them: GET /records, then each page's next.

records() tells them all as text, as every sink must have them; so do the tests. With --large the
last page is one record of so many bytes.
"""

import simlib

MIB = 1 << 20
FORGED = "<0>1 2025-12-11T12:00:00Z evil forged - - - FORGED"
BASE_US = 1_765_454_400_000_000

CONTROLS = "".join("\\u%04x" % c for c in range(0x20)) + "\\b\\f\\n\\r\\t\\/\\\\\\\""
BARE = "\x7f\x80\x85\x9f\u2028\u2029\ufeff\ufffe\u202e\U0010ffff"
HALVES = "\\ud800 \\udfff \\ude80\\ud83d \\ud83d\\ud83d\\ude80"


def text_of(kind, n):
    """The members of record N of this kind behind id and time."""
    return {
        "controls": '"text":"%s"' % CONTROLS,
        "bare": '"text":"%s","%s":1' % (BARE, BARE),
        "nul": '"a\\u0000b":"\\u0000\\u0000","c":"\\u0000"',
        "halves": '"text":"%s","\\udc00":"\\ud800"' % HALVES,
        "forged lines": '"text":"\\n%s\\r\\n%s\\u0000%s"' % (FORGED, FORGED, FORGED),
        "forged frames": '"text":"%d %s\\n7 syslog %d %s\\n"'
        % (len(FORGED), FORGED, len(FORGED), FORGED),
        "forged bulk": '"text":"}\\n{\\"create\\":{\\"_id\\":\\"x\\"}}\\n{\\"forged\\":1}\\n"',
        "forged data": '"]":"] [forged@1 a=\\"b\\"] %s","\\"":"\\\\"' % FORGED,
        "colours": '"text":"\\u001b[2J\\u001b]0;forged\\u0007"',
        "twice": '"k":1,"k":2,"":{"":{"":[]}}',
        "numbers": '"n":[1e400,-0,0.10,1E+05,%s,1.%s]' % ("7" * 4000, "3" * 10000),
        "deep": '"d":' + "[" * 100 + "]" * 100,
        "long text": '"text":"%s"' % ("x" * MIB),
        "long wide text": '"text":"%s"' % ("\u20ac" * (MIB // 3)),
        "long escapes": '"text":"%s"' % ("\\u0000" * (MIB // 6)),
        "long names": ",".join('"%s%d":%d' % ("n" * 100_000, i, i) for i in range(5)),
        "long wide name": '"%s":true' % ("\U0001f680" * 25_000),
    }[kind]


KINDS = (
    "controls|bare|nul|halves|forged lines|forged frames|forged bulk|forged data|colours|twice|"
    "numbers|deep|long text|long wide text|long escapes|long names|long wide name"
).split("|")

# as JSON text; the ID goes into headers, labels and addresses
IDS = (
    '"plain-%d"',
    '"\\n%d ' + FORGED + '"',
    '"%d\\"] [forged@1 a=\\"b\\"] ' + FORGED + '"',
    '"\\u0000%d\\r\\n\\u001b[2J"',
    '"\\ud800%d"',
    '"%d' + BARE + '"',
    '"%d' + "\u20ac" * 1000 + '"',
    '"x%d' + "\u20ac" * 1000 + '"',
    '"xx%d' + "i" * 100_000 + '"',
    "%d",
    '"%d\\\\"',
)


def records():
    """[text] of all but the large one."""
    texts = []
    for name in IDS:
        # what is long does not grow more dangerous beside every ID
        for kind in KINDS if name == IDS[0] else [k for k in KINDS if "long" not in k]:
            n = len(texts)
            at = simlib.iso(BASE_US + n * 1_000_000)
            texts.append('{"id":%s,"at":"%s",%s}' % (name % n, at, text_of(kind, n)))
    return texts


def large(size):
    """One record of about SIZE bytes, every one of its characters a small trap."""
    head = '{"id":"large","at":"%s","text":"' % simlib.iso(BASE_US + 10**9)
    unit = "\u20ac\\n<0>1 - forged\\u0000\\\\\\\" "
    return head + unit * (size // len(unit.encode())) + '"}'


class Hostile(simlib.Simulator):
    def arguments(self, parser):
        parser.add_argument("--large", type=int, default=0)

    def start(self, options):
        texts = records()
        self.pages = [texts[at : at + 7] for at in range(0, len(texts), 7)]
        if options.large:
            self.pages.append([large(options.large)])

    def answer(self, request):
        page = int(request.query("page", "since").get("page", "0"))
        following = '"%d"' % (page + 1) if page + 1 < len(self.pages) else "null"
        body = '{"next":%s,"records":[%s]}' % (following, ",".join(self.pages[page]))
        return simlib.answer_text(body, content_type="application/json")


if __name__ == "__main__":
    simlib.main(Hostile)
