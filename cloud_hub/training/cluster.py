"""Training on a Dask cluster: fits and features are sent as pure functions and come back as values.

A cluster that is configured and away is an error, not a reason to train here: this
machine has devices to serve. What was finished is kept, so trying again is cheap.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cloud_hub.errors import ConfigError, UnreachableError
from cloud_hub.training import code
from cloud_hub.training.executor import Executor, InProcess, Results
from cloud_hub.training.progress import Progress
from kernels.conditions import ConditionTable
from models.conditions import derive
from models.examples import Examples
from models.fitting import Lesson, Material, learn

VARIABLE = "DASK_SCHEDULER"
PATIENCE_S = 10.0  # until a scheduler must have answered
POLL_S = 0.5  # between looks at whether the watcher wants to cancel


@contextmanager
def executor(scheduler: str) -> Iterator[Executor]:
    """The cluster at $DASK_SCHEDULER or else ``scheduler``; where neither names one, this process."""
    address = os.environ.get(VARIABLE) or scheduler
    if not address:
        yield InProcess()
        return
    with connected(address) as found:
        yield found


@contextmanager
def connected(address: str, *, patience_s: float = PATIENCE_S) -> Iterator[Executor]:
    """The cluster whose scheduler listens at ``address``, such as ``tcp://10.0.0.5:8786``.

    ``UnreachableError`` where it is away or has no workers, ``ConfigError`` where those run other code.
    """
    from distributed import Client  # noqa: PLC0415 - heavy, and most hubs have no cluster

    try:
        client: Any = Client(address, timeout=patience_s)  # type: ignore[no-untyped-call]  # distributed: none
    except (OSError, ValueError) as error:
        raise UnreachableError(
            f"the Dask scheduler at {address} does not answer: {error}: start it, or take dask_scheduler "
            f"and ${VARIABLE} away to train on the hub's machine"
        ) from error
    try:
        check_workers(client.run(code.version), address)
        yield _Cluster(client, address)
    finally:
        client.close()


class _Cluster:
    def __init__(self, client: Any, address: str) -> None:
        self._client, self._address = client, address

    def fit(self, material: Material, lessons: Sequence[Lesson], watch: Progress) -> Results:
        with self._answering():
            there = self._client.scatter(material, hash=False)
            futures = [self._submit(learn, there, lesson) for lesson in lessons]
        yield from self._gather(futures, material.kind, watch)

    def derive(self, machines: Sequence[Examples], table: ConditionTable) -> list[Examples]:
        with self._answering():
            futures = [self._submit(derive, own, table) for own in machines]
            found: list[Examples] = self._client.gather(futures)
        return found

    def _submit(self, function: Any, *arguments: Any) -> Any:
        return self._client.submit(function, *arguments, pure=False)

    def _gather(self, futures: list[Any], kind: str, watch: Progress) -> Iterator[tuple[int, Any]]:
        """Results with their places; nothing is left behind when the watcher or the caller gives up."""
        left = dict(enumerate(futures))
        try:
            while left:
                done = len(futures) - len(left)
                watch(f"training: {kind}, {done} of {len(futures)} members done", done / len(futures))
                for place in self._ready(left):
                    with self._answering():
                        result = left.pop(place).result()
                    yield place, result
        finally:
            self._client.cancel(list(left.values()), force=True)

    def _ready(self, left: dict[int, Any]) -> list[int]:
        """Places of what has finished within ``POLL_S``."""
        from distributed import wait  # noqa: PLC0415 - as above

        try:
            wait([*left.values()], timeout=POLL_S, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]
        except TimeoutError:
            return []
        return [place for place, future in left.items() if future.done()]

    @contextmanager
    def _answering(self) -> Iterator[None]:
        from distributed import KilledWorker  # noqa: PLC0415 - as above
        from distributed.client import FutureCancelledError  # noqa: PLC0415 - as above
        from distributed.comm.core import CommClosedError  # noqa: PLC0415 - as above

        try:
            yield
        except (CommClosedError, KilledWorker, FutureCancelledError, TimeoutError) as error:
            raise UnreachableError(
                f"the Dask cluster at {self._address} was lost at work: {error}: ask for the training again"
            ) from error


def check_workers(found: Mapping[str, str], address: str) -> None:
    """Refuse a cluster whose workers' code, by worker, is not this one: lineage would name the wrong one."""
    if not found:
        raise UnreachableError(f"the Dask scheduler at {address} has no workers: start some")
    if others := sorted(name for name, version in found.items() if version != code.version()):
        raise ConfigError(
            f"expected workers with the code {code.version()}, got {found[others[0]]} on {others[0]}: "
            "install the same release of Andon there"
        )
