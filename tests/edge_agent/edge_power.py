"""A disk whose power fails: what a process really wrote and synced is recorded, and any instant of it rebuilt.

The model is that of POSIX with sectors: what is synced stays; of the rest each write may be
there, be missing or be torn between sectors; names come and go in order, and stay once their
folder is synced. Memory that several processes share (``-shm``) does not survive at all.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR = 512
CALLS = "openat,write,pwrite64,fsync,fdatasync,ftruncate,unlink,rename"
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)(.*)$")
_FD = re.compile(r"^(\d+)<(.*?)>(?:, |$)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Call:
    name: str
    path: str  # empty for standard output
    data: bytes = b""
    offset: int = 0
    creates: bool = False


def missing() -> str:
    """Why nothing can be recorded here; empty if it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    done = subprocess.run(["strace", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    return f"strace may not trace here: {done.stderr.strip()}" if done.returncode else ""


def record(command: Sequence[str], log: Path, **options) -> list[Call]:
    """Run ``command`` to its end; every call that matters to a disk, and what it said, in order."""
    tracing = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-o", str(log), "-e", f"trace={CALLS}"]
    done = subprocess.run([*tracing, *command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    with log.open() as lines:
        return [call for line in lines if (call := _parse(line)) is not None]


def _parse(line: str) -> Call | None:
    assert "<unfinished" not in line or not re.search(r"write|sync|trunc|unlink|rename", line), line
    found = _LINE.match(line)
    if found is None or int(found[3]) < 0:
        return None
    name, arguments = found[1], found[2]
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
    if name == "openat":
        path = re.search(r"<(.*)>", found[4])
        return Call(name, _plain(path[1]), creates="O_CREAT" in arguments) if path else None
    if name in ("unlink", "rename"):
        return Call(name, texts[0].decode(), texts[1] if name == "rename" else b"")
    handle = _FD.match(arguments)
    if handle is None:
        return None
    path = "" if handle[1] == "1" else _plain(handle[2])
    last = arguments.rsplit(", ", 1)[-1]
    offset = int(last) if name in ("pwrite64", "ftruncate") else -1
    return Call(name, path, texts[0] if texts else b"", offset)


def _plain(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path


@dataclass
class _Inode:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Call] = field(default_factory=list)
    size: int = 0  # as the process sees it


@dataclass
class Disk:
    """One folder. ``liar``: syncs of files whose names end so are acknowledged and not done."""

    folder: str
    liar: str = "\0"
    names: dict[str, _Inode] = field(default_factory=dict)
    durable_names: dict[str, _Inode] = field(default_factory=dict)
    renaming: list[tuple[str, _Inode | None]] = field(default_factory=list)

    def apply(self, call: Call) -> None:
        folder, _, name = call.path.rpartition("/")
        if call.path == self.folder and call.name in ("fsync", "fdatasync"):
            self.durable_names, self.renaming = dict(self.names), []
        if folder != self.folder or name.endswith(("-shm", "-reserve")):
            return
        match call.name:
            case "openat" if call.creates and name not in self.names:
                self._name(name, _Inode())
            case "unlink":
                self.names.pop(name)
                self.renaming.append((name, None))
            case "rename":
                self._name(call.data.decode().rpartition("/")[2], self.names.pop(name))
                self.renaming.append((name, None))
            case "fsync" | "fdatasync" if name in self.names and not name.endswith(self.liar):
                inode = self.names[name]
                for write in inode.pending:
                    _write(inode.durable, write)
                inode.pending = []
            case "pwrite64" | "write" | "ftruncate" if name in self.names:
                self.names[name].pending.append(call)

    def _name(self, name: str, inode: _Inode) -> None:
        self.names[name] = inode
        self.renaming.append((name, inode))

    def rebuild(self, target: Path, chance: Random, how: str) -> None:
        """What is there after the power came back: ``how`` is "synced", "torn" or "some" of the rest."""
        kept = {"synced": 0, "torn": len(self.renaming), "some": chance.randint(0, len(self.renaming))}[how]
        names = dict(self.durable_names)
        for name, inode in self.renaming[:kept]:
            if inode is None:
                names.pop(name, None)
            else:
                names[name] = inode
        for name, inode in names.items():
            content = bytearray(inode.durable)
            for write in _survivors(inode.pending, chance, how):
                _write(content, write)
            (target / name).write_bytes(content)


def _survivors(pending: list[Call], chance: Random, how: str) -> Iterator[Call]:
    if how == "torn" and pending:
        yield from pending[:-1]
        yield _torn(pending[-1], chance)
    elif how == "some":
        for write in pending:
            if chance.random() < 0.6:
                yield write if chance.random() < 0.8 else _torn(write, chance)


def _torn(write: Call, chance: Random) -> Call:
    """Its sectors up to some point."""
    first, end = write.offset // SECTOR + 1, (write.offset + len(write.data)) // SECTOR
    cut = chance.randint(first, max(first, end)) * SECTOR - write.offset
    return Call(write.name, write.path, write.data[:cut], write.offset)


def _write(content: bytearray, call: Call) -> None:
    if call.name == "ftruncate":
        del content[call.offset :]
        content.extend(bytes(call.offset - len(content)))
        return
    assert call.offset >= 0, "only writes at a place are understood"
    content.extend(bytes(max(0, call.offset - len(content))))
    content[call.offset : call.offset + len(call.data)] = call.data


def scratch(tmp_path: Path) -> Path:
    """A folder in memory where there is one: it is rebuilt some hundred times."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK):
        return memory
    return tmp_path
