"""What this device runs networks with, put together once from its profile and its configuration."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import numpy as np

from edge_agent.config import AgentConfig, InferenceSettings
from edge_agent.engine_facts import EngineFacts
from edge_agent.engine_store import EngineStore
from edge_agent.errors import InferenceError
from edge_agent.identity import Identity
from edge_agent.memory import resident_bytes
from edge_agent.runners import onnx
from edge_agent.runners.chains import ChainMaker
from edge_agent.runners.compiler import Compiler
from edge_agent.runners.errors import NoEngineError
from edge_agent.runners.fallback import Change
from edge_agent.runners.in_time import InTime
from edge_agent.runners.link import Way
from edge_agent.runners.native_engines import NativeEngines
from edge_agent.runners.preference import REMOTE, native, order, precisions
from edge_agent.runners.remote import RemoteRunner
from edge_agent.runners.runner import Matrix, Runner
from edge_agent.runners.standing import Bounds
from edge_agent.updates.disk import Disk
from edge_agent.updates.golden import check_golden
from firmware_configs.engines.build import ROWS, workspace_bytes
from firmware_configs.profiles import Profile, profile
from wire.bundle import Bundle
from wire.engine import EngineKey
from wire.precision import Precision

PATIENCE = 10  # times what an answer may take, after which nobody waits for it any more


class DeviceRunners:
    """``make`` is the factory of runners that the updates use; ``facts`` says which engines would fit."""

    def __init__(
        self,
        profile: Profile,
        settings: InferenceSettings,
        state_dir: Path,
        store: EngineStore,
        *,
        tell: Callable[[Change], None],
        remote: Callable[[Bundle], Runner] | None = None,
    ) -> None:
        self._profile = profile
        self._settings = settings
        self._remote = remote
        self._taken = 0  # bytes that libraries took when they were loaded, less what closing gave back
        self._compiler = Compiler(state_dir / "compiling", workspace_bytes(profile))
        self._native = NativeEngines(
            profile, store, self._compiler, precisions(profile, settings), check_golden, tell=tell
        )
        self.make = ChainMaker(
            self.ways, check=check_golden, bounds=Bounds(max_ms=settings.max_ms), tell=tell
        )

    @property
    def facts(self) -> EngineFacts | None:
        """Of the library and GPU that are here; None where this device runs no engines."""
        return self._native.facts if native(self._profile, self._settings) else None

    def ways(self, bundle: Bundle) -> list[Way]:
        """To run ``bundle``, the best one first."""
        found = [self._way(*named) for named in order(self._profile, self._settings, bundle)]
        if self._remote is not None:
            found.append(Way(name=REMOTE, precision=Precision.FP32, make=self._remote, last_resort=True))
        return found

    def memory(self) -> int | None:
        """Bytes of memory that this process takes, less what executions took: that speaks against no model.

        A GPU's libraries take hundreds of megabytes when an engine is ready, in the middle of a probation
        if it so happens. None where nobody can tell.
        """
        takes = resident_bytes()
        return None if takes is None else takes - self._taken

    def withdraw(self, key: EngineKey) -> None:
        """The shared engine of ``key`` answers no further row: what is loaded leaves; from any thread."""
        self.make.withdraw(f"{key.use_case}/{key.version}", key.runtime, key.precision)

    def start(self) -> None:
        """Bring up in the background what could not be had at once."""
        self.make.start()

    def stop(self) -> None:
        """End what goes on in the background."""
        self._compiler.stop()
        self.make.stop()

    def _way(self, name: str, precision: Precision) -> Way:
        if name == str(self._profile.runtime):
            make = self._in_time(name, partial(self._native.make, precision=precision))
            prepare = partial(self._native.prepare, precision=precision)
            return Way(name=name, precision=precision, make=make, prepare=prepare)
        made = partial(_in_onnx_runtime, name=name)
        if name == onnx.CPU:
            return Way(name=name, precision=precision, make=self._counted(made))
        if name == onnx.TENSORRT:
            slowly = InBackground(self._counted(partial(_compiled, make=made)))
            make = self._in_time(name, slowly.make)
            return Way(name=name, precision=precision, make=make, prepare=slowly.prepare)
        return Way(name=name, precision=precision, make=self._in_time(name, made))

    def _in_time(self, name: str, make: Callable[[Bundle], Runner]) -> Callable[[Bundle], Runner]:
        answer_s = PATIENCE * self._settings.max_ms / 1000
        return InTime(self._counted(make), name=name, answer_s=answer_s).make

    def _counted(self, make: Callable[[Bundle], Runner]) -> Callable[[Bundle], Runner]:
        def counted(bundle: Bundle) -> Runner:
            with self._counting():
                return _Counted(make(bundle), self._counting)

        return counted

    @contextmanager
    def _counting(self) -> Iterator[None]:
        """What the process takes or gives back meanwhile is the executions'."""
        before = resident_bytes()
        try:
            yield
        finally:
            after = resident_bytes()
            if before is not None and after is not None:
                self._taken = max(0, self._taken + after - before)


class _Counted:
    """A runner; what closing it gives back is counted."""

    def __init__(self, runner: Runner, counting: Callable[[], AbstractContextManager[None]]) -> None:
        self.name, self.precision, self.run = runner.name, runner.precision, runner.run
        self._held = [runner]
        self._counting = counting

    def close(self) -> None:
        """Lets go of the runner too: some give back what they hold with their last reference."""
        with self._counting():
            while self._held:
                self._held.pop().close()
            self.run = _closed


def device_runners(
    config: AgentConfig,
    *,
    tell: Callable[[Change], None] = lambda change: None,
    remote: Callable[[Bundle], Runner] | None = None,
) -> DeviceRunners:
    """Of the device that ``config`` is for."""
    store = EngineStore(config.state_dir, Disk())
    return DeviceRunners(
        profile(config.profile), config.inference, config.state_dir, store, tell=tell, remote=remote
    )


def remote_runner(settings: InferenceSettings, identity: Identity) -> Callable[[Bundle], Runner] | None:
    """What asks the hub's scoring service, where the configuration names one."""
    if not settings.remote_url:
        return None

    def make(bundle: Bundle) -> Runner:
        return RemoteRunner(
            bundle.manifest, url=settings.remote_url, tls=identity.tls(), timeout_s=settings.remote_s
        )

    return make


class InBackground:
    """A runner that takes minutes to make, as one whose library compiles beside its first rows."""

    def __init__(self, make: Callable[[Bundle], Runner]) -> None:
        self._make = make
        self._made: Runner | None = None

    def make(self, bundle: Bundle) -> Runner:
        runner, self._made = self._made, None
        if runner is None:
            raise NoEngineError("its engine is still to be compiled here")
        return runner

    def prepare(self, bundle: Bundle) -> None:
        self._made = self._make(bundle)


def _closed(features: Matrix) -> Matrix:
    raise InferenceError(f"expected a runner in use for {len(features)} rows, got one that is closed")


def _compiled(bundle: Bundle, make: Callable[[Bundle], Runner]) -> Runner:
    """What ``make`` makes, once its library has compiled.

    ONNX Runtime has TensorRT compile when it meets a number of rows beyond those it has met (its TensorRT
    provider: a network of any number of rows, without explicit profiles). After most and fewest no row waits.
    """
    runner = make(bundle)
    try:
        for rows in (ROWS[-1], ROWS[0]):
            runner.run(np.resize(bundle.golden_inputs, (rows, bundle.golden_inputs.shape[1])))
    except BaseException:
        runner.close()
        raise
    return runner


def _in_onnx_runtime(bundle: Bundle, name: str) -> Runner:
    return onnx.OnnxRunner(bundle.onnx, name)
