#!/usr/bin/python3
"""A child of the exec sink that does what a script says. usage: exec_child.py FOLDER

FOLDER/script holds one word a batch; after its end every batch is taken. FOLDER/events gets one
JSON line for each start and each batch, FOLDER/taken the records. FOLDER/last holds the id of the
batch that was taken last, so that one that comes again is not taken twice.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

folder = pathlib.Path(sys.argv[1])
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer


def event(**members):
    with open(folder / "events", "a") as file:
        file.write(json.dumps(members) + "\n")


def say(text):
    stdout.write(text.encode() + b"\n")
    stdout.flush()


def words():
    path = folder / "script"
    return path.read_text().split() if path.exists() else []


def peek():
    return words()[0] if words() else "ok"


def next_word():
    word = peek()
    if not words():  # nor overwrites what is being written
        return word
    (folder / "script").write_text(" ".join(words()[1:]))
    return word


def read_batch():
    """(id, number of records, lines), or None at the end of the input or within a batch."""
    head = stdin.readline()
    if not head.endswith(b"\n"):
        return None
    mark, batch, count = head.decode().split()
    assert mark == "#", head
    lines = []
    if peek() == "early":
        next_word()
        say("ok " + batch)
        time.sleep(3600)
    while True:
        line = stdin.readline()
        if line == b"\n":
            return batch, int(count), lines
        if not line.endswith(b"\n"):
            return None
        lines.append(line)
        if peek() == "half" and len(lines) == int(count) // 2:
            next_word()
            event(half=batch, count=int(count))
            os.kill(os.getpid(), 9)


def descriptors():
    """What is open beside standard input, output and error."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2:
                found.append(os.readlink("/proc/self/fd/" + name))
        except FileNotFoundError:  # that of the listing itself
            pass
    return found


def go_on_after_the_end():
    """trawld sees what follows and the end of this child in one moment."""
    stat, parent = "/proc/%d/stat" % os.getpid(), os.getppid()
    os.kill(parent, signal.SIGSTOP)
    helper = "until grep -q ') Z ' %s; do sleep 0.01; done; kill -CONT %d" % (stat, parent)
    subprocess.Popen(
        ["sh", "-c", helper], start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )


def take(batch, lines):
    """Once a batch, whatever happens in between."""
    last = folder / "last"
    done = json.loads(last.read_text()) if last.exists() else {"id": None, "size": 0}
    if done["id"] == batch:
        return
    with open(folder / "taken", "ab") as file:
        file.truncate(done["size"])
        file.seek(done["size"])
        file.write(b"".join(lines))
        size = file.tell()
    (folder / "new").write_text(json.dumps({"id": batch, "size": size}))
    (folder / "new").rename(last)


def main():
    event(
        start=os.getpid(),
        environment=sorted(os.environ),
        group=os.getpgrp(),
        descriptors=descriptors(),
    )
    while batch := read_batch():
        name, count, lines = batch
        word = next_word()
        event(id=name, count=count, lines=len(lines), word=word, text=lines[0].decode())
        if word == "retry":
            say("retry the disk\tis full")
        elif word == "refuse":
            say("refuse not wanted")
        elif word == "exit":
            sys.exit(3)
        elif word == "die":
            os.kill(os.getpid(), 9)
        elif word == "unanswered":
            take(name, lines)
            os.kill(os.getpid(), 9)
        elif word == "late":
            while not (folder / "go").exists():
                time.sleep(0.01)
            take(name, lines)
            say("ok " + name)
        elif word == "hang":
            subprocess.Popen(["sleep", "3600"])
            time.sleep(3600)
        elif word == "other":
            say("ok 00000000000000000000000000000000")
        elif word == "nonsense":
            say("yes \x1b[31m" + "x" * 10000)
        elif word == "complain":
            for n in range(200):
                print("line %d \x1b[31m s3cret-t0ken-of-acme-8d1f" % n, file=sys.stderr)
            sys.stderr.flush()
            take(name, lines)
            say("ok")
        elif word == "twice":
            take(name, lines)
            say("ok " + name)
            say("ok " + name)
        elif word == "last":
            take(name, lines)
            go_on_after_the_end()
            say("ok " + name)
            sys.exit(0)
        else:
            take(name, lines)
            say("ok " + name)
    event(end=os.getpid())


main()
