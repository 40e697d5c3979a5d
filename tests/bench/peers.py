#!/usr/bin/python3
"""script/bench peers: trawld beside Benthos and Telegraf, from the same pages as script/bench run.

Benthos follows `next` and writes a line for each record. Telegraf cannot follow: it gets the address
of every page beforehand, and reads them side by side. Neither keeps a position, drops duplicates or
waits for the disk, and both write other bytes than they read: Benthos sorts the members, Telegraf
makes a metric of each record."""

import os
import pathlib

import run

RECEIVERS = pathlib.Path(os.environ["RECEIVERS"])

BENTHOS = """\
http: {enabled: false}
logger: {level: ERROR}
input:
  read_until:
    check: 'json("next") == null'
    input:
      http_client:
        url: '${! json("next").or("%s") }'
        headers: {Authorization: Bearer %s}
pipeline:
  threads: 1
  processors:
    - mapping: root = this.results
    - unarchive: {format: json_array}
output:
  file: {path: %s, codec: lines}
"""

TELEGRAF = """\
[agent]
  omit_hostname = true
  quiet = true
  metric_buffer_limit = %d
[[inputs.http]]
  urls = [%s]
  headers = {"Authorization" = "Bearer %s"}
  timeout = "300s"
  data_format = "json_v2"
  [[inputs.http.json_v2]]
    measurement_name = "log"
    [[inputs.http.json_v2.object]]
      path = "results"
      timestamp_key = "timestamp"
      timestamp_format = "rfc3339"
[[outputs.file]]
  files = ["%s"]
  data_format = "json"
"""


def benthos(folder, port, out):
    conf = folder / "benthos.yaml"
    conf.write_text(BENTHOS % ("http://127.0.0.1:%d%s" % (port, run.PATH), run.TOKEN, out))
    return run.run([RECEIVERS / "benthos" / "benthos", "-c", conf])


def telegraf(folder, port, out, options):
    conf = folder / "telegraf.conf"
    pages = (
        '"http://127.0.0.1:%d%s?cursor=%d"' % (port, run.PATH, page)
        for page in range(options.pages)
    )
    conf.write_text(
        TELEGRAF % (options.pages * options.records, ", ".join(pages), run.TOKEN, out)
    )
    return run.run([RECEIVERS / "telegraf" / "telegraf", "--once", "--config", conf])


def main():
    options = run.arguments("measures trawld beside Benthos and Telegraf")
    run.tables(options, {
        "Benthos": benthos,
        "Telegraf": lambda *place: telegraf(*place, options),
    })  # fmt: skip


if __name__ == "__main__":
    main()
