#!/usr/bin/python3
"""script/bench: pages, nginx, two programs in turn, figures. usage: run.py TRAWLD [options]"""

import argparse
import os
import pathlib
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOKEN = "bench-token"
PATH = "/v1/project-logs"

NGINX = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 100000;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    map $arg_cursor $page {{ default $arg_cursor; "" 0; }}
    server {{
        listen 127.0.0.1:{port};
        root {folder}/pages;
        default_type application/json;
        location = {path} {{ try_files /$page.json =404; }}
        client_max_body_size 0;
        location = /in {{ return 204; }}
    }}
}}
"""


def record(n, pad=0):
    """About 200 bytes, as the vendor's own sample looks, and PAD more that hardly compress."""
    microseconds = n * 350_003
    seconds, fraction = divmod(microseconds, 1_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_765_000_000 + seconds))
    more = ',"pad":"%s"' % random.Random(n).randbytes(pad // 2).hex() if pad else ""
    return (
        '{"timestamp":"%s.%06dZ","action":"server_create",'
        '"message":"Server \'web-%d\' has been created","ip_address":"172.30.%d.%d",'
        '"actor":{"user":{"email":"user%d@example.com"}}%s}'
        % (stamp, fraction, n, n % 250, n % 253, n % 97, more)
    )


def write_pages(folder, port, n_pages, n_records, pad=0):
    folder.mkdir()
    size = 0
    for page in range(n_pages):
        link = '"http://127.0.0.1:%d%s?cursor=%d"' % (port, PATH, page + 1)
        text = '{"next":%s,"poll_more":%s,"results":[%s]}' % (
            link if page + 1 < n_pages else "null",
            link,
            ",".join(record(n, pad) for n in range(page * n_records, (page + 1) * n_records)),
        )
        (folder / ("%d.json" % page)).write_text(text)
        size += len(text)
    return size


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_nginx(folder, port):
    user = "user root;" if os.geteuid() == 0 else ""
    path = folder / "nginx.conf"
    path.write_text(NGINX.format(folder=folder, port=port, path=PATH, user=user))
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    nginx = subprocess.Popen([program, "-e", folder / "error.log", "-c", path])
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(200):
        if nginx.poll() is not None:
            sys.exit("nginx did not start:\n" + (folder / "error.log").read_text())
        try:
            opener.open("http://127.0.0.1:%d%s" % (port, PATH)).close()
            return nginx
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    sys.exit("nginx does not answer")


def environment():
    return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}


def run(arguments, codes=(0,), out=None):
    """(seconds, peak memory in MiB, seconds of CPU) of a program that must end with one of CODES."""
    began = time.monotonic()
    process = subprocess.Popen(
        arguments, env=environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode not in codes:
        sys.exit("%s ended with %d:\n%s" % (arguments[0], process.returncode, errors.decode()))
    return took, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime


def configure(folder, port, sink):
    """The configuration of a run that begins without a state, and its path. SINK: the keys of one."""
    shutil.rmtree(folder / "state", ignore_errors=True)
    conf = folder / "trawld.conf"
    conf.write_text(
        "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
        "provider_directory = %s/conf/providers\n"
        "[source bench]\nprovider = cloudscale\ntoken = %s\nstart = earliest\n"
        "endpoint = http://127.0.0.1:%d\nrate = off\n"
        "[sink out]\n%s" % (folder, ROOT, TOKEN, port, sink)
    )
    return conf


def run_trawld(program, folder, port, out, more=""):
    conf = configure(folder, port, "type = file\npath = %s\n%s" % (out, more))
    return run([program, "-c", conf, "--once"])


def run_follow(folder, port, out):
    url = "http://127.0.0.1:%d%s" % (port, PATH)
    return run(["/usr/bin/python3", ROOT / "tests" / "bench" / "follow.py", url, TOKEN, out])


def run_limit(folder, port, out):
    program = folder / "limit"
    if not program.exists():
        subprocess.run(
            ["cc", "-O2", "-o", program, ROOT / "tests" / "bench" / "limit.c", "-lcurl"],
            check=True)
    return run([program, "http://127.0.0.1:%d%s" % (port, PATH), TOKEN, out])


def count_lines(path):
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def measure(folder, options, pad, others):
    """One table: each program's median of all rounds, and trawld's ratio to it. OTHERS are the
    programs beside trawld: NAME: function(folder, port, out), which returns what run() does."""
    port = free_port()
    size = write_pages(folder / "pages", port, options.pages, options.records, pad)
    total = options.pages * options.records
    programs = {"trawld": lambda *place: run_trawld(options.trawld, *place), **others}
    runs = {name: [] for name in programs}
    nginx = start_nginx(folder, port)
    try:
        for _ in range(options.rounds):
            for name, program in programs.items():
                out = folder / (name + ".ndjson")
                out.unlink(missing_ok=True)
                runs[name].append(program(folder, port, out))
                if count_lines(out) != total:
                    sys.exit("%s wrote %d records, not %d" % (name, count_lines(out), total))
    finally:
        nginx.terminate()
        nginx.wait()
    page = (options.pages, options.records, size / total)
    print("%d pages of %d records, %.0f bytes a record" % page)
    print("%-10s %12s %10s %12s %12s" % ("", "records/s", "CPU", "wall ratio", "CPU ratio"))
    wall, memory, cpu = ({name: statistics.median(column) for name, column in
                          ((name, [row[i] for row in rows]) for name, rows in runs.items())}
                         for i in range(3))
    for name in runs:
        print("%-10s %12.0f %8.2f s %12.2f %12.2f   peak %5.1f MiB" % (
            name, total / wall[name], cpu[name], wall[name] / wall["trawld"],
            cpu[name] / cpu["trawld"], memory[name]), flush=True)


def print_beside_file(kind, seconds, total, size):
    """TOTAL records of SIZE bytes went into a sink of KIND and into a file; SECONDS has the runs of both."""
    wall = {name: statistics.median(times) for name, times in seconds.items()}
    print("%d records of %.0f bytes: file %.0f records/s, %s %.0f records/s, %s : file %.2f" % (
        total, size / total, total / wall["file"], kind, total / wall[kind], kind,
        wall["file"] / wall[kind]), flush=True)


def arguments(description, pages=500):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--pages", type=int, default=pages)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pad", type=int, nargs="*", default=[0, 800],
        help="bytes added to the 200 of a record, a table each")
    return parser.parse_args()


def tables(options, others):
    for pad in options.pad:
        with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
            measure(pathlib.Path(folder), options, pad, others)


if __name__ == "__main__":
    tables(arguments("measures trawld beside a script and the limit"),
           {"aiohttp": run_follow, "limit": run_limit})
