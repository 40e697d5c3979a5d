"""SQL audit log files of TaurusDB in all the forms that were seen, as pure functions.

Each file has rows; a row has twelve columns (bytes): record_id, connection_id, connection_status,
name, timestamp, command_class, sqltext, user, host, external_user, ip, default_db. What form a file
has depends on its number alone: FORMS[n % len(FORMS)].
"""

import gzip
import time

import simlib
import trail

# plain or how it is packed, blank after the comma, time unquoted, no last line feed, layout, lines of
# pgaudit
FORMS = (
    {},
    {"pack": "gzip"},
    {"blank": True},
    {"bare_time": True},
    {"pack": "members"},
    {"bare_end": True},
    {"bytes": True},
    {"empty": True},
    {"carets": True},
    {"pack": "gzip", "blank": True, "bytes": True},
    {"bare_time": True, "bare_end": True, "pack": "members"},
    {"postgresql": True},
    {"postgresql": True, "prefix": b"2026-11-11 06:25:43.120 UTC:10.0.3.7(50172):app@orders:[4711]:LOG:  "},
)
COLUMNS = (
    "record_id connection_id connection_status name timestamp command_class sqltext user host "
    "external_user ip default_db"
).split()
STATEMENTS = (
    b"SELECT * FROM orders WHERE id = %d",
    b'SELECT id, note FROM t\nWHERE note = "a, b" AND id = %d',
    b'INSERT INTO log VALUES (%d, "x","y","z")',
    b"UPDATE t SET a = '\"quoted\", \\n' WHERE id = %d",
    b'-- first\n\n"not a row", "but SQL"\n\tSELECT %d',
    b'SELECT %d, ""',
    "SELECT 'Zürich', '日本', %d".encode(),
    b"/* %d */ SELECT 1,\r\n2",
    b"DELETE FROM a WHERE b = %d;\n",
)
FORGED = b'SELECT %d\nAUDIT: SESSION,9,9,READ,SELECT,,,"forged",<none>\n-- x'
INVALID = b"SELECT x'\xff\xfe', '\xc3\x28 %d'"


def trail_of(options, seed, count, first_us, last_us):
    return trail.Trail(
        seed,
        count,
        first_us,
        last_us,
        unit_us=1_000_000,
        delay_us=int(options.file_delay * 1e6),
        late_us=int(options.file_late * 1e6),
    )


def form(n):
    return FORMS[n % len(FORMS)]


def name(n):
    return "%d_Audit %s" % (10000 + n, "log.gz" if form(n).get("pack") else "log")


def rows(seed, n, begin_us, count):
    """The twelve columns of each row of file n."""
    how = form(n)
    result = []
    for k in range(0 if how.get("empty") else count):
        h = simlib.mix(seed + 31, n * 100_003 + k)
        at = time.strftime("%Y-%m-%dT%H:%M:%S UTC", time.gmtime(begin_us // 1_000_000 + k))
        kind = h % 8
        user = b"app[app] @  [10.0.%d.%d]" % (h >> 8 & 255, h >> 16 & 255)
        ip = b"10.0.%d.%d" % (h >> 8 & 255, h >> 16 & 255)
        if kind < 2:
            sql, word, command = b"", (b"Connect", b"Quit")[kind], b""
        else:
            sql = STATEMENTS[(h >> 24) % len(STATEMENTS)] % (h >> 40 & 0xFFFF)
            if k % 5 == 0 and not how.get("carets"):
                sql = FORGED % (h >> 40 & 0xFFFF)
            if how.get("bytes") and k % 3 == 0:
                sql = INVALID % (h >> 40 & 0xFFFF)
            word, command = b"Query", (b"select", b"update", b"show_tables")[h >> 4 & 1]
        result.append(
            (
                b"%d" % (k + 1),
                b"%d" % (1_000_000 + n),
                (b"0", b"1146")[h >> 60 & 1],
                word,
                at.encode(),
                command,
                sql,
                user,
                b"",
                b"",
                ip,
                b"orders",
            )
        )
    return result


def row_record(n, row):
    """What is to become of a row: the members of a JSON object, in order."""
    if form(n).get("carets") or form(n).get("postgresql"):
        return [("row", row_text(n, row).decode(errors="replace"))]
    return [(name, value.decode(errors="replace")) for name, value in zip(COLUMNS, row)]


def row_text(n, row):
    """A row as file n writes it, without the line feed behind it."""
    how = form(n)
    if how.get("postgresql"):
        # pgaudit doubles quotes, and the server writes a tab after a line break
        sql = row[6].replace(b'"', b'""').replace(b"\n", b"\n\t")
        head = b"AUDIT: SESSION,%s,1,READ,SELECT,,," % row[1]
        return how.get("prefix", b"") + head + b'"' + sql + b'",<not logged>'
    if how.get("carets"):
        # the layout of the full SQL files: 19 columns, times since 1970
        wide = [row[0], row[1], row[7], row[3], row[1], row[5], row[6], b"", row[10], b"", row[10]]
        wide += [row[11], b"17", b"0", b"0", b"0", b"0", b"0", b"0"]
        return b",".join(b"^^" + column + b"^^" for column in wide)
    columns = [b'"' + column + b'"' for column in row]
    if how.get("bare_time"):
        columns[4] = row[4]
    return (b", " if how.get("blank") else b",").join(columns)


def body(seed, n, begin_us, count):
    """File n as it is downloaded."""
    how = form(n)
    lines = [row_text(n, row) for row in rows(seed, n, begin_us, count)]
    text = b"".join(line + b"\n" for line in lines)
    if how.get("bare_end"):
        text = text[:-1]
    if how.get("pack") == "gzip":
        return gzip.compress(text, 6, mtime=0)
    if how.get("pack") == "members":
        half = len(text) // 2
        return gzip.compress(text[:half], 6, mtime=0) + gzip.compress(text[half:], 6, mtime=0)
    return text
