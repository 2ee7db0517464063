"""What is said of the execution that answers: to the hub once a change, in the status, by the doctor."""

from dataclasses import replace

import numpy as np
import pytest
from edge_models import FixedReleases, graph
from edge_recorders import NAMES, TREND, rows
from edge_runners import LOST, Hands, Rig, answers, bundle
from edge_world import trend_reading

from edge_agent import doctor, status_text
from edge_agent.config import AgentConfig
from edge_agent.errors import ConfigError, InferenceError
from edge_agent.inference_reports import InferenceReports
from edge_agent.machine_code_place import needs_own
from edge_agent.runners.chain import Chain
from edge_agent.runners.chain_text import passed_over
from edge_agent.runners.errors import UnavailableError
from edge_agent.runners.fallback import Change, refusal
from edge_agent.runners.link import Way
from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.standing import Bounds
from edge_agent.updates import LoadedRelease
from edge_agent.updates.errors import JournalError
from edge_agent.updates.golden import check_golden
from firmware_configs.host import Check, State
from wire.batch import BatchClass
from wire.bundle import Bundle
from wire.manifest import Input
from wire.precision import Precision

FELL = Change(
    use_case="engine-life",
    release="engine-life/3",
    event="fell-back",
    reason="onnxruntime-cpu fp32 answers instead of tensorrt fp16: out of memory",
    evidence={"runner": "onnxruntime-cpu"},
)


class Notes(list):
    """Takes reports, or has a full disk."""

    full = False

    def __call__(self, use_case, event, reason, evidence):
        if self.full:
            raise JournalError("no space left on device")
        self.append((use_case, event, reason, evidence))


def test_a_change_is_reported_once_and_waits_while_the_disk_is_full():
    reports, notes = InferenceReports(Hands()), Notes()
    reports.heard(FELL)
    notes.full = True
    reports.hand_over(notes)
    notes.full = False
    reports.heard(FELL)
    reports.hand_over(notes)
    reports.hand_over(notes)
    evidence = {"runner": "onnxruntime-cpu", "of": "engine-life/3"}
    assert notes == [("engine-life", "fell-back", FELL.reason, evidence)]


def test_what_changes_to_and_fro_is_told_at_once_and_then_once_a_minute():
    clock, notes = Hands(), Notes()
    reports = InferenceReports(clock)
    back = replace(FELL, event="came-up", reason="tensorrt fp16 has answered its golden inputs here")
    for _ in range(100):  # 50 s
        for change in (FELL, back):
            reports.heard(change)
            reports.hand_over(notes)
        clock.now += 0.5
    assert [event for _, event, _, _ in notes] == ["fell-back"]
    clock.now += 11
    reports.hand_over(notes)
    assert [event for _, event, _, _ in notes] == ["fell-back", "came-up"], "what holds in the end is told"


def test_a_gpu_that_dies_under_two_releases_of_a_use_case_is_told_of_both():
    reports, notes = InferenceReports(Hands()), Notes()
    for change in (replace(FELL, release="engine-life/4"), FELL):
        reports.heard(change)
    reports.hand_over(notes)
    assert [evidence["of"] for _, _, _, evidence in notes] == ["engine-life/4", "engine-life/3"]


def test_the_status_says_what_runs_and_why_nothing_better_does():
    rig = Rig(refusals={"best": InferenceError("GPU memory exhausted")})
    described = rig.chain(rig.way("best"), rig.way("last")).describe()
    shown = status_text.lines({"inference": {"engine-life": described}})
    assert shown == [
        "runs in   engine-life: last fp32, 0.1 ms a row",
        "          not best fp32: GPU memory exhausted",
    ]


def test_a_reason_that_several_ways_share_is_said_once():
    rig = Rig(refusals=dict.fromkeys(("fp16", "fp32"), UnavailableError("no driver")))
    described = rig.chain(rig.way("fp16"), rig.way("fp32"), rig.way("last")).describe()
    assert list(passed_over(described)) == ["not fp16 fp32, fp32 fp32: no driver"]


OK = {doctor.DRIVER, doctor.KERNELS, doctor.TENSORRT_RTX, doctor.PROVIDER, doctor.COMPILER}


@pytest.mark.parametrize(
    ("machine", "works", "told"),
    [
        (
            "x86_64",
            OK,
            {"GPU driver": 1, "kernels on the GPU": 1, "TensorRT for RTX": 1, "ONNX Runtime, CUDA": 1},
        ),
        (
            "aarch64",
            OK,
            {"GPU driver": 1, "kernels on the GPU": 1, "TensorRT": 0, "ONNX Runtime, CUDA": 1},
        ),
        ("x86_64", OK - {doctor.DRIVER}, {"GPU driver": 0, "TensorRT for RTX": 1}),
        ("x86_64", set(), {"GPU driver": 0}),
        ("aarch64", OK - {doctor.DRIVER}, {"GPU driver": 0}),
        (
            "x86_64",
            {doctor.DRIVER},
            {
                "GPU driver": 1,
                "kernels on the GPU": 0,
                "TensorRT for RTX": 0,
                "TensorRT": 0,
                "ONNX Runtime, CUDA": 0,
            },
        ),
    ],
)
def test_the_doctor_names_what_of_a_gpu_is_missing_and_nothing_that_follows_from_it(machine, works, told):
    def look(probe):
        state = State.OK if probe in works else State.WARNING
        return Check(name=probe.name, state=state, found="said", remedy="" if probe in works else "do this")

    found = list(doctor.gpu(look, machine))
    assert {check.name: int(check.state is State.OK) for check in found} == told
    assert len(found) == len(told)
    assert all(bool(check.remedy) is (check.state is State.WARNING) for check in found)


def test_the_doctor_shows_a_sentence_without_the_name_of_an_exception():
    check = doctor._probed(doctor.Probe(name="nothing", call="native('onnxruntime')"))
    assert check.found == "expected a runtime that compiles, got onnxruntime: it runs the ONNX itself"


@pytest.mark.parametrize(
    ("chosen", "shared", "own"), [("", True, False), ("", False, True), ("/var/cache/numba", False, False)]
)
def test_machine_code_lies_in_the_state_directory_where_there_is_no_better_place(chosen, shared, own):
    assert needs_own(chosen=chosen, shared=shared) is own


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"precisions": ["fp16"]}, "expected some of fp32, which generic has, got fp16"),
        ({"runner": "tensorrt"}, "inference.runner"),
        ({"max_ms": 0}, "inference.max_ms"),
        ({"remote_url": "http://hub"}, "expected a URL like https://"),
    ],
)
def test_settings_that_this_device_cannot_keep_are_refused(settings, reason):
    with pytest.raises(ConfigError, match=reason):
        AgentConfig.parse(
            {"device": "press-04", "state_dir": "/x", "feed": {"address": "unix:/y"}, "inference": settings},
            origin="test",
        )


class Dying(OnnxRunner):
    """A real network that stops answering after some rows, as a GPU that falls off its bus does."""

    def __init__(self, onnx: bytes, rows: int) -> None:
        super().__init__(onnx)
        self.left = rows

    def run(self, features):
        if len(features) == 1:
            self.left -= 1
        if self.left < 0:
            raise LOST
        return super().run(features)


def test_an_execution_that_dies_in_mid_stream_costs_no_prediction(opened):
    """The rows are those that no failure would have given, each once."""
    recorder, outbox = opened()
    recorder.hello(TREND)
    told = []
    made = _of_width(bundle(), len(NAMES))
    chain = Chain(
        made,
        [
            Way(name="tensorrt", precision=Precision.FP32, make=lambda b: Dying(b.onnx, 21 + 10)),
            Way(name="onnxruntime-cpu", precision=Precision.FP32, make=lambda b: OnnxRunner(b.onnx)),
        ],
        check=check_golden,
        bounds=Bounds(),
        clock=Hands(),
        tell=told.append,
    )
    releases = FixedReleases(
        LoadedRelease(release=made.manifest.release, manifest=made.manifest, runner=chain)
    )
    recorder.use(releases)
    for position in range(2, 62, 2):
        recorder.take(trend_reading(position))
    recorder.flush()
    predicted = rows(outbox, BatchClass.PREDICTION)
    features = rows(outbox, BatchClass.FEATURE)
    assert len(predicted) == len(features) == 30
    assert [row[2] for row in predicted] == [row[2] for row in features], "each window once"
    for (_, _, _, values), (_, _, _, inputs) in zip(predicted, features, strict=True):
        assert values[0] == pytest.approx(40.0 + 2.0 * inputs[0], rel=1e-5)
    assert recorder.stored.counters.predictions_failed == 0
    assert [told["error"] for told in releases.observed] == [None] * 30, "no verdict on the model either"
    assert [change.event for change in told] == ["fell-back"]
    assert chain.name == "onnxruntime-cpu"


def _of_width(made: Bundle, width: int) -> Bundle:
    """The same network for what the recorder's machines give."""
    inputs = np.random.default_rng(1).normal(size=(4, width)).astype(np.float32)
    manifest = replace(made.manifest, inputs=tuple(Input(name=name, unit="1") for name in NAMES))
    return Bundle(
        manifest=manifest,
        onnx=graph(width, life=40.0, slope=2.0),
        golden_inputs=inputs,
        golden_outputs=answers(inputs),
    )


def test_that_a_signed_engine_is_refused_is_told_beside_what_answers_now():
    told, reports, manifest = [], InferenceReports(), bundle().manifest
    fell = Change(use_case=manifest.use_case, release=manifest.release, event="fell-back", reason="no engine")
    for change in (refusal(manifest, "golden input 0"), fell, refusal(manifest, "golden input 0")):
        reports.heard(change)
    for _ in range(2):
        reports.hand_over(lambda _, event, reason, evidence: told.append((event, reason, evidence["of"])))
    assert told == [
        ("engine-refused", "golden input 0", manifest.release),
        ("fell-back", "no engine", manifest.release),
    ]
