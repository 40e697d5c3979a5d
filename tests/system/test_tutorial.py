#!/usr/bin/python3
"""The tutorial of trawld-provider(5), `A definition for an API that no file describes`: its commands
are run as they are printed there, against an API that refuses what it does not know, and each says
what the page shows."""

import os
import re
import subprocess
import time

import harness
import small_api
from papers import examples

HOST = "https://api.lighthouse.example"
TOKEN = "lighthouse-t0ken"


def session():
    """[(command, what it prints)] of the two displays of the section."""
    found = []
    page = examples("man/trawld-provider.5", "$ cat headers") + examples("man/trawld-provider.5", "$ mkdir providers")
    for line in "".join(page).splitlines():
        if line.startswith("$ "):
            found.append([line[2:], ""])
        else:
            found[-1][1] += line + "\n"
    return found


class Tutorial(harness.Case):
    def api(self):
        now = time.time()
        rows = [
            {"ref": "lh-%d" % i, "when": small_api.iso(now - 600 - i), "who": "anna", "action": "lamp.on"}
            for i in range(5)
        ]

        def answer(query, number):
            unknown = sorted(set(query) - {"from", "to", "after"})
            if unknown:
                return 400, {"error": "unknown parameter: " + unknown[0]}
            at = int(query.get("after", "0"))
            more = at + 3 < len(rows)
            meta = {"next_cursor": str(at + 3) if more else None, "has_more": more}
            return {"meta": meta, "rows": rows[at : at + 3]}

        api = small_api.Api(answer)
        self.addCleanup(api.stop)
        return api

    def test_as_printed(self):
        api = self.api()
        (self.dir / "providers").mkdir()
        (self.dir / "headers").write_text("Authorization: Bearer %s\n" % TOKEN)
        self.configure(
            "[source lamp]\nprovider = lighthouse\ntoken = %s\ninsecure_http = yes\nstart = -1h\n" % TOKEN,
            self.file_sink(),
            providers=self.dir / "providers",
        )
        steps = session()
        self.assertGreater(len(steps), 10)
        setup = 'trawlctl() { "%s" -c "%s" "$@"; }\n' % (harness.TRAWLCTL, self.conf)
        variables = ""
        for command, printed in steps:
            if re.match(r"[A-Z]+=", command):
                variables += command.replace(HOST, api.url) + "\n"
                continue
            done = subprocess.run(
                ["sh", "-c", setup + variables + command],
                cwd=self.dir,
                env={**self.environment(), "PATH": os.environ["PATH"]},
                capture_output=True,
                text=True,
                timeout=60 * harness.PATIENCE,
            )
            found = (done.stdout + done.stderr).replace(api.url, HOST).replace(str(self.dir), "/etc/trawld")
            found = found.replace(api.url.partition("//")[2], HOST.partition("//")[2])
            found = re.sub(r"\d+\.\d s: ", "0.0 s: ", found)
            self.assertEqual(found, printed, command)
        text = (self.dir / "providers" / "lighthouse" / "pages.conversation").read_text()
        self.assertNotIn(TOKEN, text)
        self.assertNotIn("anna", text)


if __name__ == "__main__":
    harness.main()
