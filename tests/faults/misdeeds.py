"""What an API may do wrong with one answer: MISDEEDS, each with what trawld has to say about it, in groups.

Not here: what test_bad_input and the scenarios try already (README has the table), and lies that look like the truth, such as
an empty page where there are records.
"""

import gzip
import json
import random
import subprocess
import time
import zlib
from email.utils import formatdate

MIB = 1 << 20
DAY = 86_400


class Misdeed:
    """SAYS: a regular expression for a line of the log; None: nothing is wrong enough to be said."""

    def __init__(self, name, spoil, says=None, styles=("cursor", "offset", "link", "header")):
        self.name, self.spoil, self.says, self.styles = name, spoil, says, styles


def changed(**members):
    """Attributes of the answer are replaced; headers are added."""

    def spoil(answer, query, number):
        for name, value in members.items():
            if name == "headers":
                answer.headers.update(value)
            else:
                setattr(answer, name, value)

    return spoil


def rows(change):
    """CHANGE(record, number) does something to each record."""

    def spoil(answer, query, number):
        for n, row in enumerate(answer.page["rows"]):
            change(row, n, number)

    return spoil


# --- statuses and pauses ---


def informational(status):
    def spoil(answer, query, number):
        answer.raw = [b"HTTP/1.1 %d Wait\r\nX-Early: yes\r\n\r\n" % status, answer.head(), answer.text()]

    return spoil


def statuses():
    refused = {"message": "the teapot said no"}
    for status in range(100, 600):
        if status < 200:
            cut = b"HTTP/1.1 %d Wait\r\n\r\n" % status
            yield Misdeed("%d and nothing" % status, changed(raw=[cut], ends=True), "retrying|gave up|giving up")
            if status != 101:
                yield Misdeed("%d first" % status, informational(status))
        elif status in (204, 205, 304):
            yield Misdeed("%d" % status, changed(status=status, body=b"", headers={"Content-Length": None}), "JSON|HTTP %d|timed out" % status)
        else:
            yield Misdeed("%d" % status, changed(status=status, page=refused), "/rows" if status < 300 else "HTTP %d" % status)


PAUSES = (
    "-1", "-1000000000000", "1000000000000", "99999999999999999999999999", formatdate(1, usegmt=True),
    formatdate(4_000_000_000, usegmt=True), "Fri, 31 Feb 2026 99:99:99 GMT", "soon", "", "0x10", "1e3", "NaN", "5, 6", "5" * 5000,
    "\xff\xfe", "1.5", "+3",
)  # fmt: skip


def pauses():
    for text in PAUSES:
        for status in (429, 503):
            headers = {"Retry-After": text}
            yield Misdeed("%d, Retry-After: %.40r" % (status, text), changed(status=status, page={}, headers=headers), "HTTP %d" % status)
        headers = {"Retry-After": text, "X-RateLimit-Remaining": text, "X-RateLimit-Reset": text}
        yield Misdeed("200, Retry-After: %.40r" % text, changed(headers=headers))


# --- cursors and links ---


def followed(value):
    """The link to the next page becomes VALUE."""

    def spoil(answer, query, number):
        if "Link" in answer.headers:
            answer.headers["Link"] = "<%s>; rel=next" % value
        elif "next" in answer.page:
            answer.page["next"] = value

    return spoil


def links(api_port, port):
    """Links that lead to PORT or elsewhere, of an API at API_PORT."""
    own, other = "127.0.0.1:%d" % api_port, "127.0.0.1:%d" % port
    return (
        "http://%s/log" % other, "HTTP://%s/log" % other, "https://%s/log" % own, "https://%s/log" % other,
        "http://localhost:%d/log" % api_port, "http://[::1]:%d/log" % api_port, "http://0:%d/log" % port,
        "http://2130706433:%d/log" % port, "http://0x7f.1:%d/log" % port, "http://127.0.0.1.:%d/log" % port,
        "http://me:secret@%s/log" % other, "http://me:secret@%s/log" % own, "http://%s@%s/log" % (own, other),
        "http://%s:x@%s/log" % (own, other), "//%s/log" % other, "///%s/log" % other, "\\\\%s\\log" % other, "/\\%s/log" % other,
        "http:\\\\%s\\log" % other, "http://%s\\@%s/log" % (own, other), "http://%s#@%s/log" % (other, own),
        "http://%s?@%s/log" % (other, own), "http://%s/log" % other.replace(".", "\u3002"), "http://\u2460.0.0.1:%d/log" % port,
        "http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/latest/meta-data/",
        "http://metadata.google.internal/computeMetadata/v1/", "http://100.100.100.200/latest/", "file:///etc/passwd",
        "file://%s/etc/passwd" % own, "gopher://%s/_x" % other, "dict://%s/d:x" % other, "ftp://%s/x" % other,
        "ldap://%s/x" % other, "data:application/json,{}", "javascript:alert(1)", "unix:///run/x", "http:", "http://", "http:///log",
        "http://%s:99999/log" % "127.0.0.1", "http://%s:/log" % "127.0.0.1", "http://\t%s/log" % other, "http://%s/\r\nX: y" % other,
        "ht\ttp://%s/log" % other, " http://%s/log" % other, "http://%s.evil.test/log" % own.replace(":", "."),
    )  # fmt: skip


def redirects(api_port, port):
    for n, link in enumerate(links(api_port, port)):
        status = (301, 302, 303, 307, 308)[n % 5]
        if "\n" not in link:
            text = link.encode().decode("latin-1")
            yield Misdeed("%d to %.60r" % (status, link), changed(status=status, page={}, headers={"Location": text}), ".")


def foreign(api_port, port):
    for link in links(api_port, port):
        if "\n" not in link:
            headers = link.encode().decode("latin-1")
            yield Misdeed("Link: %.60r" % link, followed(headers), ".", ("header",))
        yield Misdeed("next: %.60r" % link, followed(link), ".", ("link",))
    elsewhere = {"Refresh": "0; url=http://127.0.0.1:%d/" % port, "Alt-Svc": 'h2="127.0.0.1:%d"' % port,
        "Content-Location": "http://127.0.0.1:%d/" % port, "Strict-Transport-Security": "max-age=9999999"}  # fmt: skip
    yield Misdeed("headers that lead elsewhere", changed(headers=elsewhere))


def jumps_back(answer, query, number):
    if query.get("cursor") in ("40", "60"):
        answer.page["next"] = "20"


def cursors():
    for value in ("x" * 100_000, "\u0000", "a\r\nX-Evil: 1", "\udc80", ["20"], {"a": 1}, True, 1e308, "%00", "../../x", "&cursor=60"):
        yield Misdeed("next: %.40r" % (value,), followed(value), ".", ("cursor",))
    yield Misdeed("cursor that cycles", followed("20"), "loop", ("cursor",))
    yield Misdeed("cursor that jumps back", jumps_back, "loop", ("cursor",))
    yield Misdeed("link of 100 KB", followed("/log?since=2020-01-01T00:00:00Z&cursor=20&x=" + "y" * 100_000), ".", ("link",))
    for status in (400, 404, 410):
        yield Misdeed("cursor that expired, %d" % status, expired(status), "HTTP %d" % status, ("cursor", "link"))


def expired(status):
    def spoil(answer, query, number):
        if "cursor" in query:
            answer.status, answer.page = status, {"message": "cursor expired"}

    return spoil


# --- records ---


def shuffled(answer, query, number):
    random.Random(number).shuffle(answer.page["rows"])


def doubled(answer, query, number):
    answer.page["rows"] = [row for row in answer.page["rows"] for _ in range(2)]


def records():
    yield Misdeed("pages in any order", shuffled)
    yield Misdeed("every record twice", doubled)
    yield Misdeed("records that change", rows(lambda row, n, number: row.update(text="read %d" % number, more=number)))
    for days in (-365_000, -30, -1, 1, 30, 100_000):
        try:
            date = formatdate(time.time() + days * DAY, usegmt=True)
        except (ValueError, OverflowError):
            date = "Mon, 01 Jan 10000 00:00:00 GMT" if days > 0 else "Mon, 01 Jan 0001 00:00:00 GMT"
        yield Misdeed("clock off by %d days" % days, changed(headers={"Date": date}), "clock" if abs(days) < 100_000 else None)
    yield Misdeed("two Dates", changed(headers={"Date": [formatdate(1, usegmt=True), formatdate(time.time(), usegmt=True)]}))
    yield Misdeed("Date: garbage", changed(headers={"Date": "yesterday"}))
    for value in (None, "", "yesterday", "0000-00-00T00:00:00Z", "2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z", -1, 1e300, {}, True):
        yield Misdeed("time %r" % (value,), rows(lambda row, n, number, value=value: row.update(at=value)),
            None if value == "9999-12-31T23:59:59Z" else "time")  # fmt: skip


# --- bodies ---


def cut_body(answer, query, number):
    answer.headers["Content-Length"], answer.ends = str(len(answer.text()) + 100), True


def short_body(answer, query, number):
    answer.headers["Content-Length"], answer.ends = str(len(answer.text()) - 5), True


def head(*lines):
    """The beginning of an answer with these headers."""
    return b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def raw(*parts):
    """PARTS: bytes, or a function of the body that returns them."""

    def spoil(answer, query, number):
        answer.raw, answer.ends = [part(answer.text()) if callable(part) else part for part in parts], True

    return spoil


def lies():
    chunked = head(b"Transfer-Encoding: chunked")
    good = lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    yield Misdeed("a length too long", cut_body, "retrying|gave up")
    yield Misdeed("a length too short", short_body, "JSON|incomplete")
    for text in ("-1", "99999999999999999999", "9223372036854775807", "abc", "1e3", "0x40", "\xff"):
        yield Misdeed("Content-Length: " + text, changed(headers={"Content-Length": text}, ends=True),
            None if text.startswith("999") else ".")  # fmt: skip
    yield Misdeed("two lengths", changed(headers={"Content-Length": ["5", "50"]}, ends=True), ".")
    pages = ("cursor", "offset", "link")
    yield Misdeed("a length and chunks", raw(head(b"Transfer-Encoding: chunked", b"Content-Length: 3"), good), None, pages)
    yield Misdeed("no length", raw(head(), lambda body: body), None, pages)
    for name, part in {
        "negative": b"-5\r\nhello\r\n", "huge": b"ffffffffffffffffff\r\nx", "no number": b"zz\r\nhello\r\n", "without end": b"5\r\n{\"ro",
        "with an endless extension": b"5;" + b"x" * MIB + b"\r\n{\"row\r\n", "endless trailer": b"2\r\n{}\r\n0\r\n" + b"A: b\r\n" * 200_000,
    }.items():  # fmt: skip
        yield Misdeed("a chunk that is " + name, raw(chunked, part), ".")
    yield Misdeed("no HTTP", raw(b"SSH-2.0-OpenSSH_9.2p1\r\n" * 10), ".")
    yield Misdeed("HTTP/0.9", raw(lambda body: body), ".")
    yield Misdeed("HTTP/3.7", raw(b"HTTP/3.7 200 OK\r\n\r\n", lambda body: body), ".")
    yield Misdeed("status 99999", raw(b"HTTP/1.1 99999 OK\r\n\r\n", lambda body: body), ".")
    yield Misdeed("a header of 1 MiB", raw(head(b"X: " + b"y" * MIB), lambda body: body), ".")
    yield Misdeed("100,000 headers", raw(head(*[b"X-%d: y" % n for n in range(100_000)]), lambda body: body), ".")
    yield Misdeed("10,000 early answers", raw(b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n" * 10_000), ".")
    yield Misdeed("headers with NUL and folds", raw(head(b"X: a\x00b", b"Y: 1\r\n  2", b"Z"), lambda body: body), ".|")


def bomb_of(count):
    """The beginning of a page whose one record has COUNT MiB, as gzip."""
    packer = zlib.compressobj(9, wbits=31)
    once = packer.compress(b'{"rows":["' + b"x" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(b"x" * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    return once + again * count


def bombs():
    encoded = lambda name: {"Content-Encoding": name}
    bomb = bomb_of(2048)
    yield Misdeed("gzip of 2 GiB", changed(body=bomb, headers=encoded("gzip")), "unpacks")
    nested = gzip.compress(gzip.compress(bomb))
    yield Misdeed("gzip in gzip in gzip", changed(body=nested, headers=encoded("gzip, gzip, gzip")), ".")
    yield Misdeed("gzip, 100 times", changed(body=nested, headers=encoded(", ".join(["gzip"] * 100))), ".")
    packed = subprocess.run("head -c 2G /dev/zero | zstd -q -1 -", shell=True, stdout=subprocess.PIPE, check=True).stdout
    yield Misdeed("zstd of 2 GiB", changed(body=packed, headers=encoded("zstd")), ".")
    for name in ("br", "deflate", "compress", "x-unknown", "gzip;q=1", "\xff"):
        yield Misdeed("Content-Encoding: " + name, changed(body=bomb[:MIB], headers=encoded(name)), ".")
    many = b'{"rows":[' + b"{}," * (20 * MIB) + b"7]}"
    yield Misdeed("20 million empty records", changed(body=many), ".")
    yield Misdeed("a million members", changed(body=b'{"rows":[{%s}, 7]}' % b",".join(b'"%d":0' % n for n in range(1_000_000))), ".")
    yield Misdeed("one name a million times", changed(body=b'{"rows":[7], %s}' % b",".join([b'"rows":[7]'] * 1_000_000)), ".")
    yield Misdeed("a number of a million digits", changed(body=b'{"rows":[7%s]}' % (b"9" * 1_000_000)), ".")
    yield Misdeed("1e999999999", changed(body=b'{"rows":[1e999999999]}'), ".")
    yield Misdeed("a body without end", raw(head(), b'{"rows":["', *[b"x" * MIB] * 100), ".")
    texts = (
        b"\xff\xfe{\x00}\x00", b"\x00" * 1000, b'{"rows":[{"id":"\xc3\x28"}, 7]}', b'{"r\xffows":[]}', b"\xed\xa0\x80", b"nul", b"[" * MIB,
    )  # fmt: skip
    for text in texts:
        yield Misdeed("body %.30r" % text, changed(body=text), ".")


def every(api_port, port):
    """All of them, for an API at API_PORT; PORT is not its own."""
    groups = (statuses(), pauses(), redirects(api_port, port), foreign(api_port, port), cursors(), records(), lies(), bombs())
    return [misdeed for group in groups for misdeed in group]


def passing(api_port, port):
    """Those after which a request follows soon: no denial, and no pause that was asked for."""
    denials = ("401", "403", "407")
    return [m for m in every(api_port, port) if "Retry-After" not in m.name and not m.name.startswith(denials)]
