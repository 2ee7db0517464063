"""A library that hangs: no row waits longer than it may, nothing is made beside it, and it may come back."""

import threading
import time

import numpy as np
import pytest
from edge_runners import Rig, answers, bundle, reason_of, standings

from edge_agent.config import InferenceSettings
from edge_agent.engine_store import EngineStore
from edge_agent.errors import FeatureMismatchError, InferenceError
from edge_agent.runners import device, in_time, native_engines
from edge_agent.runners.device import DeviceRunners
from edge_agent.runners.in_time import InTime, LateError
from edge_agent.runners.link import Way
from edge_agent.updates.disk import Disk
from firmware_configs.profiles import profiles
from wire.precision import Precision

ROW = np.array([[5, 0, 0]], np.float32)
ANSWER_S = 0.25


class Hanging:
    """A runner of the drawn network, which hangs where ``hangs`` is set, until ``comes_back`` is."""

    name, precision = "tensorrt", Precision.FP32

    def __init__(self):
        self.hangs, self.comes_back, self.closed = threading.Event(), threading.Event(), threading.Event()
        self.error, self.threads = None, set()

    def run(self, features):
        self.threads.add(threading.get_ident())
        if self.hangs.is_set():
            assert self.comes_back.wait(10)
        if self.error is not None:
            raise self.error
        return answers(features)

    def close(self):
        self.threads.add(threading.get_ident())
        self.closed.set()


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture
def gpu():
    made = []

    def make(_):
        made.append(Hanging())
        return made[-1]

    yield made, InTime(make, name="tensorrt", answer_s=ANSWER_S)
    for runner in made:
        runner.comes_back.set()


def chain_of(rig, guarded):
    best = Way(name="tensorrt", precision=Precision.FP32, make=guarded.make)
    return rig.chain(best, rig.way("last"))


def test_a_row_that_hangs_is_answered_by_the_next_way_and_the_hung_one_is_left(rig, gpu):
    made, guarded = gpu
    chain = chain_of(rig, guarded)
    chain.run(ROW)
    made[0].hangs.set()
    began = time.monotonic()
    for _ in range(20):
        np.testing.assert_allclose(chain.run(ROW), answers(ROW))
    assert ANSWER_S <= time.monotonic() - began < 10 * ANSWER_S, "one row waited, and no other"
    assert standings(chain) == {"tensorrt": "left", "last": "stands"}
    assert reason_of(chain, "tensorrt") == "tensorrt did not answer within 0.25 s"
    chain.close()


def test_while_it_hangs_nothing_is_made_in_its_place_and_once_it_is_back_it_is_closed_and_made_anew(rig, gpu):
    made, guarded = gpu
    chain = chain_of(rig, guarded)
    made[0].hangs.set()
    chain.run(ROW)
    for _ in range(5):
        rig.clock.now += 1000
        chain.tend()
    assert len(made) == 1
    assert reason_of(chain, "tensorrt") == "tensorrt still owes the answer before"
    made[0].comes_back.set()
    assert made[0].closed.wait(5)
    rig.clock.now += 1000
    chain.tend()
    chain.run(ROW)
    assert (len(made), chain.name) == (2, "tensorrt")
    chain.close()
    assert made[1].closed.is_set()


def test_everything_is_asked_of_a_library_on_one_thread_which_ends_with_it(gpu):
    made, guarded = gpu
    before = set(threading.enumerate())
    runner = guarded.make(bundle())
    runner.run(ROW)
    (thread,) = set(threading.enumerate()) - before
    runner.close()
    thread.join(5)
    assert not thread.is_alive()
    assert made[0].threads == {thread.ident}


def test_an_engine_that_takes_too_long_to_make_is_closed_when_it_comes(monkeypatch):
    monkeypatch.setattr(in_time, "MAKING_S", ANSWER_S)
    late, comes = Hanging(), threading.Event()

    def make(_):
        comes.wait(10)
        return late

    guarded = InTime(make, name="tensorrt", answer_s=ANSWER_S)
    for reason in ("did not answer within", "still owes the answer before"):
        with pytest.raises(LateError, match=reason):
            guarded.make(bundle())
    comes.set()
    assert late.closed.wait(5)


def test_the_first_answer_of_a_shape_may_take_as_long_as_making_does(gpu):
    made, guarded = gpu
    runner = guarded.make(bundle())
    made[0].hangs.set()
    threading.Timer(2 * ANSWER_S, made[0].comes_back.set).start()
    np.testing.assert_allclose(runner.run(ROW), answers(ROW))
    made[0].comes_back.clear()
    with pytest.raises(LateError):
        runner.run(ROW)


@pytest.mark.parametrize(
    "error",
    [
        FeatureMismatchError("width"),
        InferenceError("lost"),
        KeyError("binding"),
        TimeoutError("the driver's own"),
    ],
)
def test_what_a_library_raises_comes_as_it_is(gpu, error):
    made, guarded = gpu
    runner = guarded.make(bundle())
    made[0].error = error
    with pytest.raises(type(error), match=str(error).strip("'")):
        runner.run(ROW)
    runner.close()


def test_an_agent_starts_also_where_the_driver_does_not_come_back(tmp_path, monkeypatch):
    comes_back = threading.Event()
    monkeypatch.setattr(in_time, "MAKING_S", ANSWER_S)
    monkeypatch.setattr(native_engines, "find", lambda runtime: comes_back.wait(10))
    store = EngineStore(tmp_path, Disk())
    runners = DeviceRunners(
        profiles()["rtx-pc"], InferenceSettings(), tmp_path, store, tell=lambda change: None
    )
    began = time.monotonic()
    assert runners.facts is None
    chain = runners.make(bundle())
    assert time.monotonic() - began < 5
    assert (chain.name, standings(chain)["tensorrt-rtx"]) == ("onnxruntime-cpu", "absent")
    assert reason_of(chain, "tensorrt-rtx").startswith("NVIDIA's driver did not answer within 0.25 s")
    comes_back.set()


def test_what_may_hang_is_guarded_and_the_cpus_way_pays_nothing_for_it(tmp_path, monkeypatch):
    made = {}

    def make(_, name):
        made[name] = Hanging()
        return made[name]

    monkeypatch.setattr(device, "_in_onnx_runtime", make)
    settings, store = InferenceSettings(runner="onnxruntime-tensorrt"), EngineStore(tmp_path, Disk())
    runners = DeviceRunners(profiles()["generic"], settings, tmp_path, store, tell=lambda change: None)
    for way in runners.ways(bundle()):
        if way.prepare is not None:  # in a thread of its own, where no row waits
            beside = threading.Thread(target=way.prepare, args=(bundle(),))
            beside.start()
            beside.join()
        runner = way.make(bundle())
        runner.run(ROW)
        runner.close()
    here = threading.get_ident()
    on_this_thread = {name for name, runner in made.items() if here in runner.threads}
    assert made.keys() == {"onnxruntime-tensorrt", "onnxruntime-cuda", "onnxruntime-cpu"}
    assert on_this_thread == {"onnxruntime-cpu"}
