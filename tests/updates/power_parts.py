"""A disk that remembers what was done to it, and what it may hold when its power fails at any instant of that.

``RecordingDisk`` lets an update do its work and notes every primitive. ``Platter`` takes the
notes one by one and knows what is safe: contents of a file once the file was synced,
names in a folder once the folder was. Everything else may survive or not, each part by itself.
"""

import itertools
import random
from dataclasses import dataclass, field
from pathlib import Path

from update_parts import HastyDisk

FEW = 4  # so many unsynced parts are tried in every combination, more of them by samples
SAMPLES = 12
WAYS = ("kept", "torn", "lost", "reordered")


@dataclass(frozen=True, kw_only=True)
class Touch:
    """One primitive of the file layer; paths are below the device's folder."""

    kind: str
    path: Path
    content: bytes = b""
    source: Path | None = None
    reported: int  # reports that were in safe hands before

    def __str__(self):
        return f"{self.kind} {self.path}"


class RecordingDisk(HastyDisk):
    """Does everything for real but waiting, and notes it; ``reports`` is what the device told so far."""

    def __init__(self, folder, reports):
        self.touches = []
        self._folder = folder
        self._reports = reports

    def create(self, path, content):
        self._note("create", path, content)
        super().create(path, content)

    def extend(self, path, content):
        self._note("extend", path, content)
        super().extend(path, content)

    def sync(self, path):
        self._note("sync", path)
        super().sync(path)

    def rename(self, source, target):
        self._note("rename", target, source=source.relative_to(self._folder))
        super().rename(source, target)

    def unlink(self, path):
        self._note("unlink", path)
        super().unlink(path)

    def make_folder(self, path):
        self._note("make_folder", path)
        super().make_folder(path)

    def _note(self, kind, path, content=b"", source=None):
        path = path.relative_to(self._folder)
        self.touches.append(
            Touch(kind=kind, path=path, content=content, source=source, reported=len(self._reports))
        )


@dataclass(eq=False)
class Inode:
    safe: bytes = b""
    size: int = 0  # as the running system sees it


FOLDER = Inode()


@dataclass(frozen=True, kw_only=True)
class Part:
    """What may be lost by itself: names of a folder, or a stretch of a file (an offset of None empties it)."""

    folder: Path | None = None
    names: dict = field(default_factory=dict)  # path -> inode, None where the name goes
    inode: Inode | None = None
    offset: int | None = None
    content: bytes = b""


@dataclass(frozen=True)
class Image:
    """What a disk comes back with."""

    folders: frozenset
    files: tuple  # of (path, bytes), sorted

    def write(self, folder):
        for path in sorted(self.folders):
            (folder / path).mkdir(parents=True, exist_ok=True)
        for path, content in self.files:
            (folder / path).write_bytes(content)


class Platter:
    def __init__(self, folder):
        """As it is on the real disk in ``folder`` now."""
        self._safe = {}
        for path in folder.rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            inode = FOLDER if path.is_dir() else Inode(content, len(content))
            self._safe[path.relative_to(folder)] = inode
        self._seen = dict(self._safe)
        self._unsynced = []

    def do(self, touch):
        if touch.kind == "sync":
            inode = self._seen.get(touch.path, FOLDER)
            synced = [
                part
                for part in self._unsynced
                if (part.folder == touch.path if inode is FOLDER else part.inode is inode)
            ]
            self._apply(synced)
            self._unsynced = [part for part in self._unsynced if part not in synced]
            return
        for part in self._parts(touch, touch.content):
            self._unsynced.append(part)
            self._seen |= part.names
            if part.inode is not None:
                part.inode.size = 0 if part.offset is None else part.offset + len(part.content)

    def images(self, touch, seed):
        """By way of failing, what may be there when the power fails just before ``touch``, or within it."""
        parts = self._unsynced
        half = self._parts(touch, touch.content[: len(touch.content) // 2]) if touch else []
        return {
            "kept": [self._image(parts)],
            "torn": [self._image([*parts, *half])],
            "lost": [self._image([])],
            "reordered": [self._image(some) for some in _subsets(parts, seed)],
        }

    def _parts(self, touch, content):
        path, folder = touch.path, touch.path.parent
        if touch.kind == "make_folder":
            return [Part(folder=folder, names={path: FOLDER})]
        if touch.kind == "unlink":
            return [Part(folder=folder, names={path: None})] if self._seen.get(path) else []
        if touch.kind == "rename":
            return [Part(folder=folder, names={path: self._seen[touch.source], touch.source: None})]
        if touch.kind not in ("create", "extend"):
            return []
        inode = self._seen.get(path)
        if inode is None:
            inode = Inode()
            first = [Part(folder=folder, names={path: inode})]
        else:
            first = [Part(inode=inode)] if touch.kind == "create" else []
        offset = 0 if touch.kind == "create" else inode.size
        return [*first, Part(inode=inode, offset=offset, content=content)]

    def _apply(self, parts):
        for part in parts:
            self._safe |= part.names
            if part.inode is not None:
                part.inode.safe = _written(part.inode.safe, part)

    def _image(self, parts):
        names, contents = dict(self._safe), {}
        for part in parts:
            names |= part.names
            if part.inode is not None:
                contents[part.inode] = _written(contents.get(part.inode, part.inode.safe), part)
        folders = {path for path, inode in names.items() if inode is FOLDER}
        files = {
            path: contents.get(inode, inode.safe)
            for path, inode in names.items()
            if inode not in (None, FOLDER) and (path.parent in folders or path.parent == Path())
        }
        return Image(frozenset(folders), tuple(sorted(files.items())))


def _written(content, part):
    """``content`` with the stretch in it; what lies between is zeros, as on a disk."""
    if part.offset is None:
        return b""
    before = content[: part.offset].ljust(part.offset, b"\0")
    return before + part.content + content[part.offset + len(part.content) :]


def _subsets(parts, seed):
    """Some of ``parts`` without others, in their order: neither all nor none."""
    count = len(parts)
    if count <= FEW:
        picks = itertools.product((False, True), repeat=count)
        return [list(itertools.compress(parts, pick)) for pick in picks if any(pick) and not all(pick)]
    chance = random.Random(seed)
    return [[part for part in parts if chance.random() < 0.5] for _ in range(SAMPLES)]
