"""What a disk may hold after a power failure, from the log of write_log.c.

Until a file is synced, none, some or all of what was written to it since may be there, in sectors. A new, renamed or
removed name is certain when its directory is synced. This is what POSIX promises; file systems promise more.
"""

import os
import pathlib
import struct

ENTRY = struct.Struct("<cQqIII")
SECTOR = 512


class Operation:
    def __init__(self, kind, inode, offset, name, other, data):
        self.kind, self.inode, self.offset = kind, inode, offset
        self.name, self.other, self.data = name, other, data


def read_log(path):
    """The operations of a log, in order."""
    log, at, operations = path.read_bytes(), 0, []
    while at < len(log):
        kind, inode, offset, *sizes = ENTRY.unpack_from(log, at)
        at += ENTRY.size
        parts = []
        for size in sizes:
            parts.append(log[at : at + size])
            at += size
        operations.append(
            Operation(kind.decode(), inode, offset, parts[0].decode(), parts[1].decode(), parts[2])
        )
    return operations


def strict(dice, operation, last):
    """Nothing that was not synced is there."""
    return []


def whole(dice, operation, last):
    """All of it is there, as after kill -9."""
    return [operation]


def torn(dice, operation, last):
    """All of it, but only a part of the last write."""
    if operation is not last or operation.kind != "W":
        return [operation]
    size = dice.randrange(len(operation.data))
    return [Operation("W", operation.inode, operation.offset, "", "", operation.data[:size])]


def scattered(dice, operation, last):
    """Any sectors of it, with nothing between them; of names, some beginning."""
    if operation.kind != "W":
        return [operation] if dice.random() < 0.5 else []
    found, at, end = [], operation.offset, operation.offset + len(operation.data)
    while at < end:
        until = min(end, (at // SECTOR + 1) * SECTOR)
        if dice.random() < 0.5:
            data = operation.data[at - operation.offset : until - operation.offset]
            found.append(Operation("W", operation.inode, at, "", "", data))
        at = until
    return found


class Disk:
    """The folder ROOT, whose files have their inodes in the folder INODES."""

    def __init__(self, root, inodes, operations):
        self.root, self.inodes, self.operations = root, inodes, operations
        self.folders = {str(root): os.stat(root).st_ino}
        self.folders.update({o.name: o.inode for o in operations if o.kind == "M"})

    def _durable(self, count):
        """The first COUNT operations, each with whether it is certain to be there."""
        done, pending, names = [], {}, {}
        for index, operation in enumerate(self.operations[:count]):
            done.append(False)
            if operation.kind == "S":
                for earlier in pending.pop(operation.inode, []) + names.pop(operation.inode, []):
                    done[earlier] = True
            elif operation.kind == "F":  # what waited is lost, whatever is synced later
                pending.pop(operation.inode, [])
            elif operation.kind in "WT":
                pending.setdefault(operation.inode, []).append(index)
            else:
                for name in filter(None, (operation.name, operation.other)):
                    parent = self.folders[os.path.dirname(name)]
                    names.setdefault(parent, []).append(index)
        return done

    def after(self, count, failure, dice):
        """What is there if the power fails after COUNT operations: {name: inode}, {inode: bytes}."""
        names, contents = {}, {}
        last = self.operations[count - 1] if count else None
        cut = set()  # folders of which a name was lost: later ones are, too
        for certain, operation in zip(self._durable(count), self.operations):
            if operation.kind in "SF":
                continue
            if operation.kind in "WT":
                for part in [operation] if certain else failure(dice, operation, last):
                    self._write(contents, part)
                continue
            folder = os.path.dirname(operation.name)
            if not certain and (folder in cut or not failure(dice, operation, last)):
                cut.add(folder)
                continue
            self._rename(names, operation)
        there = {}
        for name in sorted(names):
            folder = os.path.dirname(name)
            if folder == str(self.root) or folder in there:
                there[name] = names[name]
        return there, contents

    def _write(self, contents, operation):
        content = contents.setdefault(operation.inode, bytearray())
        if operation.kind == "T":
            if operation.offset < len(content):
                del content[operation.offset :]
            else:
                content.extend(bytes(operation.offset - len(content)))
            return
        if operation.offset > len(content):
            content.extend(bytes(operation.offset - len(content)))
        content[operation.offset : operation.offset + len(operation.data)] = operation.data

    def _rename(self, names, operation):
        if operation.kind in "CM":
            names[operation.name] = operation.inode
        elif operation.kind == "U":
            names.pop(operation.name, None)
        elif operation.name in names:
            names[operation.other] = names.pop(operation.name)

    def put(self, names, contents):
        """Makes the folder hold this, in the files that had it."""
        for path in sorted(self.root.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        for name, inode in names.items():
            if name in self.folders:
                os.mkdir(name, 0o700)
                continue
            file = self.inodes / str(inode)
            with open(file, "r+b") as out:
                out.truncate(0)
                out.write(contents.get(inode, b""))
            os.link(file, name)
