"""Training ends in a candidate that was judged on machines it never saw, the same every time."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest

from cloud_hub.errors import DatasetError
from cloud_hub.training import code
from cloud_hub.training.score import score
from cloud_hub.training.train import Candidate, Champion, adopt, train
from models import graphs, use_case
from models.conditions import derive
from models.errors import GraphError
from models.examples import UNKNOWN, Examples
from models.interface import REMAINING_LIFE
from models.use_case import UseCase
from tests import engines
from tests.stored_machines import features_of, wearing


@pytest.fixture(scope="module")
def quick() -> UseCase:
    """turbofan-rul with a smaller budget, for machines that wear out more plainly."""
    found = use_case.find("turbofan-rul")
    budget = found.budget.model_copy(
        update={"epochs": 15, "batch": 128, "members": 3, "folds": None, "learning_rate": 5e-3}
    )
    network = found.network.model_copy(update={"hidden": (32, 16), "exclude": ()})
    anomaly = found.anomaly.model_copy(update={"exclude": ()})
    parts = {"feature_set": "trend/1", "budget": budget, "network": network, "anomaly": anomaly}
    return found.model_copy(update=parts)


def machines(count: int = 14, censored: int = 2) -> Examples:
    """Machines that wear out, the last ``censored`` of which still run."""
    lives = [features_of(wearing(number, 60 + 5 * number)) for number in range(count)]
    names = tuple(f"a{number}" for number in range(17))
    lengths = [len(life) for life in lives]
    index = np.repeat(np.arange(count), lengths).astype(np.int32)
    left = np.concatenate([np.arange(length)[::-1] for length in lengths]).astype(np.float32)
    left[index >= count - censored] = np.nan
    return Examples(
        machines=tuple(f"engine-{number:02}" for number in range(count)),
        sites=("plant-1",) * count,
        faults=(),
        names=names,
        units=("1",) * len(names),
        machine=index,
        times=np.arange(len(left), dtype=np.int64),
        life=np.ones(len(left), np.int32),
        age=np.concatenate([np.arange(length) for length in lengths]).astype(np.float32),
        remaining=left,
        health=np.full(len(left), UNKNOWN, np.int8),
        fault=np.full(len(left), -1, np.int16),
        features=np.concatenate(lives),
    )


@pytest.fixture(scope="module")
def candidate(quick: UseCase) -> Candidate:
    return train(machines(), quick)


def test_candidate_beats_the_trivial_guesses_on_machines_it_never_saw(candidate: Candidate) -> None:
    assert candidate.verdict.passed, candidate.verdict.reason
    assert not {*candidate.metrics["held_out"]} & {*candidate.metrics["learning"]}
    assert {*candidate.metrics["by_machine"]} == {*candidate.metrics["held_out"]}


def test_same_dataset_gives_the_same_bytes(quick: UseCase, candidate: Candidate) -> None:
    again = train(machines(), quick)
    assert again.onnx == candidate.onnx
    assert again.interval == candidate.interval


def test_another_seed_gives_another_network(quick: UseCase, candidate: Candidate) -> None:
    other = quick.model_copy(update={"budget": quick.budget.model_copy(update={"seed": 2})})
    assert train(machines(), other).onnx != candidate.onnx


def test_what_held_out_machines_look_like_changes_nothing_in_the_network(
    quick: UseCase, candidate: Candidate
) -> None:
    spoilt = machines()
    held_out = spoilt.of_machines(frozenset(candidate.metrics["held_out"]))
    spoilt.features[held_out] = np.random.default_rng(3).normal(0, 50, spoilt.features[held_out].shape)
    again = train(spoilt, quick)
    assert again.onnx == candidate.onnx
    assert not again.verdict.passed


def test_machine_still_running_teaches_no_remaining_life(quick: UseCase) -> None:
    running = machines()
    assert np.isnan(running.remaining).any()
    assert train(running, quick).metrics["learnt_rows"] < len(running)


def learnt(candidate: Candidate) -> frozenset[str]:
    return frozenset(candidate.metrics["learning"])


def failed(candidate: Candidate) -> list[str]:
    return [check.name for check in candidate.verdict.checks if not check.passed]


def test_champion_that_learnt_from_the_judges_cannot_be_compared(
    quick: UseCase, candidate: Candidate
) -> None:
    """No worse than itself, but nobody can be said to have beaten one that knew the answers."""
    fair = Champion(release="turbofan-rul/1", onnx=candidate.onnx, learning=learnt(candidate))
    found = adopt(machines(), quick, candidate.onnx, champion=fair, learnt_from=learnt(candidate))
    assert found.verdict.passed, found.verdict.reason
    assert len(found.verdict.evidence["paired"]) == 2
    biased = replace(fair, learning=frozenset(machines().machines))
    found = adopt(machines(), quick, candidate.onnx, champion=biased, learnt_from=learnt(candidate))
    assert failed(found) == ["machines that turbofan-rul/1 has not learnt from"]


def test_network_made_elsewhere_is_judged_like_any_other(quick: UseCase, candidate: Candidate) -> None:
    found = adopt(machines(), quick, candidate.onnx, learnt_from=learnt(candidate))
    assert found.verdict.evidence["rmse"] == pytest.approx(candidate.verdict.evidence["rmse"])
    assert found.metrics["made_elsewhere"]
    assert {*found.metrics["learning"]} == learnt(candidate)
    assert found.verdict.checks[1].found == "chosen on machines it may have learnt from"


def test_network_that_may_have_learnt_from_its_judges_is_refused(
    quick: UseCase, candidate: Candidate
) -> None:
    found = adopt(machines(), quick, candidate.onnx)
    assert failed(found) == ["machines it has not learnt from"]
    assert "got none known, it may have learnt from every one" in found.verdict.reason
    assert found.metrics["learning"] == [*machines().machines]
    everything = adopt(machines(), quick, candidate.onnx, learnt_from=frozenset(machines().machines))
    assert failed(everything) == ["machines it has not learnt from"]


def test_interval_of_a_network_made_elsewhere_comes_from_machines_it_has_not_learnt_from(
    quick: UseCase, candidate: Candidate
) -> None:
    some = frozenset(sorted(learnt(candidate))[:6])
    found = adopt(machines(), quick, candidate.onnx, learnt_from=some)
    assert found.verdict.checks[1].found == "chosen on machines it has not learnt from"
    crossed = found.verdict.evidence["alarms"]["crossed"]
    assert crossed["machines"] == len(learnt(candidate)) - 6
    of_all = adopt(machines(), quick, candidate.onnx, learnt_from=learnt(candidate))
    assert found.interval != of_all.interval


def test_network_that_answers_nothing_is_refused_for_that(quick: UseCase, candidate: Candidate) -> None:
    made = onnx.load_from_string(candidate.onnx)
    spoilt = next(node for node in made.graph.node if REMAINING_LIFE in node.output)
    spoilt.output[:] = ["spoilt" if name == REMAINING_LIFE else name for name in spoilt.output]
    made.graph.initializer.append(onnx.helper.make_tensor("nothing", onnx.TensorProto.FLOAT, [], [np.nan]))
    made.graph.node.append(onnx.helper.make_node("Add", ["spoilt", "nothing"], [REMAINING_LIFE]))
    found = adopt(machines(), quick, made.SerializeToString(), learnt_from=learnt(candidate))
    assert found.interval is None
    assert "sound answers: expected every one, got 0.0%" in found.verdict.reason


def test_network_of_another_width_is_refused(quick: UseCase, candidate: Candidate) -> None:
    other = machines()
    narrow = replace(
        other,
        names=other.names[:9],
        units=other.units[:9],
        features=np.ascontiguousarray(other.features[:, :9]),
    )
    with pytest.raises(GraphError, match=r"features \[n, 9\]"):
        adopt(narrow, quick, candidate.onnx)


def test_progress_is_told_and_can_cancel(quick: UseCase) -> None:
    class CancelledError(Exception):
        pass

    told: list[str] = []

    def progress(stage: str, share: float) -> None:
        told.append(stage)
        if stage == "export":
            raise CancelledError

    with pytest.raises(CancelledError):
        train(machines(), quick, progress=progress)
    assert told[0] == "training: life, member 1 of 3, epoch 1"
    assert told[-1] == "export"


def test_fleet_too_small_to_judge_on_is_refused(quick: UseCase) -> None:
    with pytest.raises(DatasetError, match="machines that failed"):
        train(machines(5, 2), quick)


def test_version_of_the_code_is_the_same_until_the_code_changes() -> None:
    assert code.version() == code.version()
    assert "+" in code.version()


def test_turbofan_engines_are_foreseen_as_well_as_the_papers_do(recorded_data: Path) -> None:
    """FD001: learn on the 100 training engines; the test engines are opened for the score alone."""
    folder = recorded_data / "cmapss"
    turbofan = use_case.find("turbofan-rul")
    quick = turbofan.model_copy(
        update={"budget": turbofan.budget.model_copy(update={"members": 3, "folds": None, "epochs": 20})}
    )
    candidate = train(engines.examples_of(engines.features_of(folder, "train_FD001.txt")), quick)
    assert candidate.conditions is not None
    tested = engines.examples_of(engines.features_of(folder, "test_FD001.txt"))
    last = np.flatnonzero(np.append(np.diff(tested.machine), 1))
    truth = engines.lines_of(folder, "RUL_FD001.txt")
    predicted = graphs.Runner(candidate.onnx).run(derive(tested, candidate.conditions).features[last])[:, 0]
    assert candidate.verdict.passed, candidate.verdict.reason
    assert score(predicted, truth, cap=125.0).rmse <= 13.0
    assert score(predicted, truth, cap=None).rmse <= 14.5
