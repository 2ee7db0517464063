"""A release in memory, ready to predict: its bytes checked, its golden inputs answered on this device."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_agent.runners.runner import Runner
from edge_agent.updates.errors import UnfitError, UpdateError
from edge_agent.updates.golden import check_golden
from wire.bundle import Bundle, read_bundle
from wire.errors import BundleError
from wire.manifest import Manifest

RunnerFactory = Callable[[Bundle], Runner]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedRelease:
    release: str
    manifest: Manifest
    runner: Runner


def open_bundle(path: Path) -> Bundle:
    """The bundle in ``path``; ``UnfitError`` where it is none."""
    try:
        return read_bundle(path)
    except (BundleError, OSError) as error:
        raise UnfitError(str(error)) from error


def load(bundle: Bundle, make_runner: RunnerFactory) -> LoadedRelease:
    """Make the runner and ask it the golden inputs; ``UnfitError`` or ``GoldenError`` where it fails.

    A runner that falls back has proved each of its ways already; what is asked here is what will answer.
    """
    try:
        runner = make_runner(bundle)
    except UpdateError:
        raise
    except Exception as error:  # whatever the runtime raises, the network does not run here
        raise UnfitError(f"{bundle.manifest.release} cannot be loaded here: {error}") from error
    check_golden(runner, bundle)
    return LoadedRelease(release=bundle.manifest.release, manifest=bundle.manifest, runner=runner)
