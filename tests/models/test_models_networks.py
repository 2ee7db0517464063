"""A network learns, is exported as plain ONNX, and answers there as it did here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from models import graphs, heads, use_case
from models.errors import FitError, GraphError
from models.examples import FAULTY, UNKNOWN, Examples
from models.export import check_parity, export
from models.fitting import Learnt, Lesson, Material, learn
from models.networks import Network
from models.normal import describe_healthy, normalise
from models.use_case import UseCase

WIDTH = 6
NAMES = ("a.mean", "a.std", "b.mean", "b.std", "constant", "age")
OUTPUTS = ("remaining_life", "anomaly")
FAULTS = ("fault_ball", "fault_never", "fault_outer_race")


@pytest.fixture(scope="module")
def quick() -> UseCase:
    found = use_case.find("turbofan-rul")
    parts = found.model_dump(exclude_unset=True) | {"faults": {"classes": ["ball", "never", "outer race"]}}
    parts["budget"] |= {"epochs": 25, "batch": 128, "learning_rate": 1e-2}
    parts["network"] |= {"hidden": (32, 16), "dropout": 0.0, "exclude": ()}
    parts["anomaly"] |= {"exclude": ("age",)}
    return UseCase.model_validate(parts)


def material(machines: int = 10, rows: int = 80) -> Examples:
    """Machines that wear out: the first features follow the remaining life, the third tells the fault."""
    rng = np.random.default_rng(5)
    left = np.tile(np.arange(rows)[::-1], machines).astype(np.float32) * 2
    machine = np.repeat(np.arange(machines), rows).astype(np.int32)
    features = rng.normal(size=(len(left), WIDTH)).astype(np.float32)
    features[:, 0] = np.exp(-left / 60) * 100 + rng.normal(0, 2, len(left))
    worn = left < 60
    features[:, 2] += np.where(worn, np.where(machine % 3, 4, -4), 0)
    features[:, 4] = 7.5
    features[:, 5] = left.max() - left
    return Examples(
        machines=tuple(f"m-{number}" for number in range(machines)),
        sites=("plant-1",) * machines,
        faults=("ball", "never", "outer race"),
        names=NAMES,
        units=("1",) * WIDTH,
        machine=machine,
        times=np.arange(len(left)),
        life=np.ones(len(left), np.int32),
        age=features[:, 5],
        remaining=left,
        health=np.where(worn, FAULTY, UNKNOWN).astype(np.int8),
        fault=np.where(worn, np.where(machine % 3, 2, 0), -1).astype(np.int16),
        features=features,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    network: Network
    left: Material
    life: Sequence[tuple[Lesson, Learnt]]
    unseen: np.ndarray


def fit(examples: Examples, use_case: UseCase) -> Fitted:
    """What the product does with folds of two machines each."""
    folds = examples.machine.astype(np.int64) % 5
    normalisation = normalise(examples.features, examples.names, use_case)
    normal = normalisation(torch.from_numpy(examples.features)).numpy()
    sound = heads.sound_rows(examples, use_case)
    healthy, anomaly = describe_healthy(normal, sound, folds, examples.names, use_case)
    left = heads.life_material(examples, normal, folds, use_case)
    lives = heads.lessons("life", 5, use_case)
    learnt = [learn(left, lesson) for lesson in lives]
    life = heads.life_head(left, lives, learnt, use_case.life.cap)
    told = heads.classes(examples, use_case).told
    wrong = heads.fault_material(examples, normal, folds, told, use_case)
    kinds = heads.lessons("faults", 5, use_case)
    faults = heads.fault_head(wrong, kinds, [learn(wrong, lesson) for lesson in kinds], told, FAULTS)
    network = Network(
        outputs=(*OUTPUTS, *FAULTS), normalisation=normalisation, healthy=healthy, life=life, faults=faults
    )
    unseen = [
        heads.unseen(lives, life, normal, folds),
        anomaly[:, None],
        heads.unseen(kinds, faults, normal, folds),
    ]
    return Fitted(
        network=network,
        left=left,
        life=[*zip(lives, learnt, strict=True)],
        unseen=np.concatenate(unseen, axis=1),
    )


@pytest.fixture(scope="module")
def fitted(quick: UseCase) -> Fitted:
    return fit(material(), quick)


@pytest.fixture(scope="module")
def graph(fitted: Fitted) -> bytes:
    return export(fitted.network, material().features)


def test_member_answers_for_machines_it_has_not_learnt_from(fitted: Fitted) -> None:
    truth = np.minimum(material().remaining, 125)
    error = np.sqrt(np.mean((fitted.unseen[:, 0] - truth) ** 2))
    assert error < 0.5 * truth.std()


def test_graph_uses_plain_operators_of_an_opset_that_devices_know(graph: bytes) -> None:
    facts = graphs.check(graph, width=WIDTH, outputs=(*OUTPUTS, *FAULTS))
    assert facts.opset == 17
    plain = {"Sub", "Mul", "Clip", "Gemm", "Relu", "Sum", "ReduceSum", "Sqrt", "Softmax", "Slice"}
    assert set(facts.operators) <= plain
    assert [item.domain for item in onnx.load_model_from_string(graph).opset_import] == [""]


def test_graph_agrees_with_the_network_also_far_from_what_was_seen(fitted: Fitted, graph: bytes) -> None:
    wild = np.random.default_rng(1).normal(0, 1e4, (200, WIDTH)).astype(np.float32)
    check_parity(fitted.network, graph, wild)
    answers = graphs.Runner(graph).run(wild)
    assert ((answers[:, 0] >= 0) & (answers[:, 0] <= 125)).all()
    assert np.isfinite(answers).all()


def test_graph_of_another_network_is_not_taken_for_this_one(fitted: Fitted, graph: bytes) -> None:
    network = fitted.network
    assert network.life
    other = replace(network, life=replace(network.life, members=network.life.members[:2]))
    with pytest.raises(GraphError, match=r"within 0.001 of PyTorch, got .* apart"):
        check_parity(other, graph, material().features)


def test_batch_of_one_is_answered_as_in_a_batch_of_many(graph: bytes) -> None:
    features, runner = material().features[:20], graphs.Runner(graph)
    alone = np.concatenate([runner.run(row[None]) for row in features])
    np.testing.assert_allclose(alone, runner.run(features), rtol=1e-4, atol=1e-4)


def test_same_lesson_gives_the_same_weights_whatever_was_drawn_before(fitted: Fitted) -> None:
    lesson, learnt = fitted.life[0]
    torch.manual_seed(99)
    np.random.default_rng().normal()
    again = learn(fitted.left, lesson)
    assert all(np.array_equal(one, other) for one, other in zip(again.weights, learnt.weights, strict=True))
    other = learn(fitted.left, replace(lesson, seed=lesson.seed + 1))
    assert not np.array_equal(other.weights[0], learnt.weights[0])


def test_members_of_one_fold_are_stopped_on_the_same_machines_but_start_apart(quick: UseCase) -> None:
    budget = quick.budget.model_copy(update={"members": 6})
    given = heads.lessons("life", 3, quick.model_copy(update={"budget": budget}))
    assert [lesson.fold for lesson in given] == [0, 1, 2, 0, 1, 2]
    assert len({lesson.seed for lesson in given}) == 6


def test_fault_is_told_on_machines_that_a_member_has_not_seen(fitted: Fitted) -> None:
    examples = material()
    likely = fitted.unseen[:, 2:]
    worn = examples.health == FAULTY
    right = np.array([1, 2, 3])[examples.fault[worn]]
    assert (likely[worn].argmax(axis=1) == right).mean() > 0.9
    assert np.allclose(likely.sum(axis=1), 1, atol=1e-5)


def test_fault_that_nothing_was_learnt_of_is_never_likely(graph: bytes) -> None:
    answers = graphs.Runner(graph, FAULTS).run(material().features)
    assert (answers[:, 1] == 0).all()
    assert (answers >= 0).all()
    assert (answers.sum(axis=1) <= 1 + 1e-5).all()


def test_head_that_knows_no_fault_finds_everything_sound(fitted: Fitted) -> None:
    blind = replace(fitted.network, faults=heads.blind_fault_head(WIDTH, FAULTS))
    wild = np.random.default_rng(1).normal(0, 1e4, (50, WIDTH)).astype(np.float32)
    assert (graphs.Runner(export(blind, wild), FAULTS).run(wild) == 0).all()


def test_probabilities_of_a_member_that_is_too_sure_are_cooled(quick: UseCase) -> None:
    """A member that is certain and right in two of three rows must claim about two thirds."""
    examples = material()
    folds = examples.machine.astype(np.int64) % 5
    made = heads.fault_material(examples, examples.features, folds, (0, 2), quick)
    plain = quick.network.model_copy(update={"hidden": ()})
    lesson = replace(heads.lessons("faults", 5, quick)[0], network=plain)
    own = np.flatnonzero(made.folds == 0)
    goal = made.goal.copy()
    goal[own] = np.arange(len(own)) % 3 == 0
    learnt = Learnt(
        weights=(np.zeros((3, WIDTH), np.float32), np.array([9, 0, -9], np.float32)), epochs=1, error=0.0
    )
    head = heads.fault_head(replace(made, goal=goal), [lesson], [learnt], (0, 2), FAULTS)
    with torch.no_grad():
        assert 0.55 < float(head(torch.zeros(1, WIDTH))[0, 0]) < 0.85


def test_noise_averaging_and_cosine_change_what_is_learnt(fitted: Fitted) -> None:
    lesson = fitted.life[0][0]
    short = replace(lesson, budget=lesson.budget.model_copy(update={"epochs": 2}))
    plain = learn(fitted.left, short)
    others = [
        replace(short, network=short.network.model_copy(update={"noise": 0.1})),
        replace(short, network=short.network.model_copy(update={"averaging": 0.9})),
        replace(short, network=short.network.model_copy(update={"dropout": 0.3})),
        replace(short, budget=short.budget.model_copy(update={"schedule": "cosine"})),
    ]
    for other in others:
        assert not np.array_equal(learn(fitted.left, other).weights[0], plain.weights[0])


def test_long_lives_can_weigh_as_much_as_short_ones(quick: UseCase) -> None:
    examples = material()
    kept = examples.where((examples.machine > 0) | (examples.remaining < 20))
    by_life = quick.model_copy(update={"budget": quick.budget.model_copy(update={"weigh": "lives"})})
    folds = kept.machine.astype(np.int64) % 5
    made = heads.life_material(kept, kept.features, folds, by_life)
    sums = [made.weight[kept.machine == number].sum() for number in range(10)]
    assert np.allclose(sums, sums[0], rtol=1e-5)
    assert made.weight.mean() == pytest.approx(1, rel=1e-5)


def test_constant_feature_says_nothing_even_when_it_moves(graph: bytes) -> None:
    features, runner = material().features[:50], graphs.Runner(graph)
    moved = features.copy()
    moved[:, 4] += 1000
    np.testing.assert_array_equal(runner.run(moved)[:, 0], runner.run(features)[:, 0])


@pytest.mark.parametrize("part", ["network", "anomaly"])
def test_a_pattern_that_matches_no_feature_is_refused_by_name(quick: UseCase, part: str) -> None:
    """Or a misspelt one would exclude nothing, and nobody would know."""
    misspelt = getattr(quick, part).model_copy(update={"exclude": ("agee",)})
    with pytest.raises(
        FitError, match=rf"{part}\.exclude: .* out of a\.mean, .*, got 'agee', which matches none"
    ):
        fit(material(), quick.model_copy(update={part: misspelt}))


def test_an_include_that_matches_no_feature_is_refused_by_name(quick: UseCase) -> None:
    network = quick.network.model_copy(update={"include": ("a.*", "c.*")})
    with pytest.raises(FitError, match=r"network\.include: .* got 'c\.\*', which matches none"):
        fit(material(), quick.model_copy(update={"network": network}))


def test_excluded_feature_does_not_make_an_anomaly(graph: bytes) -> None:
    """``age`` moves although nothing is wrong: turbofan-rul leaves it out of the distance."""
    features, runner = material().features[:50], graphs.Runner(graph)
    moved = features.copy()
    moved[:, 5] += 500
    np.testing.assert_allclose(runner.run(moved)[:, 1], runner.run(features)[:, 1], rtol=1e-5)


def test_anomaly_is_below_one_for_the_healthy_and_above_for_the_strange(
    quick: UseCase, fitted: Fitted, graph: bytes
) -> None:
    examples = material()
    healthy = heads.sound_rows(examples, quick)
    assert (fitted.unseen[healthy, 1] < 1).mean() == pytest.approx(0.99, abs=0.01)
    strange = examples.features[healthy].copy()
    strange[:, 1] += 10
    assert (graphs.Runner(graph, ("anomaly",)).run(strange) > 1).all()


def test_verdict_outweighs_the_rule_that_young_is_sound(quick: UseCase) -> None:
    examples = material()
    young = heads.sound_rows(examples, quick)
    assert young.any()
    judged = replace(examples, health=np.full(len(examples), FAULTY, np.int8))
    assert not heads.sound_rows(judged, quick).any()


def test_features_that_never_vary_are_refused(quick: UseCase) -> None:
    with pytest.raises(FitError, match="expected features that vary"):
        normalise(np.ones((40, WIDTH), np.float32), NAMES, quick)


def test_watcher_can_cancel_between_epochs(fitted: Fitted) -> None:
    class CancelledError(Exception):
        pass

    seen = []

    def watch(done: int, most: int) -> None:
        seen.append((done, most))
        if done == 3:
            raise CancelledError

    with pytest.raises(CancelledError):
        learn(fitted.left, fitted.life[0][0], watch)
    assert seen == [(1, 25), (2, 25), (3, 25)]


def foreign(*, domain: str = "", inputs: str = "features", width: int = WIDTH, opset: int = 17) -> bytes:
    """A graph made elsewhere: both outputs are the sum of the features."""
    nodes = [
        helper.make_node("ReduceSum", [inputs, "axes"], [name], domain=domain, keepdims=1)
        for name in ("remaining_life", "anomaly")
    ]
    outputs = [helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, ["n", 1]) for node in nodes]
    axes = helper.make_tensor("axes", TensorProto.INT64, [1], [1])
    value = helper.make_tensor_value_info(inputs, TensorProto.FLOAT, ["n", width])
    imports = [helper.make_opsetid("", opset)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    built = helper.make_graph(nodes, "foreign", [value], outputs, [axes])
    return helper.make_model(built, opset_imports=imports, ir_version=8).SerializeToString()


def test_network_made_elsewhere_may_pass() -> None:
    assert graphs.check(foreign(), width=WIDTH, outputs=OUTPUTS).operators == ("ReduceSum",)


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (b"", "not an ONNX graph"),
        (b"\x93NUMPY nonsense", "not an ONNX graph"),
        (foreign(domain="com.microsoft"), "ai.onnx only, got ReduceSum at node .* of com.microsoft"),
        (foreign(domain="ai.onnx.ml"), "ai.onnx only, got ReduceSum at node .* of ai.onnx.ml"),
        (foreign(inputs="x"), r"the one input 'features', got \['x'\]"),
        (foreign(width=9), r"float32 features \[n, 6\], got type 1 \[0, 9\]"),
        (foreign(opset=20), "opset 17 or older, got 20"),
    ],
)
def test_network_that_no_device_should_run_is_refused(payload: bytes, sentence: str) -> None:
    with pytest.raises(GraphError, match=sentence):
        graphs.check(payload, width=WIDTH, outputs=OUTPUTS)


def test_graph_with_a_missing_output_is_refused() -> None:
    model = onnx.load_model_from_string(foreign())
    del model.graph.output[1]
    del model.graph.node[1]
    with pytest.raises(GraphError, match="expected the outputs remaining_life and anomaly"):
        graphs.check(model.SerializeToString(), width=WIDTH, outputs=OUTPUTS)


def test_weights_in_another_file_are_refused() -> None:
    model = onnx.load_model_from_string(foreign())
    axes = model.graph.initializer[0]
    axes.ClearField("int64_data")
    axes.data_location = TensorProto.EXTERNAL
    axes.external_data.add(key="location", value="../../etc/passwd")
    with pytest.raises(GraphError, match="weights inside the file"):
        graphs.check(model.SerializeToString(), width=WIDTH, outputs=OUTPUTS)


@pytest.fixture(scope="module")
def noise(quick: UseCase) -> tuple[Examples, Fitted]:
    """Features that say nothing: whoever is right about a machine all the same has seen it before."""
    plain = material(rows=40)
    features = np.random.default_rng(3).normal(size=(len(plain), 40)).astype(np.float32)
    names = tuple(f"noise{number}" for number in range(40))
    examples = replace(plain, features=features, names=names, units=("1",) * 40)
    budget = quick.budget.model_copy(update={"epochs": 60, "patience": 60})
    anomaly = quick.anomaly.model_copy(update={"exclude": ()})
    return examples, fit(examples, quick.model_copy(update={"budget": budget, "anomaly": anomaly}))


def test_no_member_answers_for_a_machine_that_it_learnt_from(noise: tuple[Examples, Fitted]) -> None:
    examples, fitted = noise
    known = fitted.network(torch.from_numpy(examples.features)).numpy()
    truth = examples.remaining
    seen, unseen = (np.sqrt(np.mean((answers[:, 0] - truth) ** 2)) for answers in (known, fitted.unseen))
    assert unseen > 0.95 * truth.std()
    assert seen < 0.9 * unseen


def test_sound_machines_look_closer_to_healthy_where_healthy_was_made_of_them(
    quick: UseCase, noise: tuple[Examples, Fitted]
) -> None:
    examples, fitted = noise
    sound = heads.sound_rows(examples, quick)
    known = fitted.network(torch.from_numpy(examples.features)).numpy()[sound, 1]
    assert np.median(known) < 0.9 * np.median(fitted.unseen[sound, 1])
