"""A use case is read whole or refused by name."""

from importlib import resources
from pathlib import Path

import pytest

from kernels import sets
from models import use_case
from models.errors import UseCaseError
from models.use_case import UseCase


def text_of(name: str) -> str:
    return (resources.files("models") / "use_cases" / f"{name}.toml").read_text()


@pytest.mark.parametrize("name", use_case.names())
def test_every_use_case_that_ships_can_be_read(name: str) -> None:
    found = use_case.find(name)
    assert found.name == name
    assert found.feature_set in sets.VERSIONS
    assert list(found.interval.edges) == sorted(found.interval.edges)
    assert max(found.interval.edges) < found.life.cap
    for alarm in found.alarms:
        if alarm.clear is None or alarm.threshold is None:
            continue  # chosen by cost, from margins that are at least 0
        margin = alarm.clear - alarm.threshold
        assert margin >= 0 if alarm.direction == "below" else margin <= 0


def test_turbofan_and_motor_are_there() -> None:
    assert {"turbofan-rul", "motor-health"} <= {found.name for found in use_case.find_all()}


def test_unknown_use_case_is_told_which_there_are() -> None:
    with pytest.raises(UseCaseError, match=r"expected a use case out of .*turbofan-rul.*, got 'toaster'"):
        use_case.find("toaster")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("cap = 125.0", "cap = 125.0\ncapp = 3", "unknown setting life.capp"),
        ("cap = 125.0", "", "missing setting life.cap"),
        ("cap = 125.0", "cap = -1.0", "life.cap: Input should be greater than 0, got -1.0"),
        ("cap = 125.0", "cap = nan", "life.cap: .* got nan"),
        (
            '["fp16", "int8"]',
            '["fp16", "fp8"]',
            "compile.precisions.1: Input should be 'fp16' or 'int8', got 'fp8'",
        ),
        ('["fp16", "int8"]', '["fp16", "fp16"]', "compile: expected each precision once"),
        ("share = 0.15", "share = 1.5", "holdout.share: Input should be less than 1, got 1.5"),
        ('title = "', 'budgets = 1\ntitle = "', "unknown setting budgets"),
        ('"remaining-life"', '"fortune"', "task: Input should be 'remaining-life', .* got 'fortune'"),
        ('measured_in = "readings"', 'measured_in = "time"', "expected a unit out of s, min, h, d"),
        ('name = "T24"', 'name = "T2"', "signals: expected each once, got T2 more than once"),
        (
            "[life]",
            '[faults]\nclasses = ["outer race", "outer-race"]\n[life]',
            "faults.classes: expected each once, got fault_outer_race more than once",
        ),
    ],
)
def test_misspelt_or_impossible_setting_is_named(old: str, new: str, sentence: str) -> None:
    text = text_of("turbofan-rul")
    assert old in text
    with pytest.raises(UseCaseError, match=sentence):
        UseCase.parse(text.replace(old, new), name="turbofan-rul")


def test_file_that_is_no_toml_is_refused() -> None:
    with pytest.raises(UseCaseError, match="not TOML"):
        UseCase.parse("title = ", name="x")


def test_hour_of_life_is_an_hour() -> None:
    assert use_case.find("motor-health").life.us_per_unit == 3_600_000_000


def test_a_hub_may_have_use_cases_of_its_own(tmp_path: Path) -> None:
    own = text_of("turbofan-rul").replace("cap = 125.0", "cap = 130.0")
    (tmp_path / "turbofan-rul.toml").write_text(own)
    (tmp_path / "engine-life.toml").write_text(own)
    (tmp_path / "notes.txt").write_text("not a use case")
    assert use_case.find("turbofan-rul", tmp_path).life.cap == 130.0
    assert use_case.find("turbofan-rul").life.cap == 125.0
    assert set(use_case.names(tmp_path)) - set(use_case.names()) == {"engine-life"}
    assert use_case.names(tmp_path / "absent") == use_case.names()
