"""A declaration that can be read and could never work is refused at the door, with what was found."""

from importlib import resources

import pytest

from models import use_case
from models.errors import UseCaseError
from models.use_case import UseCase

TEXTS = {
    name: (resources.files("models") / "use_cases" / f"{name}.toml").read_text()
    for name in ("turbofan-rul", "motor-health", "pump-anomaly", "bearing-fault")
}


def refused(name: str, old: str, new: str) -> str:
    """What is said of the use case ``name`` with ``new`` in the first place of ``old``."""
    assert old in TEXTS[name]
    with pytest.raises(UseCaseError) as caught:
        UseCase.parse(TEXTS[name].replace(old, new, 1), name=name)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "edges = [0.0, 25.0,",
            "edges = [25.0, 0.0,",
            "interval.edges: expected rising numbers from 0 or below",
        ),
        ("edges = [0.0, 25.0,", "edges = [0.0, 0.0,", "got [0.0, 0.0, 50.0, 75.0, 100.0]"),
        ("edges = [0.0, 25.0, 50.0, 75.0, 100.0]", "edges = []", "interval.edges: expected rising numbers"),
        ("edges = [0.0,", "edges = [5.0,", "interval.edges: expected rising numbers from 0 or below"),
        ("75.0, 100.0]", "75.0, 125.0]", "interval.edges: expected all below life.cap (125), got 125"),
        ("coverage = 0.9", "coverage = 0", "interval.coverage: expected more than 0 and less than 1, got 0"),
        ("coverage = 0.9", "coverage = 1", "interval.coverage: expected more than 0 and less than 1, got 1"),
        ("share = 0.15", "share = 1.0", "holdout.share: Input should be less than 1, got 1.0"),
        (
            "hidden = [128, 64]",
            "hidden = [100000]",
            "network.hidden.0: Input should be less than or equal to 4096",
        ),
        ("hidden = [128, 64]", f"hidden = {[8] * 9}", "network.hidden: Tuple should have at most 8 items"),
        (
            "threshold = 30.0",
            "threshold = 0.0",
            "alarms.0: expected threshold and clear of remaining_life above 0",
        ),
        ("clear = 45.0", "clear = 125.0", "remaining_life above 0 and below life.cap (125), got 125"),
        (
            'direction = "below"\nthreshold = 30.0\nclear = 45.0',
            'direction = "above"\nthreshold = 30.0\nclear = 15.0',
            "expected the direction 'below' for remaining_life, got 'above'",
        ),
        ("[costs]", "[gate]\nchampion_ratio = 9\n[costs]", "gate.champion_ratio: expected at most 2, got 9"),
        ("[costs]", "[gate]\nbaseline_ratio = 3\n[costs]", "gate.baseline_ratio: expected at most 2, got 3"),
        ("[costs]", "[gate]\nslice_ratio = 2.5\n[costs]", "gate.slice_ratio: expected at most 2, got 2.5"),
        ("[costs]", "[gate]\nconfidence = 0.3\n[costs]", "gate.confidence: expected at least 0.5, got 0.3"),
        (
            "[costs]",
            "[retrain]\nevery_days = 7\ncooldown_days = 0\n[costs]",
            "retrain.cooldown_days: expected at least 0.042 (an hour) with every_days or drift, got 0",
        ),
        (
            "[costs]",
            "[retrain]\ncooldown_days = 0.001\n[retrain.drift]\n[costs]",
            "retrain.cooldown_days: expected at least 0.042",
        ),
        (
            "[costs]",
            '[approval]\npeople = 2\n[retrain]\nadmitted = "canary"\n[costs]',
            "retrain.admitted: expected 'wait' where approval asks for people (approval.people 2",
        ),
        (
            "[costs]",
            '[approval]\nauthor_may = false\n[retrain]\nadmitted = "canary"\n[costs]',
            "author_may false), got 'canary'",
        ),
        (
            "[costs]",
            '[faults]\nclasses = ["ball", ""]\n[costs]',
            "faults: expected names with letters from a to z or digits, got ''",
        ),
        (
            "[costs]",
            '[faults]\nclasses = ["подшипник"]\n[costs]',
            "got 'подшипник': outputs are named after them, so write it in Latin letters",
        ),
        (
            "[costs]",
            '[faults]\nclasses = ["Sound"]\n[costs]',
            "faults: expected names of faults, got 'Sound'",
        ),
    ],
)
def test_what_could_never_work_is_refused(old: str, new: str, sentence: str) -> None:
    assert sentence in refused("turbofan-rul", old, new)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("planned = 2500.0", "planned = 18000.0", "costs: expected planned below failure (18000)"),
        (
            "failure = 18000.0\nplanned = 2500.0\nfalse_alarm = 400.0",
            "failure = 0\nplanned = 0\nfalse_alarm = 0",
            "costs: expected planned below failure (0) where alarms are chosen by cost, got 0",
        ),
        ("thresholds = [0.3, 0.4]", "thresholds = [0.3, 1.0]", "fault_outer_race above 0 and below 1, got 1"),
        ("margins = [0.2]", "margins = [0.2, 0.3]", "fault_outer_race above 0 and below 1, got 0"),
        (
            'waves = ["1", "25%", "100%"]',
            'waves = ["1", "250%"]',
            "expected waves that grow, of more than 0 %",
        ),
        ('waves = ["1", "25%", "100%"]', 'waves = ["50%", "25%", "100%"]', "expected waves that grow"),
        ('waves = ["1", "25%", "100%"]', 'waves = ["0%", "100%"]', "expected waves that grow"),
        ('waves = ["1", "25%", "100%"]', 'waves = ["1", "25%"]', "expected a last wave of 100 %, got 25%"),
        ('waves = ["1", "25%", "100%"]', 'waves = ["1.5", "100%"]', "retrain.canary.waves.0"),
        ("soak_hours = 24", "approve_before = [4]", "expected approve_before out of the 3 waves, got [4]"),
    ],
)
def test_alarms_by_cost_and_canaries_have_to_make_sense(old: str, new: str, sentence: str) -> None:
    assert sentence in refused("motor-health", old, new)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        (
            "pump-anomaly",
            'direction = "above"',
            'direction = "below"',
            "alarms.0: expected the direction 'above' for anomaly, got 'below'",
        ),
        (
            "pump-anomaly",
            "threshold = 1.0 # the edge of healthy\nclear = 1.0",
            "threshold = 1.0\nclear = 0.0",
            "expected threshold and clear of anomaly above 0, got 0",
        ),
        (
            "pump-anomaly",
            "[costs]",
            "[[budget.search.tries]]\nbudget.epochs = 3\n[costs]",
            "budget.search: expected none for the task anomaly",
        ),
        ("bearing-fault", "threshold = 0.6", "threshold = 1.0", "fault_ball above 0 and below 1, got 1"),
        ("bearing-fault", "threshold = 0.6", "threshold = 60.0", "fault_ball above 0 and below 1, got 60"),
        (
            "bearing-fault",
            'direction = "above"\nthreshold = 0.6\nclear = 0.4',
            'direction = "below"\nthreshold = 0.4\nclear = 0.6',
            "expected the direction 'above' for fault_ball, got 'below'",
        ),
    ],
)
def test_an_alarm_that_never_opens_or_never_closes_is_refused(
    name: str, old: str, new: str, sentence: str
) -> None:
    assert sentence in refused(name, old, new)


def test_all_that_is_wrong_is_said_at_once_and_nothing_else() -> None:
    said = refused("turbofan-rul", "coverage = 0.9\nedges = [0.0,", "coverage = 1.0\nedges = [5.0,")
    assert "interval.coverage" in said
    assert "interval.edges" in said
    assert len(said) < 300


def test_an_anomaly_may_be_alarmed_far_beyond_its_edge() -> None:
    text = TEXTS["pump-anomaly"].replace("threshold = 1.0", "threshold = 8.0")
    assert UseCase.parse(text, name="x").alarms[0].threshold == 8.0
    assert set(TEXTS) == set(use_case.names())
