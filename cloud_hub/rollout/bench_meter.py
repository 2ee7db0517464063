"""What a running hub uses: memory and processor time of its processes, statements of its database.

Memory is PSS, so what processes share is counted once. Processor time is that of the hub's
processes and of PostgreSQL's, with what their ended children took.
"""

import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cloud_hub.store.database import Database, load_queries

QUERIES = load_queries("cloud_hub.rollout", "bench.sql")
TICKS = os.sysconf("SC_CLK_TCK")
LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    hub_s: float  # of processor time
    postgres_s: float
    statements: int

    def since(self, before: "Used") -> "Used":
        return Used(
            hub_s=self.hub_s - before.hub_s,
            postgres_s=self.postgres_s - before.postgres_s,
            statements=self.statements - before.statements,
        )


class Meter:
    """Looks at the trees of the processes ``hub`` and ``postgres``; ``supervisor`` stands for itself."""

    def __init__(self, database: Database, *, supervisor: int, hub: Iterable[int], postgres: int) -> None:
        self._database = database
        self._supervisor = supervisor
        self._hub = tuple(hub)
        self._postgres = postgres
        self.most_bytes = 0

    def used(self) -> Used:
        """Since the hub was started."""
        row = self._database.row(QUERIES["statements"])
        children = _children()
        hub = sum(_seconds(pid) for root in self._hub for pid in _tree(root, children))
        return Used(
            hub_s=hub + _own_seconds(self._supervisor),
            postgres_s=sum(_seconds(pid) for pid in _tree(self._postgres, children)),
            statements=int(row["calls"]) if row else 0,
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note in ``most_bytes`` the most memory that the hub's processes have together meanwhile."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(LOOK_S):
                self.most_bytes = max(self.most_bytes, self.bytes())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()

    def bytes(self) -> int:
        """Memory of all processes of the hub: supervisor, ingest, work, web; not of broker and PostgreSQL."""
        children = _children()
        pids = [self._supervisor, *(pid for root in self._hub for pid in _tree(root, children))]
        return sum(map(_pss, pids))


def _children() -> dict[int, list[int]]:
    """Who started whom, of all processes."""
    found: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(_fields(int(folder.name))[1])
        except OSError:
            continue
        found.setdefault(parent, []).append(int(folder.name))
    return found


def _tree(root: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield root
    for child in children.get(root, []):
        yield from _tree(child, children)


def _fields(pid: int) -> list[str]:
    """Those of /proc/PID/stat behind the name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _seconds(pid: int) -> float:
    """Processor time of a process and of its children that have ended."""
    return _ticks(pid, slice(11, 15)) / TICKS


def _own_seconds(pid: int) -> float:
    return _ticks(pid, slice(11, 13)) / TICKS


def _ticks(pid: int, which: slice) -> int:
    try:
        return sum(map(int, _fields(pid)[which]))
    except OSError:  # it ended meanwhile: its parent has its time
        return 0


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
