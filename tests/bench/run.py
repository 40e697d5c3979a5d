#!/usr/bin/python3
"""script/bench: pages, nginx, two programs in turn, figures. usage: run.py TRAWLD [options]"""

import argparse
import os
import pathlib
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
events {{ worker_connections 64; }}
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


def record(n):
    """About 200 bytes, as the vendor's own sample looks."""
    microseconds = n * 350_003
    seconds, fraction = divmod(microseconds, 1_000_000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(1_765_000_000 + seconds))
    return (
        '{"timestamp":"%s.%06dZ","action":"server_create",'
        '"message":"Server \'web-%d\' has been created","ip_address":"172.30.%d.%d",'
        '"actor":{"user":{"email":"user%d@example.com"}}}'
        % (stamp, fraction, n, n % 250, n % 253, n % 97)
    )


def write_pages(folder, port, n_pages, n_records):
    folder.mkdir()
    size = 0
    for page in range(n_pages):
        link = '"http://127.0.0.1:%d%s?cursor=%d"' % (port, PATH, page + 1)
        text = '{"next":%s,"poll_more":%s,"results":[%s]}' % (
            link if page + 1 < n_pages else "null",
            link,
            ",".join(record(n) for n in range(page * n_records, (page + 1) * n_records)),
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


def run(arguments, codes=(0,)):
    """(seconds, peak memory in MiB) of a program that must end with one of CODES."""
    began = time.monotonic()
    process = subprocess.Popen(
        arguments, env=environment(), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode not in codes:
        sys.exit("%s ended with %d:\n%s" % (arguments[0], process.returncode, errors.decode()))
    return took, usage.ru_maxrss / 1024


def run_trawld(program, folder, port, out):
    shutil.rmtree(folder / "state", ignore_errors=True)
    conf = folder / "trawld.conf"
    conf.write_text(
        "[daemon]\nstate_directory = %s/state\nlisten = off\ncontrol = off\n"
        "provider_directory = %s/conf/providers\n"
        "[source bench]\nprovider = cloudscale\ntoken = %s\nstart = earliest\n"
        "endpoint = http://127.0.0.1:%d\nrate = off\n"
        "[sink file]\ntype = file\npath = %s\n" % (folder, ROOT, TOKEN, port, out)
    )
    return run([program, "-c", conf, "--once"])


def run_follow(folder, port, out):
    url = "http://127.0.0.1:%d%s" % (port, PATH)
    return run(["/usr/bin/python3", ROOT / "tests" / "bench" / "follow.py", url, TOKEN, out])


def measure(folder, options):
    port = free_port()
    size = write_pages(folder / "pages", port, options.pages, options.records)
    total = options.pages * options.records
    page = (options.pages, options.records, size / total)
    print("%d pages of %d records, %.0f bytes a record" % page)
    nginx = start_nginx(folder, port)
    try:
        runs = {"trawld": [], "aiohttp": []}
        for turn in range(options.rounds):
            for name, results in runs.items():
                out = folder / (name + ".ndjson")
                out.unlink(missing_ok=True)
                if name == "trawld":
                    took, memory = run_trawld(options.trawld, folder, port, out)
                else:
                    took, memory = run_follow(folder, port, out)
                with open(out, "rb") as file:
                    lines = sum(1 for _ in file)
                if lines != total:
                    sys.exit("%s wrote %d records, not %d" % (name, lines, total))
                results.append((total / took, memory))
                print(
                    "round %d  %-8s %9.0f records/s  %6.1f s  peak %5.1f MiB"
                    % (turn + 1, name, total / took, took, memory),
                    flush=True,
                )
    finally:
        nginx.terminate()
        nginx.wait()
    middle = {name: statistics.median(rate for rate, _ in runs[name]) for name in runs}
    for name in runs:
        memory = max(memory for _, memory in runs[name])
        print("median   %-8s %9.0f records/s  peak %5.1f MiB" % (name, middle[name], memory))
    print("ratio    %.2f" % (middle["trawld"] / middle["aiohttp"]))


def main():
    parser = argparse.ArgumentParser(description="measures trawld beside an aiohttp script")
    parser.add_argument("trawld", type=os.path.abspath)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trawld-bench-") as folder:
        measure(pathlib.Path(folder), options)


if __name__ == "__main__":
    main()
