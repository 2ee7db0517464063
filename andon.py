"""The ``andon`` command.

A package is imported when one of its commands is used and not before: help answers at once, and a device that
never installed the hub's libraries still has its own commands. Failures that a person can act on end as one
sentence here, for every command.
"""

import errno
import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command, get_group

OURS = frozenset(
    {"andon", "wire", "kernels", "firmware_configs", "models", "edge_agent", "cloud_hub", "simulators"}
)
TRACEBACK_VARIABLE = "ANDON_TRACEBACK"  # set it to see where a sentence came from

# ONNX Runtime (from 1.29 on Linux) tells its maker about every session unless this is set before its import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# The bases of what the packages raise for people; named, so that none has to be imported to be recognised.
FOR_PEOPLE = frozenset(
    {
        "cloud_hub.errors.HubError",
        "edge_agent.errors.EdgeError",
        "firmware_configs.errors.HostError",
        "kernels.errors.KernelError",
        "models.errors.ModelError",
        "simulators.errors.SimulatorError",
        "wire.errors.WireError",
        "builtins.OSError",
    }
)

# What the database driver raises in the middle of a command, and what to do about it.
DATABASE_FAILURES = {
    "psycopg.errors.UndefinedTable": "the database has no schema of this version: run `andon hub migrate`",
    "psycopg.errors.UndefinedColumn": "the database has no schema of this version: run `andon hub migrate`",
    "psycopg.errors.InsufficientPrivilege": "the database refuses its user: grant it the andon schema",
    "psycopg.OperationalError": "the database went away in the middle of this: is it running? Try again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name after ``andon``: what it is for, where it lives, which pip extra it needs."""

    help: str
    target: str  # "module:attribute", a typer app, or a function that is a command
    extra: str


COMMANDS = {
    "demo": Entry(
        help="Run the whole factory on this machine and watch the loop close.",
        target="simulators.demo.cli:demo",
        extra="edge,hub,train",
    ),
    "hub": Entry(help="Install, run and look after the hub.", target="cloud_hub.cli:hub_app", extra="hub"),
    "edge": Entry(help="Enrol, run and inspect a device.", target="edge_agent.cli:edge_app", extra="edge"),
    "device": Entry(help="Devices of the fleet.", target="cloud_hub.device_cli:device_app", extra="hub"),
    "data": Entry(
        help="Labels, datasets and quarantine.", target="cloud_hub.dataset.cli:data_app", extra="hub"
    ),
    "model": Entry(
        help="Train, compare and approve models.",
        target="cloud_hub.registry.cli:model_app",
        extra="hub,train",
    ),
    "rollout": Entry(
        help="Send releases to the fleet in waves.", target="cloud_hub.rollout.cli:rollout_app", extra="hub"
    ),
    "sim": Entry(help="Simulated machines and replay.", target="simulators.cli:sim_app", extra="edge"),
    "keys": Entry(
        help="The keys that releases are signed with.", target="cloud_hub.signing.cli:keys_app", extra="hub"
    ),
    "audit": Entry(
        help="Who decided what, and why.", target="cloud_hub.governance.cli:audit_app", extra="hub"
    ),
    "bench": Entry(
        help="How fast it is here, each figure beside its limit.", target="andon:bench", extra="edge,hub"
    ),
    "doctor": Entry(
        help="What works on this machine, and what to do about the rest.", target="andon:doctor", extra=""
    ),
}

BENCHMARKS = {
    "codec": "wire.bench:codec",
    "outbox": "edge_agent.bench:outbox",
    "store": "cloud_hub.store.bench:store",
    "kernels": "kernels.bench:kernels",
    "inference": "edge_agent.bench_inference:inference",
    "gpu": "edge_agent.bench_gpu:gpu",
    "ingest": "cloud_hub.ingest.bench:ingest",
    "rollout": "cloud_hub.rollout.bench:rollout",
    "models": "cloud_hub.training.bench_models:models",
    "serving": "cloud_hub.serving.bench:serving",
    "console": "cloud_hub.console.bench:console",
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and help, and loads the one that is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(COMMANDS[name], name) if name else command, rest


app = typer.Typer(
    cls=LazyGroup,
    invoke_without_command=True,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def andon(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Andon: telemetry in, signed models out, and back by themselves when they get worse."""
    if version:
        typer.echo(importlib.import_module("importlib.metadata").version("andon"))
        raise typer.Exit


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list instead of a table.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what takes more than a moment.")] = False,
) -> None:
    """What works on this machine, and what to do about the rest. Exit 1 if something required is missing."""
    host = importlib.import_module("firmware_configs.host")
    checks = host.checks(quick=quick)
    for side in ("edge_agent.doctor", "cloud_hub.doctor"):
        checks += importlib.import_module(side).checks(quick=quick)
    typer.echo(host.as_json(checks) if as_json else host.as_text(checks))
    raise typer.Exit(0 if host.healthy(checks) else 1)


def bench(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(BENCHMARKS)}; without it, all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON list instead of a table.")] = False,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smaller scale; some bars are not judged.")
    ] = False,
) -> None:
    """How fast it is here, each figure beside its limit in the same run. Exit 1 if a bar does not hold."""
    if name and name not in BENCHMARKS:
        raise typer.BadParameter(f"expected one of {', '.join(BENCHMARKS)}, got {name}")
    figures = importlib.import_module("firmware_configs.figures")
    found = []
    for each in [name] if name else BENCHMARKS:
        found += figures.measure(each, _named(BENCHMARKS[each]), quick=quick)
    typer.echo(figures.as_json(found) if as_json else figures.as_text(found))
    raise typer.Exit(0 if figures.hold(found) else 1)


def main() -> None:
    """Run the command; a failure that a person can act on is one sentence on stderr and exit status 1."""
    try:
        get_command(app)(prog_name="andon")
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None or os.environ.get(TRACEBACK_VARIABLE):
            raise
        sys.exit(f"error: {sentence}")


def _name_only() -> None:
    """Stands for a command in help; the group loads the real one before anything is called."""


for _name, _entry in COMMANDS.items():
    app.command(_name, help=_entry.help)(_name_only)


def _load(entry: Entry, name: str) -> Any:
    found: typer.Typer | Callable[..., Any] = _named(entry.target)
    command: Any
    if isinstance(found, typer.Typer):
        command = get_group(found)  # a group even while it has a single command
    else:
        single = typer.Typer()
        single.command()(found)
        command = get_command(single)
    command.name = name
    return command


def _named(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _sentence(error: Exception) -> str | None:
    """What to tell a person, or None if this is a defect that only its traceback explains."""
    if isinstance(error, ModuleNotFoundError):
        return _missing(error)
    bases = {f"{base.__module__}.{base.__qualname__}" for base in type(error).__mro__}
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "no space left on the disk: free some, or set state_dir to a place on another"
    for base, sentence in DATABASE_FAILURES.items():
        if base in bases:
            return f"{sentence} ({' '.join(str(error).split())})"
    return str(error) if bases & FOR_PEOPLE else None


def _missing(error: ModuleNotFoundError) -> str | None:
    if error.name is None or error.name.partition(".")[0] in OURS:
        return None
    called = next((word for word in sys.argv[1:] if word in COMMANDS), "")
    extra = COMMANDS[called].extra if called else "edge,hub,train"
    return f"`andon {called}` needs {error.name}, which is not installed: pip install 'andon[{extra}]'"


if __name__ == "__main__":
    main()
