"""On a real GPU: what ran in the simulator is what runs there, and a recorded window is the sum of its parts."""

import numpy as np
import pytest
from gpu_numbers import FAR, LENGTHS, NEAR, RATE_HZ, SPEED_HZ, computed, scales, windows
from gpu_twins import Kernel

from edge_agent.bench_gpu_ways import gpu_library
from edge_agent.bench_network import drawn
from edge_agent.errors import InferenceError
from edge_agent.runners.errors import UnavailableError
from edge_agent.runners.onnx import OnnxRunner
from edge_agent.runners.recorded.cuda_driver import Cuda
from edge_agent.runners.recorded.engine_row import EngineRow
from edge_agent.runners.recorded.window_graph import WindowGraph
from edge_agent.runners.recorded.window_layout import check_extractor
from firmware_configs.engines.build import build
from kernels import cpu, sets

TOLERANCE = 1e-4  # of the scale of each feature
CHANNELS, LENGTH, RATE = 4, 4096, 12_000.0


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return computed(tmp_path_factory.mktemp("numbers"), simulated=True)


@pytest.fixture
def cuda():
    """The GPU; without one the test says why it is not run."""
    try:
        opened = Cuda.open()
    except InferenceError as error:
        pytest.skip(str(error))
    yield opened
    opened.close()


@pytest.mark.parametrize("length", LENGTHS)
def test_the_simulator_computes_what_the_cpu_does(length, simulated):
    expected = cpu.features(windows(length), RATE_HZ, NEAR, FAR)
    assert (np.abs(simulated[length] - expected) <= TOLERANCE * scales(length)).all()


def test_the_twin_of_the_kernel_asks_for_the_bins_that_the_kernel_itself_asks_for(simulated):
    made = sets.make("vibration/1", scalars=["speed"], waveforms=[("x", RATE_HZ, 0)], units={"speed": "Hz"})
    twin = Kernel(None, check_extractor(made), LENGTHS[0])
    np.testing.assert_array_equal(twin.ranges(SPEED_HZ), simulated["ranges"])
    assert twin.ranges(SPEED_HZ).dtype == simulated["ranges"].dtype


@pytest.mark.gpu
def test_the_device_computes_what_the_simulator_did(cuda, request, tmp_path, record_property):
    simulated = request.getfixturevalue("simulated")  # seconds, which nobody spends where there is no GPU
    found = computed(tmp_path, simulated=False)
    off = {n: np.abs(found[n] - simulated[n]) / (TOLERANCE * scales(n)) for n in LENGTHS}
    record_property("largest deviation, share of what is tolerated", f"{max(map(np.max, off.values())):.3g}")
    same = np.mean([np.mean(found[n] == simulated[n]) for n in LENGTHS])
    record_property("equal to the last bit", f"{same:.0%}")
    assert all((share <= 1).all() for share in off.values())


class OnDevice:
    """Kernel and engine for four channels on this GPU."""

    def __init__(self, cuda, *, recorded, speed="speed"):
        from kernels.cuda import FusedWindows

        waveforms = [(f"vibration_{channel}", RATE, 0) for channel in range(CHANNELS)]
        made = sets.make("vibration/1", scalars=[speed], waveforms=waveforms, units={"speed": "Hz"})
        self.extractor = check_extractor(made)
        self.turns = self.extractor.speed is not None
        try:
            library = gpu_library()
        except UnavailableError as error:
            pytest.skip(str(error))
        self.network = drawn(made.width)
        plan = build(library, self.network, workspace_bytes=256 << 20).plan
        self.engine = EngineRow.load(library, plan, width=made.width)
        orders = self.extractor.orders if self.turns else ()
        self.kernel = FusedWindows(length=LENGTH, rate_hz=RATE, orders_=orders, across=CHANNELS)
        self.graph = WindowGraph(
            self.extractor,
            self.kernel,
            self.engine,
            cuda,
            length=LENGTH,
            mapped=cuda.shares_memory(),
            recorded=recorded,
        )

    def run(self, seed):
        return self.graph.run(draw(seed), np.array([20.0 + seed]))

    def alone(self, seed):
        """The kernel's features, by themselves."""
        return self.kernel(np.stack(draw(seed)), speed_hz=20.0 + seed if self.turns else None)[0]

    def close(self):
        self.graph.close()
        self.engine.close()


def draw(seed):
    return list(np.random.default_rng(seed).normal(0.5, 1 + seed, (CHANNELS, LENGTH)).astype(np.float32))


@pytest.mark.gpu
@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("speed", ["speed", "load"])  # of a machine that tells it, and of one that does not
def test_a_window_in_one_launch_is_kernel_and_engine_one_after_the_other(
    cuda, speed, recorded, record_property
):
    world = OnDevice(cuda, recorded=recorded, speed=speed)
    runner, worst = OnnxRunner(world.network), 0.0
    for seed in range(20):
        answered = world.run(seed)
        np.testing.assert_array_equal(answered.row[:-1], world.alone(seed))
        assert answered.row[-1] == 20.0 + seed
        own = [list(world.engine.outputs).index(name) for name in runner.outputs]
        expected = runner.run(answered.row[None, :])
        worst = max(worst, float(np.abs(answered.outputs[:, own] - expected).max()))
    record_property("largest deviation from ONNX Runtime on the CPU", f"{worst:.3g}")
    assert worst <= 1e-4
    world.close()


@pytest.mark.gpu
def test_a_thousand_windows_in_one_graph_leave_nothing_behind(cuda):
    world = OnDevice(cuda, recorded=True)
    first = world.run(3)
    for seed in range(1000):
        world.run(seed % 7)
    again = world.run(3)
    np.testing.assert_array_equal(first.row, again.row)
    np.testing.assert_array_equal(first.outputs, again.outputs)
    world.close()


@pytest.mark.gpu
def test_graphs_that_are_closed_give_their_memory_back(cuda):
    OnDevice(cuda, recorded=True).close()  # what is loaded once stays
    before = cuda.driver.cuMemGetInfo()[1]
    for _ in range(5):
        OnDevice(cuda, recorded=True).close()
    assert before - cuda.driver.cuMemGetInfo()[1] < 16 << 20
