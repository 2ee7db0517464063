"""A plan read from texts: each field's fault is named at the field, and what is written out reads the same."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.rollout.drafts import DEFAULTS, LISTS, Draft
from cloud_hub.rollout.plan import Late, Plan, Silent, Wave, parse_windows

RELEASE = {"release": ["motor-health/3"]}
names = st.text("abcdefgh-0123456789", min_size=1, max_size=12)
lists = st.fixed_dictionaries({}, optional={name: st.lists(names, max_size=4) for name in LISTS})
anything = st.dictionaries(
    st.sampled_from((*DEFAULTS, *LISTS)), st.lists(st.text(max_size=30), min_size=1, max_size=3)
)


def test_what_is_not_written_means_what_the_command_line_means() -> None:
    read = Draft.of(RELEASE).read()
    assert read.plan == Plan(
        release="motor-health/3",
        use_case="motor-health",
        waves=tuple(map(Wave.parse, ("1", "50%", "100%"))),
    )
    assert not read.supersede


def test_every_field_reaches_the_plan() -> None:
    fields = RELEASE | {
        "waves": ["2; 10 %,100%"],
        "soak": ["1.5"],
        "tolerate": ["5 %"],
        "succeed": ["0.9"],
        "timeout": ["48"],
        "at_once": ["20"],
        "windows": ["sat,sun 02:00-06:00\r\nmon-fri 22:00-04:00; daily 12:00-12:30"],
        "approve": ["2, 3"],
        "four_eyes": ["yes"],
        "silent": ["skip"],
        "late": ["leave"],
        "supersede": ["yes"],
        "site": ["lyon", "tours", "lyon"],
        "tag": ["canary line"],
        "profile": ["generic"],
        "target": ["linux-x86_64"],
        "device": ["cell-1, cell-2\n cell-1"],
    }
    read = Draft.of(fields).read()
    assert read.faults == {}
    assert read.supersede
    plan = read.plan
    assert plan is not None
    assert list(map(str, plan.waves)) == ["2", "10%", "100%"]
    assert (plan.soak_hours, plan.tolerated, plan.succeed, plan.timeout_hours, plan.at_once) == (
        *(1.5, 0.05, 0.9, 48.0, 20),
    )
    assert plan.windows == parse_windows(["sat,sun 02:00-06:00", "mon-fri 22:00-04:00", "daily 12:00-12:30"])
    assert (plan.approve_before, plan.four_eyes) == ((2, 3), True)
    assert (plan.silent, plan.late) == (Silent.SKIP, Late.LEAVE)
    chosen = plan.selector
    assert (chosen.sites, chosen.tags, chosen.profiles, chosen.targets, chosen.devices) == (
        *(("lyon", "tours"), ("canary line",), ("generic",), ("linux-x86_64",), ("cell-1", "cell-2")),
    )


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("release", "", "Choose a release."),
        ("release", "motor-health", "such as motor-health/3, got 'motor-health'"),
        ("waves", "", "at least one wave"),
        ("waves", "some", "got 'some'"),
        ("waves", "50%, 10%", "expected more than 50%, got 10%"),
        ("waves", "9" * 400, "at most 1000000000 devices"),
        ("waves", ",".join(map(str, range(1, 60))), "at most 50 waves, got 59"),
        ("soak", "-1", "hours as a number"),
        ("soak", "nan", "hours as a number"),
        ("soak", "999999999", "from 0 to 87840 hours"),
        ("timeout", "0", "above 0"),
        ("timeout", "", "hours as a number"),
        ("tolerate", "100%", "below 1"),
        ("tolerate", "inf", "a share such as 5%"),
        ("succeed", "0", "above 0"),
        ("at_once", "0", "at least 1 device at once"),
        ("at_once", "1.5", "a whole number"),
        ("windows", "when quiet", "got 'when quiet'"),
        ("approve", "4", "a wave from 1 to 3"),
        ("approve", "soon", "the number of a wave"),
        ("four_eyes", "yes", "four eyes, but approval before no wave"),
        ("silent", "shout", "fail or skip, got 'shout'"),
        ("late", "maybe", "join or leave"),
        ("supersede", "all", "expected yes, got 'all'"),
        ("waves", "1" * 501, "at most 500 characters, got 501"),
        ("site", "x" * 101, "at most 100 characters, got one of 101"),
        ("device", " ".join(map(str, range(201))), "at most 200 names, got 201"),
    ],
)
def test_a_fault_is_named_at_its_field_and_no_other(field: str, text: str, said: str) -> None:
    read = Draft.of(RELEASE | {field: [text]}).read()
    assert read.plan is None
    assert set(read.faults) == {field}
    assert said.lower() in read.faults[field].lower()


def test_one_look_names_every_fault() -> None:
    read = Draft.of({"waves": ["x"], "soak": ["y"], "silent": ["z"], "approve": ["9"]}).read()
    assert set(read.faults) == {"release", "waves", "soak", "silent"}


def test_whoever_works_at_some_sites_means_these_where_none_is_named() -> None:
    draft = Draft.of(RELEASE)
    assert draft.within(["lyon"]).lists["site"] == ("lyon",)
    assert draft.within(None) == draft
    named = replace(draft, lists={**draft.lists, "site": ("tours",)})
    assert named.within(["lyon"]) == named


@given(anything)
def test_no_text_breaks_the_reading_and_a_plan_has_no_fault(fields: dict[str, list[str]]) -> None:
    read = Draft.of(fields).read()
    assert (read.plan is None) == bool(read.faults)
    assert set(read.faults) <= {*DEFAULTS, *LISTS}


@given(anything)
def test_a_draft_written_out_and_read_again_is_the_same(fields: dict[str, list[str]]) -> None:
    draft = Draft.of(fields)
    assert Draft.of(draft.fields()) == draft


@given(lists, st.sampled_from([("1", "100%"), ("12.3456789%", "100%"), ("1234567",)]), st.floats(0, 0.9))
def test_a_plan_that_was_read_survives_its_row(
    chosen: dict[str, list[str]], waves: tuple[str, ...], tolerated: float
) -> None:
    fields = RELEASE | {"waves": [" ".join(waves)], "tolerate": [f"{tolerated:.6f}"]} | chosen
    plan = Draft.of(fields).read().plan
    assert plan is not None
    assert Plan.parse(plan.fields()) == plan
