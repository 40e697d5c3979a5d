#!/usr/bin/python3
"""The page as C: its bytes, and the policy that lets run its one script and style by their hashes.
usage: embed.py PAGE OUTPUT"""

import base64
import hashlib
import pathlib
import re
import sys

page = pathlib.Path(sys.argv[1]).read_bytes()


def source(tag):
    (text,) = re.findall(b"<%s>(.*?)</%s>" % (tag, tag), page, re.S)
    return "'sha256-%s'" % base64.b64encode(hashlib.sha256(text).digest()).decode()


policy = (
    "default-src 'none'; style-src %s; script-src %s; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'" % (source(b"style"), source(b"script"))
)
rows = [page[at : at + 20] for at in range(0, len(page), 20)]
with open(sys.argv[2], "w") as out:
    out.write('#include "page_html.h"\n\nconst char page_html[] = {\n')
    out.writelines("\t%s,\n" % ", ".join("%d" % (b - 256 * (b > 127)) for b in row) for row in rows)
    out.write("};\nconst size_t page_html_size = sizeof(page_html);\n")
    out.write('const char page_policy[] = "%s";\n' % policy)
