"""A chain of executions: whatever happens to one, the row that shows it is answered, rightly, by another."""

import numpy as np
import pytest
from edge_runners import BOUNDS, LOST, Rig, answers, reason_of, standings

from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners.errors import DriverError, NoEngineError, UnavailableError
from edge_agent.runners.standing import Bounds
from edge_agent.updates.errors import GoldenError
from wire.precision import Precision

ROW = np.array([[5, 0, 0]], np.float32)
NAN = float("nan")


def ask(chain, rows=1) -> None:
    """Every row is answered, and rightly."""
    for _ in range(rows):
        np.testing.assert_allclose(chain.run(ROW), answers(ROW), atol=0.6)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"error": LOST}, "the GPU fell off the bus"),
        ({"error": KeyError("a bug in a binding")}, "KeyError: 'a bug in a binding'"),
        ({"off_by": NAN}, "no number where second fp32 answers one"),
        ({"takes_s": 0.2}, "expected answers within 50 ms (p99), got 200 ms"),
        ({"takes_s": 0.02}, "expected answers within 10 times the 0.1 ms of second fp32 (median), got 20 ms"),
    ],
    ids=["fails", "raises what nobody expects", "answers no number", "is late", "is slow beside the next"],
)
def test_what_goes_wrong_is_left_with_its_reason_and_no_row_is_lost(wrong, reason):
    rig = Rig()
    chain = rig.chain()
    ask(chain)
    assert (chain.name, rig.told) == ("best", [])
    for name, value in wrong.items():
        setattr(rig.twins["best"], name, value)
    ask(chain, BOUNDS.window + 1)
    assert standings(chain) == {"best": "left", "second": "stands", "last": "stands"}
    assert reason_of(chain, "best") == reason
    assert chain.name == "second"
    (change,) = rig.told
    assert (change.use_case, change.release, change.event) == ("engine-life", "engine-life/3", "fell-back")
    assert change.reason == f"second fp32 answers instead of best fp32: {reason}"
    assert change.evidence == {"runner": "second", "precision": "fp32"}


def test_what_answers_the_golden_inputs_otherwise_never_answers_a_row():
    rig = Rig()
    rig.twin("best", off_by=0.1)
    chain = rig.chain()
    golden_alone = rig.twins["best"].asked
    ask(chain, 3)
    assert rig.twins["best"].asked == golden_alone == 1, "together; not even one by one any more"
    assert rig.twins["best"].closed == 1
    assert reason_of(chain, "best").startswith("golden input 0: expected anomaly 0.25 within 0.00013 in fp32")
    assert [change.event for change in rig.told] == ["fell-back"], "told when it was loaded"


def test_what_answers_the_golden_inputs_together_has_to_answer_them_one_by_one_too():
    """A library may run another kernel for one row, and one row is what machines ask."""
    rig = Rig()
    rig.twin("best", off_by_alone=7.0)
    chain = rig.chain()
    ask(chain)
    assert (chain.name, standings(chain)["best"]) == ("second", "left")
    assert reason_of(chain, "best").startswith("golden input 0: expected anomaly")


def test_each_precision_is_held_to_its_own_tolerance():
    rig = Rig()
    """Of a range of 10, 0.05 are allowed in FP16."""
    for off_by, answers_in in ((0.04, Precision.FP16), (0.06, Precision.FP32)):
        rig = Rig()
        rig.twin("best", off_by=off_by, precision=Precision.FP16)
        assert rig.chain(rig.way("best"), rig.way("last")).precision is answers_in


def test_what_is_not_installed_is_not_tried_twice():
    for missing in (UnavailableError("tensorrt cannot be imported"), DriverError("no driver")):
        rig = Rig(refusals={"best": missing})
        chain = rig.chain()
        rig.clock.now += 1e6
        chain.tend()
        assert rig.made["best"] == 1
        assert standings(chain)["best"] == "absent"


def test_what_was_left_comes_back_after_its_wait_with_its_golden_inputs_first():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].error = LOST
    ask(chain)
    chain.tend()
    assert (rig.made["best"], rig.twins["best"].closed) == (1, 1), "closed where no row waits, not made again"
    rig.twin("best", off_by=7.0)
    rig.clock.now += 31
    chain.tend()
    assert "golden input 0" in reason_of(chain, "best"), "it came back wrong"
    rig.twin("best")
    rig.clock.now += 31
    chain.tend()
    assert standings(chain)["best"] == "left", "the second wait is twice as long"
    rig.clock.now += 31
    chain.tend()
    ask(chain)
    assert chain.name == "best"
    assert [change.event for change in rig.told] == ["fell-back", "came-up"]
    assert rig.told[1].reason == "best fp32 has answered its golden inputs here, and answers from now on"


def test_waits_grow_and_are_bounded():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].error = LOST
    ask(chain)
    tried = []
    for second in range(600):
        rig.clock.now += 1
        before = rig.made["best"]
        chain.tend()
        tried += [second] * (rig.made["best"] - before)
    gaps = np.diff([0, *tried])
    assert gaps[:4] == pytest.approx([30, 60, 120, 120], abs=2)


def test_what_is_still_slow_does_not_come_back():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].takes_s = 0.2
    ask(chain, BOUNDS.window)
    rig.clock.now += 40
    chain.tend()
    assert standings(chain)["best"] == "left"
    assert "got 200 ms" in reason_of(chain, "best")


def test_where_rows_are_rare_what_is_slow_is_left_after_minutes_and_one_slow_row_is_not_heeded():
    rig = Rig()
    chain = rig.chain(bounds=Bounds(max_ms=50.0))

    def ask_for_minutes(minutes):
        for _ in range(minutes):
            ask(chain)
            rig.clock.now += 60

    rig.twins["best"].takes_s = 0.2
    ask(chain)
    rig.twins["best"].takes_s = 0.0001
    ask_for_minutes(30)
    assert chain.name == "best"
    rig.twins["best"].takes_s = 0.2
    ask_for_minutes(20)
    assert chain.name == "second"
    assert reason_of(chain, "best") == "expected answers within 50 ms (p99), got 200 ms"


def test_a_row_is_answered_also_where_the_next_way_cannot_be_asked_how_long_it_takes():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].takes_s = 0.2
    rig.twins["second"].error = KeyError("a bug in a binding")
    ask(chain, 2 * BOUNDS.window)
    assert chain.name == "best"


def test_what_cannot_be_closed_keeps_nothing_else_open():
    rig = Rig()
    chain = rig.chain()

    def refuse():
        raise KeyError("a bug in a binding")

    rig.twins["best"].close = refuse
    for name in ("best", "second"):
        rig.twins[name].error = LOST
    ask(chain)
    chain.tend()
    chain.close()
    assert [rig.twins[name].closed for name in ("second", "last")] == [1, 1]


def test_on_a_busy_host_where_everything_is_slow_nothing_is_left():
    rig = Rig()
    chain = rig.chain()
    for twin in rig.twins.values():
        twin.takes_s = 0.2
    ask(chain, 3 * BOUNDS.window)
    assert set(standings(chain).values()) == {"stands"}


def test_a_slow_first_answer_speaks_against_nobody():
    rig = Rig()
    chain = rig.chain()
    ask(chain, BOUNDS.window - 1)
    assert set(standings(chain).values()) == {"stands"}


def test_a_row_to_which_nobody_knows_a_number_costs_nobody_its_place():
    rig = Rig()
    chain = rig.chain()
    for twin in rig.twins.values():
        twin.off_by = NAN
    assert np.isnan(chain.run(ROW)).all()
    assert set(standings(chain).values()) == {"stands"}
    assert chain.name == "best"


@pytest.mark.parametrize(("off_by", "expected"), [(0.0, 50.0), (NAN, NAN)], ids=["a number", "none either"])
def test_where_one_knows_no_number_and_the_next_ones_fail_the_last_resort_is_asked(off_by, expected):
    rig = Rig()
    chain = rig.chain(rig.way("best"), rig.way("last"), rig.way("remote", last_resort=True))
    rig.twins["best"].off_by, rig.twins["last"].error = NAN, LOST
    rig.twins["remote"].off_by = off_by
    np.testing.assert_allclose(chain.run(ROW)[0, 0], expected)
    assert rig.twins["remote"].asked == 1
    assert standings(chain)["best"] == ("stands" if off_by else "left")


def test_features_of_another_width_are_the_rows_fault():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].error = FeatureMismatchError("expected features of width 3, got (1, 2)")
    with pytest.raises(FeatureMismatchError):
        chain.run(ROW[:, :2])
    assert standings(chain)["best"] == "stands"


def test_the_last_one_stays_whatever_it_does():
    rig = Rig()
    chain = rig.chain()
    for twin in rig.twins.values():
        twin.error = LOST
    for _ in range(3):
        with pytest.raises(InferenceError, match="fell off the bus"):
            chain.run(ROW)
    assert standings(chain) == {"best": "left", "second": "left", "last": "stands"}
    rig.twins["last"].error = None
    ask(chain)


def test_a_network_that_nothing_can_run_is_refused_with_the_last_reason():
    rig = Rig(refusals={"best": UnavailableError("no GPU"), "second": UnavailableError("no GPU")})
    rig.twin("last", off_by=9.0)
    with pytest.raises(GoldenError, match="golden input 0"):
        rig.chain()


def test_the_last_resort_is_proved_when_it_is_needed_and_left_when_it_fails():
    rig = Rig()
    chain = rig.chain(rig.way("last"), rig.way("remote", last_resort=True))
    ask(chain)
    assert "remote" not in rig.made, "asked for nothing while something here answers"
    rig.twins["last"].error = LOST
    ask(chain, 2)
    assert (rig.made["remote"], rig.twins["remote"].asked) == (1, 2), "golden inputs with a row, then a row"
    assert [change.event for change in rig.told] == ["fell-back"]
    rig.twins["remote"].error = InferenceError("the hub does not answer")
    for _ in range(3):
        with pytest.raises(InferenceError, match="fell off the bus"):
            chain.run(ROW)
    assert rig.twins["remote"].asked == 3, "a hub that is away is not asked for every row"
    rig.twins["last"].error = None
    ask(chain)
    assert [change.event for change in rig.told] == ["fell-back", "came-up"]


def test_an_engine_is_compiled_in_the_background_for_want_of_a_better_way_alone():
    rig = Rig()
    compiled = []
    for name in ("best", "second"):
        rig.refusals[name] = NoEngineError("its engine is still to be compiled here")

    def compile_(name):
        compiled.append(name)
        del rig.refusals[name]

    ways = [rig.way(name, prepare=lambda _, name=name: compile_(name)) for name in ("best", "second")]
    chain = rig.chain(*ways, rig.way("last"))
    ask(chain)
    assert (chain.name, compiled, rig.told) == ("last", [], []), "that it is on its way is no news"
    rig.clock.now += 31
    chain.tend()
    rig.clock.now += 1000
    chain.tend()
    ask(chain)
    assert (chain.name, compiled) == ("best", ["best"])
    rig.twins["best"].error = LOST
    ask(chain)
    rig.clock.now += 10
    chain.tend()
    assert compiled == ["best", "second"], "now the next better way is worth its minutes"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InferenceError("its engine cannot be compiled here: out of memory"),) * 2,
        (OSError("no space left on device"), "OSError: no space left on device"),
    ],
    ids=["the builder", "the disk"],
)
def test_a_compilation_that_fails_is_tried_again_after_a_wait(error, reason):
    rig = Rig(refusals={"best": NoEngineError("its engine is still to be compiled here")})
    tries = []

    def prepare(_):
        tries.append(rig.clock.now)
        raise error

    chain = rig.chain(rig.way("best", prepare=prepare), rig.way("last"))
    for _ in range(240):
        rig.clock.now += 1
        chain.tend()
    assert np.diff(tries) == pytest.approx([30, 60, 120][: len(tries) - 1], abs=2)
    assert len(tries) == 4
    assert reason_of(chain, "best") == str(reason)


def test_a_library_that_stumbles_when_a_network_is_loaded_costs_no_release():
    rig = Rig(refusals={"best": KeyError("a bug in a binding")})
    chain = rig.chain()
    ask(chain)
    assert (chain.name, reason_of(chain, "best")) == ("second", "KeyError: 'a bug in a binding'")


def test_a_chain_that_nobody_holds_any_more_closes_what_it_made():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].error = InferenceError("the GPU fell off the bus")
    ask(chain)
    rig.twins["best"].error = None
    del chain
    assert [twin.closed for twin in rig.twins.values()] == [1, 1, 1]


def test_a_way_whose_engine_was_withdrawn_answers_no_further_row():
    rig = Rig()
    chain = rig.chain()
    ask(chain)
    asked = rig.twins["best"].asked
    chain.withdraw("engine-life/2", "best", Precision.FP32)
    chain.withdraw("engine-life/3", "best", Precision.INT8)
    ask(chain)
    assert (chain.name, rig.twins["best"].asked) == ("best", asked + 1), (
        "another release's, another precision's"
    )
    chain.withdraw("engine-life/3", "best", Precision.FP32)
    ask(chain)
    assert (chain.name, rig.twins["best"].asked) == ("second", asked + 1)
    assert reason_of(chain, "best") == "its engine was withdrawn by the hub"
    chain.tend()
    assert rig.twins["best"].closed == 1
    rig.clock.now += 31
    chain.tend()
    ask(chain)
    assert chain.name == "best", "by another engine"


def test_an_engine_that_is_withdrawn_while_it_is_loaded_answers_no_row():
    rig = Rig()
    chain = rig.chain()
    rig.twins["best"].error = LOST
    ask(chain)
    rig.twin("best")
    way = chain._links.all[0].way
    proved = rig.twins["best"].run

    def withdrawn_meanwhile(features):
        chain.withdraw("engine-life/3", way.name, way.precision)
        return proved(features)

    rig.twins["best"].run = withdrawn_meanwhile
    rig.clock.now += 31
    chain.tend()
    asked = rig.twins["best"].asked
    ask(chain)
    assert (chain.name, rig.twins["best"].asked) == ("second", asked)
    assert reason_of(chain, "best") == "its engine was withdrawn by the hub"
