"""Compiling an engine on the device beside what it does: a process of its own, behind everybody else.

A build takes minutes and a good part of the memory, and a builder that dies takes its process with it; the
agent goes on predicting meanwhile. What it writes is believed no more than its golden inputs.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from edge_agent.errors import InferenceError
from firmware_configs.profiles import Runtime

PATIENCE_S = 3600.0
POLL_S = 0.2
NETWORK, PLAN, TIMINGS, SAID = "model.onnx", "plan", "timings", "said"


class Compiler:
    """Builds in ``folder``, which is its own; one build at a time."""

    def __init__(self, folder: Path, workspace: int) -> None:
        self._folder = folder
        self._workspace = workspace
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End a build that is going on; from any thread."""
        self._stopped.set()

    def compile(self, runtime: Runtime, network: bytes, *, tf32: bool) -> bytes:
        """The plan of ``network`` for this machine's own GPU. Raises ``InferenceError``."""
        work = self._folder / "work"
        shutil.rmtree(work, ignore_errors=True)  # what a build that was killed left
        try:
            work.mkdir(parents=True, mode=0o700)
            (work / NETWORK).write_bytes(network)
            self._build(work, [str(runtime), str(self._workspace), "tf32" if tf32 else "fp32"])
            return (work / PLAN).read_bytes()
        except OSError as error:
            raise InferenceError(f"no engine can be compiled in {work}: {error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _build(self, work: Path, arguments: list[str]) -> None:
        """What is timed on this GPU is kept for the next build, beside ``work``."""
        command = [sys.executable, "-m", "edge_agent.runners.compiler_process", str(os.getpid()), *arguments]
        here = Path(__file__).parents[2]  # where the packages lie, installed or not
        with (work / SAID).open("w+b") as said:
            process = subprocess.Popen(
                [*command, str(work.absolute()), str((self._folder / TIMINGS).absolute())],
                stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=here,
            )  # fmt: skip
            try:
                code = self._wait(process)
            finally:
                process.kill()
                process.wait()
            if code:
                said.seek(0)
                lines = said.read().decode(errors="replace").strip().splitlines()
                raise InferenceError(f"its engine cannot be compiled here: {lines[-1] if lines else code}")

    def _wait(self, process: subprocess.Popen[bytes]) -> int:
        began = time.monotonic()
        while process.poll() is None:
            if self._stopped.wait(POLL_S):
                raise InferenceError("compiling ended with the agent")
            if time.monotonic() - began > PATIENCE_S:
                raise InferenceError(f"expected an engine within {PATIENCE_S:.0f} s of compiling, got none")
        return process.returncode
