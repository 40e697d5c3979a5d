#!/usr/bin/python3
"""50,000 records to the sinks of this machine at once: a file whose directory goes away, the reader
of standard output, a program and the systemd journal, each stopped, killed, slow and gone in turn."""

import fcntl
import json
import os
import signal
import sys

import harness
import journald
from harness import wait_until
from volume import JOB, RECORDS, STEP, Kind, Lines, Volume

CHILD = harness.SOURCE_ROOT / "tests" / "system" / "exec_child.py"
MINE = "SYSLOG_IDENTIFIER=trawld"
QUEUE = "/proc/sys/net/unix/max_dgram_qlen"


class File(Kind):
    """Exactly once: its directory is renamed, and something else stands in its place."""

    def __init__(self, case):
        super().__init__(case, "file")
        self.folder = case.dir / "files"
        self.parts = []
        self.n = 0
        self.plan = [self.rename, self.obstacle, self.rename, self.obstacle]
        self.begin()

    def begin(self):
        self.lines = Lines(self.folder / "archive.ndjson")

    def section(self):
        return self.case.file_sink(self.name, self.folder / "archive.ndjson")

    def arrived(self):
        return self.n + self.lines.count()

    def rename(self):
        """As logrotate does it; trawld makes the file anew."""
        part = self.case.dir / ("part%d" % len(self.parts))
        self.lines.path.rename(part)
        self.case.feed(self)
        wait_until(self.lines.path.exists, "a new file")
        self.n += Lines(part).count()
        self.parts.append(part)
        self.begin()
        self.restarts += 1

    def obstacle(self):
        away = self.case.dir / ("away%d" % len(self.parts))
        mark = self.case.mark(self.name)
        self.case.freeze()  # it would make the directory anew
        self.folder.rename(away)
        self.folder.write_text("a file where a directory was")
        self.case.thaw()
        self.case.pile_up(self)
        self.case.running.wait_log("sink file", mark)
        self.folder.unlink()
        self.parts.append(away / "archive.ndjson")
        self.n += Lines(self.parts[-1]).count()
        self.begin()
        self.restarts += 1

    def found(self):
        parts = [part.read_bytes() for part in [*self.parts, self.lines.path]]
        for part in parts:
            self.case.assertTrue(part.endswith(b"\n"), "a part that is torn")
        return b"".join(parts).decode().splitlines()


class Stdout(Kind):
    """A FIFO: its reader pauses, and goes away until another one comes."""

    def __init__(self, case):
        super().__init__(case, "stdout")
        self.path = case.dir / "fifo"
        os.mkfifo(self.path)
        self.data = bytearray()
        self.n = 0
        self.plan = [self.pause, self.leave, self.pause, self.leave]
        self.open()

    def section(self):
        return "[sink stdout]\ntype = stdout\nretry_max = 1s\n"

    def open(self):
        self.fd = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        if STEP * 250 < 65536:  # it must hold less than what piles up
            fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, 4096)
        self.reading = True

    def arrived(self):
        while self.reading:
            try:
                data = os.read(self.fd, 1 << 16)
            except BlockingIOError:
                break
            if not data:
                break
            self.data += data
            self.n += data.count(b"\n")
        return self.n

    def is_done(self):
        self.arrived()  # reads
        if self.case.delivered(self.name) < RECORDS:
            return False
        return self.arrived() >= RECORDS  # all is in the pipe: this was the last of it

    def pause(self):
        self.reading = False
        self.case.pile_up(self)
        self.reading = True

    def leave(self):
        """In the middle of a job; what is in the pipe is there for the next reader."""
        mark = self.case.mark(self.name)
        self.reading = False
        self.case.pile_up(self)
        os.close(self.fd)
        self.case.running.wait_log("the reader of standard output is gone", mark)
        self.open()
        self.restarts += 1
        self.repeats_allowed += JOB
        self.jumps_allowed += 1

    def found(self):
        """Without the beginnings of lines that were broken off, one for each reader that left."""
        lines = self.data.decode().split("\n")
        self.case.assertEqual(lines.pop(), "")
        known = set(self.case.expected)
        torn = [line for line in lines if line not in known]
        self.case.assertLessEqual(len(torn), self.restarts)
        for line in torn:
            self.case.assertTrue(any(text.startswith(line) for text in known), line)
        return [line for line in lines if line in known]


class Exec(Kind):
    """A program that remembers the last batch: each record once, whatever becomes of it."""

    def __init__(self, case):
        super().__init__(case, "exec")
        self.folder = case.dir / "program"
        self.folder.mkdir()
        self.lines = Lines(self.folder / "taken")
        self.batches = 0  # that may come again
        self.plan = [
            lambda: self.say("retry"),
            lambda: self.say("half", 1),
            self.kill,
            self.late,
            lambda: self.say("unanswered", 1),
            self.stop,
            lambda: self.say("exit", 1),
            self.kill,
        ]

    def section(self):
        return "[sink exec]\ntype = exec\nretry_max = 1s\ncommand = %s %s %s\n" % (
            sys.executable, CHILD, self.folder
        )

    def arrived(self):
        return self.lines.count()

    def events(self, member):
        path = self.folder / "events"
        text = path.read_text() if path.exists() else ""
        events = [json.loads(line) for line in text.split("\n")[:-1]]
        return [event for event in events if member in event]

    def script(self, word):
        path = self.folder / "script"
        (self.folder / "new-script").write_text(word)
        (self.folder / "new-script").rename(path)
        self.case.feed(self)
        wait_until(lambda: path.read_text() == "", word)

    def say(self, word, restarts=0):
        self.batches += 1
        self.restarts += restarts
        self.script(word)

    def child(self):
        return self.events("start")[-1]["start"]

    def signalled(self, number):
        """Whether there was a program for it: the next one starts with the next batch."""
        try:
            os.kill(self.child(), number)
            return True
        except ProcessLookupError:
            return False

    def kill(self):
        self.batches += 1
        self.restarts += 1
        self.case.feed(self)
        wait_until(lambda: self.signalled(signal.SIGKILL), "the program")

    def stop(self):
        self.case.feed(self)
        wait_until(lambda: self.signalled(signal.SIGSTOP), "the program")
        self.case.pile_up(self)
        os.kill(self.child(), signal.SIGCONT)

    def late(self):
        self.script("late")
        self.case.pile_up(self)
        (self.folder / "go").touch()

    def found(self):
        return (self.folder / "taken").read_text().splitlines()

    def judge(self):
        super().judge()
        offered = self.events("id") + [
            {"id": event["half"], "count": event["count"]} for event in self.events("half")
        ]
        ids = [event["id"] for event in offered]
        again = len(ids) - len(set(ids))
        print(
            "exec: %d of %d batches were offered again (bound %d)"
            % (again, len(set(ids)), self.batches), flush=True,
        )
        self.case.assertLessEqual(again, self.batches)
        texts = {}
        for event in self.events("id"):
            known = texts.setdefault(event["id"], (event["count"], event["text"]))
            self.case.assertEqual(known, (event["count"], event["text"]), "the same batch")


class Journal(Kind):
    """journald is stopped, killed, held and gone; its socket lives on but for the last time."""

    def __init__(self, case):
        super().__init__(case, "journal")
        self.receiver = journald.Journald(case.dir)
        case.addCleanup(self.receiver.stop)
        self.works = self.receiver.open() is not None and self.receiver.start()
        self.plan = [
            self.restart, self.hold, self.kill_held, self.kill_in_flow, self.leave, self.vanish
        ]

    def section(self):
        return "[sink journal]\ntype = journal\nretry_max = 1s\nsocket = %s\n" % (
            self.receiver.socket
        )

    def restart(self):
        self.receiver.end(signal.SIGTERM)
        self.receiver.start()
        self.restarts += 1

    def hold(self):
        self.receiver.hold()
        self.case.pile_up(self)
        self.receiver.go_on()

    def kill_held(self):
        self.receiver.hold()
        self.case.pile_up(self)
        self.kill_in_flow()

    def kill_in_flow(self):
        self.receiver.end(signal.SIGKILL)
        self.missing_allowed += 1  # in its hands
        self.jumps_allowed += 1
        self.receiver.start()
        self.restarts += 1

    def leave(self):
        self.receiver.end(signal.SIGTERM)
        self.case.pile_up(self)
        self.receiver.start()
        self.restarts += 1

    def vanish(self):
        """The socket, too: what is in its queue is lost, the rest waits."""
        mark = self.case.mark(self.name)
        self.receiver.hold()
        self.case.pile_up(self)
        self.receiver.end(signal.SIGKILL)
        self.receiver.close()
        with open(QUEUE) as file:
            self.missing_allowed += int(file.read()) + 2
        self.jumps_allowed += 1
        self.case.running.wait_log("no journald listens at", mark)
        self.receiver.open()
        self.receiver.start()
        self.restarts += 1

    def found(self):
        text = self.receiver.journalctl("--all", "--output", "cat", MINE)
        return text.decode().splitlines()

    def is_done(self):
        # nothing disturbs the last records
        last = lambda: self.receiver.journalctl("--all", "--output", "cat", "--lines", "1", MINE)
        return super().is_done() and last() == self.case.expected[-1].encode() + b"\n"


class Local(Volume):
    def test_every_kind(self):
        kinds = [File(self), Stdout(self), Exec(self)]
        if journald.is_there():
            journal = Journal(self)
            if journal.works:
                kinds.append(journal)
            else:
                print("journald cannot run in a namespace here: " + journal.receiver.words[-300:])
        self.start(kinds, kinds[1].path)
        self.drive()
        self.end()


if __name__ == "__main__":
    harness.main()
