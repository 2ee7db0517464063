"""Every test that needs a GPU, run in one process of its own, and what became of each."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 3600.0
NONE_COLLECTED = 5
MARK = "mark.gpu"


class Became(StrEnum):
    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """``told``: why a test failed or was not run, else the figures that it recorded."""

    test: str
    became: Became
    seconds: float
    told: str


def run(folder: Path = REPOSITORY / "tests") -> list[Outcome]:
    """All that are marked ``gpu`` below ``folder``; one row that failed where pytest itself did not work.

    Only modules that have such a test are looked into: others may need what a device does not have.
    """
    modules = [str(path) for path in sorted(folder.rglob("test_*.py")) if MARK in path.read_text()]
    if not modules:
        return []
    with tempfile.TemporaryDirectory(prefix="andon-gpu-") as scratch:
        report = Path(scratch) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-m", "gpu", "-q", *modules]
        try:
            done = subprocess.run(
                [*command, "-p", "no:cacheprovider", "-o", "junit_family=xunit1", f"--junit-xml={report}"],
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                timeout=PATIENCE_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return [_broken(f"no end within {PATIENCE_S:.0f} s")]
        if done.returncode not in (0, 1, NONE_COLLECTED) or not report.exists():
            said = (done.stdout + done.stderr).strip().splitlines()
            return [_broken(said[-1] if said else f"exit status {done.returncode}")]
        return read(report.read_text())


def read(report: str) -> list[Outcome]:
    """The outcomes in a report in JUnit's format, as pytest writes it."""
    return [_outcome(case) for case in ElementTree.fromstring(report).iter("testcase")]


def _outcome(case: ElementTree.Element) -> Outcome:
    became, told = Became.PASSED, _figures(case)
    for kind, other in (("skipped", Became.NOT_RUN), ("failure", Became.FAILED), ("error", Became.FAILED)):
        found = case.find(kind)
        if found is not None:
            became = other
            told = " ".join((found.get("message") or found.text or "").split())[:300]
    module = Path(case.get("file", "")).stem
    test = f"{module}: {case.get('name', '').removeprefix('test_').replace('_', ' ')}"
    return Outcome(test=test, became=became, seconds=float(case.get("time", 0)), told=told)


def _figures(case: ElementTree.Element) -> str:
    found = case.iter("property")
    return ", ".join(f"{item.get('name')} {item.get('value')}" for item in found)


def _broken(told: str) -> Outcome:
    return Outcome(test="pytest -m gpu", became=Became.FAILED, seconds=0.0, told=told)
