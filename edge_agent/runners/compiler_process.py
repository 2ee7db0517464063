"""The process that compiles one engine for this machine's GPU; ``compiler`` starts it.

It steps back behind everything else that wants the processor, is what a kernel without memory ends first, and
ends with the agent that started it. Arguments: the agent's process, runtime, bytes of work space, "tf32" or
"fp32", the folder with the network, the file of timings.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edge_agent.runners.compiler import NETWORK, PLAN
from firmware_configs.engines.build import Built, build
from firmware_configs.engines.library import check_gpu, find
from firmware_configs.errors import HostError
from firmware_configs.profiles import Runtime

BEHIND_ALL = 19
ENDED_FIRST = "1000"
PR_SET_PDEATHSIG = 1


def main(runtime: str, workspace: str, products: str, folder: str, timings: str) -> None:
    """Raises ``HostError`` with what stands in the way."""
    work, known = Path(folder), Path(timings)
    library = find(Runtime(runtime))
    check_gpu(library)
    network = (work / NETWORK).read_bytes()

    def building(timing_cache: bytes) -> Built:
        return build(
            library,
            network,
            tf32=products == "tf32",
            workspace_bytes=int(workspace),
            timing_cache=timing_cache,
        )

    built = built_with(known.read_bytes() if known.exists() else b"", building)
    if built.timing_cache:
        _keep(built.timing_cache, known)
    (work / PLAN).write_bytes(built.plan)


def built_with(timings: bytes, building: Callable[[bytes], Built]) -> Built:
    """Built with what earlier builds have timed; once more without where a library stumbles over that."""
    if timings:
        with suppress(Exception):  # whatever it raises; what is wrong with the network is raised below
            return building(timings)
    return building(b"")


def _keep(timings: bytes, file: Path) -> None:
    """Whole or not at all, after a power cut too."""
    partial = file.with_suffix(".new")
    with partial.open("wb") as written:
        written.write(timings)
        written.flush()
        os.fsync(written.fileno())
    partial.replace(file)


def _step_back(agent: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError):  # an agent that runs in real time passes that on, and then no niceness counts
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
    os.nice(BEHIND_ALL - os.nice(0))  # the agent's own unit puts it before others
    if sys.platform != "linux":
        return
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(ENDED_FIRST)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != agent:  # it died before it could be heard
        sys.exit("the agent has ended")


if __name__ == "__main__":
    try:
        _step_back(int(sys.argv[1]))
        main(*sys.argv[2:])
    except HostError as error:
        sys.exit(str(error))
