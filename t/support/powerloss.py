"""What a power loss could leave of a folder, from what iotrace.c recorded.

Disk replays a recording. At any record, Disk.leave() writes a folder as it may be found after a
power loss in that moment. There is, of each file, what was synced; and any part of what was written
after: none of it, all, a beginning that ends in the middle of a write, or pieces here and there
between zeros and older bytes. And there is, of each folder, what it held when it was synced, and the
first of the changes since; the sync of a file says nothing of its name. Names that end in -shm are
not recorded: no power loss leaves them.
"""

import os
import struct

RECORD = struct.Struct("=IIQqQ")
MAGIC = 0x10ce7a
PIECE = 512


class File:
    def __init__(self, data=b""):
        self.synced = bytearray(data)
        self.changes = []  # (offset, bytes) or (size, None)
        self.before = 0  # changes that are in synced

    def count(self):
        return self.before + len(self.changes)

    def sync(self, count):
        done = max(0, count - self.before)
        for at, data in self.changes[:done]:
            apply(self.synced, at, data)
        del self.changes[:done]
        self.before += done

    def leave(self, rng, how):
        """Its bytes after a power loss."""
        out = bytearray(self.synced)
        if how == "beginning":
            keep = rng.randint(0, len(self.changes))
            for at, data in self.changes[:keep]:
                apply(out, at, data)
            if keep < len(self.changes) and self.changes[keep][1]:
                at, data = self.changes[keep]
                apply(out, at, data[:rng.randrange(len(data))])
        elif how == "pieces":
            share = rng.random()
            for at, data in self.changes:
                leave_pieces(out, at, data, rng, share)
        elif how == "all":
            for at, data in self.changes:
                apply(out, at, data)
        return bytes(out)


def apply(out, at, data):
    if data is None:
        if at < len(out):
            del out[at:]
        else:
            out.extend(bytes(at - len(out)))
        return
    if at > len(out):
        out.extend(bytes(at - len(out)))
    out[at:at + len(data)] = data


def leave_pieces(out, at, data, rng, share):
    """Each sector by chance; the size reaches to the end all the same."""
    if data is None:
        if rng.random() < share:
            apply(out, at, data)
        return
    if at + len(data) > len(out):
        out.extend(bytes(at + len(data) - len(out)))
    for begin in range(0, len(data), PIECE):
        if rng.random() < share:
            apply(out, at + begin, data[begin:begin + PIECE])


class Folder:
    def __init__(self):
        self.synced = {}
        self.changes = []  # (name, what it is now or None) lists, each of them whole or not at all
        self.before = 0

    def count(self):
        return self.before + len(self.changes)

    def change(self, *entries):
        self.changes.append(entries)

    def sync(self, count):
        done = max(0, count - self.before)
        self.synced = self.after(done)
        del self.changes[:done]
        self.before += done

    def after(self, count):
        out = dict(self.synced)
        for entries in self.changes[:count]:
            for name, what in entries:
                if what is None:
                    out.pop(name, None)
                else:
                    out[name] = what
        return out

    def leave(self, rng, how):
        if how == "all":
            return self.after(len(self.changes))
        return self.after(rng.choice((0, len(self.changes), rng.randint(0, len(self.changes)))))


HOWS = ("none", "all", "beginning", "beginning", "pieces", "pieces")


class Disk:
    """All that is below root, which is synced as it is when the recording begins."""

    def __init__(self, root):
        self.root = root
        self.at = {}  # name -> File or Folder, as the processes see it
        self.inodes = {}
        self.syncs = {}
        self.take(root)

    def take(self, path):
        folder = self.at[path] = Folder()
        for name in sorted(os.listdir(path)):
            full = os.path.join(path, name)
            if name.endswith("-shm"):
                continue
            if os.path.isdir(full):
                self.take(full)
            else:
                with open(full, "rb") as f:
                    self.at[full] = File(f.read())
                self.inodes[os.stat(full).st_ino] = self.at[full]
            folder.synced[name] = self.at[full]

    def put(self, path, what):
        folder, name = os.path.split(path)
        self.at[folder].change((name, what))
        if what is None:
            del self.at[path]
        else:
            self.at[path] = what

    def replay(self, kind, inode, offset, token, data):
        """One record. Text that a process said is returned."""
        if kind == "M":
            return data.decode(errors="replace")
        if kind == "C":
            self.made(data.decode(), inode)
        elif kind == "D":
            self.put(data.decode(), Folder())
        elif kind in "WT":
            if inode in self.inodes:
                self.inodes[inode].changes.append((offset, data if kind == "W" else None))
        elif kind in "bf":
            what = self.inodes.get(inode) if kind == "b" else self.at.get(data.decode())
            if what is not None:
                self.syncs[token] = (what, what.count())
        elif kind in "eg":
            what, count = self.syncs.pop(token, (None, 0))
            if what is not None:
                what.sync(count)
        else:
            self.named(kind, data.decode())
        return ""

    def made(self, path, inode):
        """Two processes may both have made it."""
        known = self.at.get(path)
        if known is None or self.inodes.get(inode) is not known:
            self.inodes[inode] = File()
            self.put(path, self.inodes[inode])

    def named(self, kind, text):
        if kind == "U":
            if text in self.at:
                self.put(text, None)
            return
        old, new = text.split("\0")
        what = self.at.get(old)
        if what is None:
            return
        if kind == "L":
            self.put(new, what)
        elif os.path.dirname(old) == os.path.dirname(new):
            self.at[os.path.dirname(old)].change((os.path.basename(old), None),
                                                 (os.path.basename(new), what))
            del self.at[old]
            self.at[new] = what
        else:
            # One may be on the disk without the other: the file under both names, or under none.
            self.put(new, what)
            self.put(old, None)

    def leave(self, path, rng, out, unharmed=()):
        """Writes path as a power loss may leave it to out. unharmed: names of the root that are on
        another machine, which has power."""
        self.leave_folder(self.at[path], rng, out, "", unharmed)

    def leave_folder(self, folder, rng, out, how, unharmed=()):
        os.makedirs(out, exist_ok=True)
        entries = folder.after(len(folder.changes))
        if how != "all":
            safe = {n: w for n, w in entries.items() if n in unharmed}
            entries = dict(folder.leave(rng, how), **safe)
        for name, what in sorted(entries.items()):
            target = os.path.join(out, name)
            kept = "all" if name in unharmed else how
            if isinstance(what, Folder):
                self.leave_folder(what, rng, target, kept)
            else:
                with open(target, "wb") as f:
                    f.write(what.leave(rng, kept or rng.choice(HOWS)))


def records(path):
    """The records of a recording up to the first that a killed process left half written."""
    with open(path, "rb") as f:
        while True:
            head = f.read(RECORD.size)
            if len(head) < RECORD.size:
                return
            size, kind, inode, offset, token = RECORD.unpack(head)
            data = f.read(size)
            if len(data) < size or kind >> 8 != MAGIC:
                return
            yield chr(kind & 0xff), inode, offset, token, data
