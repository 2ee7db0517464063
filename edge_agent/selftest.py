"""Whether what is installed here works: kernels, the outbox's disk, the golden inputs of what runs."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_agent.draft import Draft
from edge_agent.errors import EdgeError, SelfTestError
from edge_agent.outbox import Outbox
from edge_agent.runners.chain_text import answering, passed_over
from edge_agent.runners.device import DeviceRunners
from edge_agent.tables import EMPTY
from edge_agent.updates.disk import Disk
from edge_agent.updates.loaded import open_bundle
from edge_agent.updates.slots import Slots
from kernels import sets
from kernels.errors import KernelError
from wire.batch import BatchClass, GapEvent
from wire.errors import WireError

FULL = 2  # of PRAGMA synchronous
COMMITS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    name: str
    passed: bool
    detail: str
    notes: tuple[str, ...] = ()  # what is worth knowing beside it, a sentence each


def run(state_dir: Path, runners: DeviceRunners) -> list[Finding]:
    """Every check, also after one that failed. Harmless beside a running agent."""
    findings = [
        _finding("kernels", lambda: (_kernels(),)),
        _finding("outbox", lambda: (_outbox(state_dir),)),
    ]
    folders = sorted(path for path in (state_dir / "updates" / "slots").glob("*") if path.is_dir())
    return findings + [
        _finding(f"release of {path.name}", partial(_release, path, runners)) for path in folders
    ]


def _finding(name: str, check: Callable[[], tuple[str, ...]]) -> Finding:
    try:
        detail, *notes = check()
        return Finding(name=name, passed=True, detail=detail, notes=tuple(notes))
    except (EdgeError, KernelError, WireError, OSError) as error:
        return Finding(name=name, passed=False, detail=str(error))


def _kernels() -> str:
    started = time.perf_counter()
    sets.warm()
    return f"compiled and equal to their reference in {time.perf_counter() - started:.1f} s"


def _outbox(state_dir: Path) -> str:
    """Commit to a file of its own beside the outbox: the same disk, the same settings."""
    event = GapEvent(time_us=0, reason="self-test")
    draft = Draft(batch_class=BatchClass.ALARM, table_hash=EMPTY.hash, events=(event,))
    with TemporaryDirectory(dir=state_dir, prefix="self-test-") as folder:
        outbox = Outbox.open(Path(folder) / "outbox.db", max_bytes=1 << 20)
        try:
            if outbox.synchronous() != FULL:
                raise SelfTestError(f"expected synchronous {FULL} (FULL), got {outbox.synchronous()}")
            started = time.perf_counter()
            for _ in range(COMMITS):
                outbox.commit([draft], now_us=0)
            taken = (time.perf_counter() - started) / COMMITS
        finally:
            outbox.close()
    return f"commits are synced, {taken * 1000:.1f} ms each"


def _release(folder: Path, runners: DeviceRunners) -> tuple[str, ...]:
    """The slot that runs; the other may hold anything. Nothing is compiled, and the hub is not asked."""
    slots = Slots(folder, Disk())
    if slots.current is None:
        return ("none installed",)
    bundle = open_bundle(slots.bundle(slots.current))
    chain = runners.make.once(bundle)
    try:
        described = chain.describe()
        answers = f"{bundle.manifest.release} answers its golden inputs in {answering(described)}"
        return answers, *passed_over(described)
    finally:
        chain.close()
