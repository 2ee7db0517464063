"""Engines for this device's own GPU: shared ones that were signed for it, else compiled here.

Library and GPU are looked for once. A shared engine that does not answer the golden inputs here is as good as
none: it is reported, not loaded again, and this device compiles its own. Compiling takes minutes, so it is
asked for where no row waits for it.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from typing import TypeVar

from edge_agent.engine_facts import EngineFacts, keys
from edge_agent.engine_store import EngineStore
from edge_agent.errors import EdgeError, InferenceError
from edge_agent.runners import in_time
from edge_agent.runners.compiler import Compiler
from edge_agent.runners.errors import (
    DriverError,
    ForeignEngineError,
    GpuMemoryError,
    NoEngineError,
    UnavailableError,
    told,
)
from edge_agent.runners.fallback import Change, refusal
from edge_agent.runners.gpu import Gpu
from edge_agent.runners.in_time import LateError, Worker
from edge_agent.runners.native import NativeRunner
from edge_agent.runners.proof import Check, prove
from edge_agent.runners.runner import Runner
from edge_agent.updates.errors import GoldenError
from firmware_configs.engines.library import Library, check_gpu, find
from firmware_configs.errors import EngineLibraryError
from firmware_configs.profiles import Profile
from wire.bundle import Bundle
from wire.engine import Engine, EngineKey
from wire.precision import Precision

_Found = TypeVar("_Found", Library, Gpu)


class NativeEngines:
    """One an agent."""

    def __init__(
        self,
        profile: Profile,
        store: EngineStore,
        compiler: Compiler,
        precisions: tuple[Precision, ...],
        check: Check,
        *,
        tell: Callable[[Change], None],
    ) -> None:
        self._profile = profile
        self._store = store
        self._compiler = compiler
        self._precisions = precisions
        self._check = check
        self._tell = tell
        self._told: set[EngineKey] = set()  # of engines refused

    @cached_property
    def facts(self) -> EngineFacts | None:
        """Which engines fit this device; None where nothing here could run one.

        The GPU's context is opened for the answer, so early: it takes memory that no release is to blame for.
        """
        library = self._library
        if isinstance(library, InferenceError) or isinstance(self._gpu, InferenceError):
            return None
        return EngineFacts.of(self._profile, library.version, self._precisions)

    def make(self, bundle: Bundle, precision: Precision) -> Runner:
        """A runner of ``bundle`` that answers its golden inputs; NoEngineError: only after ``prepare``."""
        network = bundle.network(precision)
        assert network is not None, "ways are of the networks that a bundle has"
        gpu = self._have(self._gpu)
        shared, why = self._shared(bundle, precision), ""
        if shared is not None:
            try:
                return self._signed(bundle, shared, network)
            except (DriverError, GpuMemoryError):
                raise  # an engine compiled here would fare no better
            except EdgeError as error:
                why = f", for the shared one: {told(error)}"
        own = self._store.local(self._key(bundle, precision), gpu.identity)
        if own is None:
            raise NoEngineError(f"its engine is still to be compiled here{why}")
        try:
            return self._proved(bundle, precision, own, b"")
        except ForeignEngineError as error:  # what another driver or library made of it may be gone
            raise NoEngineError(f"its engine is to be compiled anew: {told(error)}") from error

    def prepare(self, bundle: Bundle, precision: Precision) -> None:
        """Compile an engine for this very GPU; minutes. Raises ``InferenceError``."""
        library, gpu = self._have(self._library), self._have(self._gpu)
        network = bundle.network(precision)
        assert network is not None, "ways are of the networks that a bundle has"
        plan = self._compiler.compile(library.runtime, network, tf32=precision is Precision.TF32)
        self._store.put_local(self._key(bundle, precision), gpu.identity, plan)

    @cached_property
    def _library(self) -> Library | InferenceError:
        return _looked_for(self._find_library)

    @cached_property
    def _gpu(self) -> Gpu | InferenceError:
        """Not without a library: what it lacks is the better reason."""
        return self._library if isinstance(self._library, InferenceError) else _looked_for(_open_gpu)

    def _find_library(self) -> Library | InferenceError:
        try:
            library = find(self._profile.runtime)
            check_gpu(library)
        except EngineLibraryError as error:
            return UnavailableError(told(error))
        return library

    def _have(self, found: _Found | InferenceError) -> _Found:
        if isinstance(found, InferenceError):
            raise type(found)(str(found))
        return found

    def _shared(self, bundle: Bundle, precision: Precision) -> Engine | None:
        facts = self.facts
        assert facts is not None, "a GPU is only looked for where there is a library"
        return self._store.find(bundle, replace(facts, precisions=(precision,)))

    def _signed(self, bundle: Bundle, shared: Engine, network: bytes) -> Runner:
        """Runs ``shared``; what is the engine's own fault is remembered, and not tried again."""
        key, gpu = shared.manifest.key, self._have(self._gpu).identity
        if known := self._store.refused(key, gpu, shared.plan):
            self._report(bundle, key, known)
            raise InferenceError(known)
        weights = network if shared.manifest.stripped else b""
        try:
            return self._proved(bundle, key.precision, shared.plan, weights)
        except (GoldenError, ForeignEngineError) as error:
            self._store.refuse(key, gpu, shared.plan, told(error))
            self._report(bundle, key, told(error))
            raise

    def _report(self, bundle: Bundle, key: EngineKey, why: str) -> None:
        """Once while this agent runs: somebody signed it for devices like this one."""
        if key not in self._told:
            self._told.add(key)
            reason = f"engines/{key.target}/{key.name}: {why}"
            self._tell(refusal(bundle.manifest, reason))

    def _key(self, bundle: Bundle, precision: Precision) -> EngineKey:
        facts = self.facts
        assert facts is not None, "a GPU is only looked for where there is a library"
        return keys(bundle, replace(facts, precisions=(precision,)))[0]

    def _proved(self, bundle: Bundle, precision: Precision, plan: bytes, weights: bytes) -> Runner:
        library, gpu = self._have(self._library), self._have(self._gpu)
        mapped, outputs = self._profile.shared_memory, [each.name for each in bundle.manifest.outputs]
        runner = NativeRunner(library, gpu, plan, precision, mapped=mapped, weights=weights, outputs=outputs)
        try:
            prove(runner, bundle, self._check, perf_counter)
        except BaseException:
            runner.close()
            raise
        return runner


def _open_gpu() -> Gpu | InferenceError:
    try:
        return Gpu.open()
    except InferenceError as error:
        return error


def _looked_for(look: Callable[[], _Found | InferenceError]) -> _Found | InferenceError:
    """An agent starts also where the driver does not come back."""
    worker = Worker("NVIDIA's driver")
    try:
        return worker.ask(look, in_time.MAKING_S)
    except LateError as error:
        return UnavailableError(f"{told(error)}: restart this device")
    finally:
        worker.end()
