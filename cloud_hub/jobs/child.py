"""A child process for one heavy flow: what runs out of memory or crashes there leaves the worker unharmed.

What to do comes on standard input, so that no secret stands in an argument list.
The same pipe ends the child when its worker dies: a result that nobody waits for
is not worth the heat.
"""

import asyncio
import importlib
import json
import os
import signal
import sys
import threading
from asyncio.subprocess import PIPE, Process
from typing import Any

import structlog

from cloud_hub.config import HubConfig
from cloud_hub.flows.runs import TakenError
from cloud_hub.hub import opened
from cloud_hub.jobs import queue

FLOWS = {
    queue.RETRAIN: "cloud_hub.flows.candidate",
    queue.PUBLISH: "cloud_hub.flows.publish",
    queue.SNAPSHOT: "cloud_hub.flows.snapshotting",
    queue.CHECK: "cloud_hub.flows.triggers",
}
NICENESS = 10  # training yields to whatever keeps the fleet going
PATIENCE_S = 3.0

log = structlog.get_logger()


class InterruptedJobError(Exception):
    """The worker was asked to stop while a child was at work: the job runs again later."""


class ChildError(Exception):
    """The child ended by itself, and not well."""


async def run_child(
    flow: str, subject: str, *, config: HubConfig, clock: str, stopping: asyncio.Event
) -> None:
    """Run ``flow`` on ``subject`` in a process of its own; ends it and raises when ``stopping`` is set."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-P", "-m", __name__, stdin=PIPE)
    assert child.stdin is not None, "stdin was asked for"
    settings = config.model_dump(mode="json") | {"clock": clock}
    asked = {"config": settings, "flow": flow, "subject": subject}
    child.stdin.write(json.dumps(asked).encode() + b"\n")
    ended = asyncio.ensure_future(child.wait())
    stop = asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait((ended, stop), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await _end(child)
    finally:
        stop.cancel()
        child.stdin.close()
    status = await ended
    if stopping.is_set() or status == -signal.SIGTERM:
        raise InterruptedJobError(f"stopped while working on {subject}")
    if status:
        raise ChildError(_cause(status))


def main() -> None:
    """The child: do what the first line on standard input says, until that input ends."""
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_worker, daemon=True).start()
    os.nice(NICENESS)
    flow = importlib.import_module(FLOWS[asked["flow"]])  # heavy, and each child needs one of them
    with opened(HubConfig.parse(asked["config"], origin="the worker's settings")) as hub:
        try:
            flow.execute(hub, asked["subject"])
        except TakenError as error:  # cancelled, or done by another: no failure
            log.info("nothing is left to do", flow=asked["flow"], subject=asked["subject"], reason=str(error))


async def _end(child: Process) -> None:
    child.terminate()
    try:
        await asyncio.wait_for(child.wait(), PATIENCE_S)
    except TimeoutError:
        child.kill()


def _end_with_worker() -> None:
    sys.stdin.read()
    os._exit(1)


def _cause(status: int) -> str:
    if status < 0:
        name = signal.Signals(-status).name
        hint = "; is there enough memory?" if status == -signal.SIGKILL else ""
        return f"its process was ended by {name}{hint}"
    return f"its process ended with status {status}"


if __name__ == "__main__":
    main()
