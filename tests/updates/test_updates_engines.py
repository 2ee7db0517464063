"""Shared engines: fetched when nothing else is to be done, and never in the way of an update."""

import shutil
import threading
from contextlib import closing

import pytest
from engine_parts import FACTS, PLAN, TARGET, Builder, engine, files, said, store, told
from lying_servers import Counting, breaking_off, only
from power_parts import Platter, RecordingDisk
from update_parts import USE_CASE, HastyDisk

from cloud_hub.signing import rotation
from cloud_hub.signing.keyring import Keyring
from cloud_hub.signing.repository import Repository
from edge_agent.engine_facts import keys
from edge_agent.engine_store import EngineStore
from edge_agent.updates.engines import ASK_AGAIN_S, FIRST_RETRY_S, LONGEST_RETRY_S, SharedEngines
from edge_agent.updates.installer import FIRST_RETRY_S as FIRST_UPDATE_RETRY_S
from edge_agent.updates.trust import Trust
from edge_agent.updates_text import standing_lines
from wire.precision import Precision


@pytest.fixture
def owner(hub, tmp_path):
    return Repository(hub.state_dir, offline=Keyring(tmp_path / "offline", None))


@pytest.fixture
def builder(hub, device, owner):
    """A hub with a role for this target, and a device of it that runs release 1."""
    rotation.delegate_engines(owner, TARGET)
    device.engines = FACTS
    return Builder(hub)


def asks(device):
    """As after a restart: the hub is asked once more."""
    device.boot()
    device.settle()
    return device


def test_a_device_fetches_the_engine_that_fits_what_it_runs(device, builder):
    published = builder.publish(1)
    asks(device)
    assert said(device) == [published.target_path]
    found = engine(device, builder, 1)
    assert (found.plan, found.manifest.key) == (PLAN, builder.key(1))
    assert [path.stat().st_mode & 0o777 for path in files(device)] == [0o600]
    assert device.reports == []
    lines = list(standing_lines(device.updates.status()))
    assert lines[1:] == [f"shared engine of motor-health/1: {published.target_path}"]


def test_the_engine_of_a_new_release_comes_while_that_is_on_probation(hub, device, builder):
    hub.publish(2)
    builder.publish(2)
    device.boot()
    assert device.offer(hub.offer(2)) == "probation"
    assert engine(device, builder, 2).plan == PLAN
    device.prove()
    assert (device.state, device.release) == ("committed", "motor-health/2")


def test_that_no_engine_is_signed_is_no_error_and_asked_once_in_a_while(hub, device, builder):
    hub.server.app = counting = Counting(hub.server.app)
    asks(device)
    looked = len(counting.asked)
    device.settle()
    device.settle()
    assert said(device) == ["none that fits is signed"]
    assert len(counting.asked) == looked
    assert not [path for path, _ in counting.asked if path.startswith("/targets/engines")]
    assert (device.reports, files(device)) == ([], [])


def test_a_device_that_runs_no_engines_asks_for_none(hub, device, builder):
    builder.publish(1)
    device.engines = None
    hub.server.app = counting = Counting(hub.server.app)
    asks(device)
    assert (counting.asked, files(device)) == ([], [])


def test_the_best_precision_that_is_signed_is_fetched_and_one_that_the_bundle_lacks_is_not_asked_for(
    device, builder
):
    bundle = builder.bundle(1)
    assert [key.precision for key in keys(bundle, FACTS)] == [Precision.FP32]  # it has no FP16
    builder.publish(1)
    asks(device)
    assert engine(device, builder, 1).manifest.key.precision is Precision.FP32


def test_only_the_engines_of_releases_that_are_held_stay(hub, device, builder):
    for version in (1, 2, 3):
        if version > 1:
            hub.publish(version)
        builder.publish(version)
        store(device).put_local(builder.key(version), "gpu", b"own")
        device.commit(hub.offer(version, mode="install"))
        asks(device)
    assert sorted({path.name.partition(".")[0] for path in files(device)}) == ["2", "3"]
    assert engine(device, builder, 2).plan == engine(device, builder, 3).plan == PLAN
    assert engine(device, builder, 1) is None


def test_an_engine_that_cannot_be_had_delays_and_fails_nothing(hub, device, builder):
    """The server breaks off every engine; updates go on as if there were none."""
    hub.publish(2)
    builder.publish(1)
    builder.publish(2)
    hub.server.app = only("/targets/engines", breaking_off(1000))(hub.server.app)
    asks(device)
    device.commit(hub.offer(2))
    assert (device.state, device.release) == ("committed", "motor-health/2")
    assert said(device)[0].startswith("waits: ")
    assert told(device) == []


def parts(device):
    """Engines on their way, of which something is there."""
    return [path for path in files(device) if path.suffix == ".part" and path.stat().st_size]


def slowly(device, meanwhile):
    """Serves the beginning, does something meanwhile, and then the rest."""

    def wrap(honest):
        def app(environ, start_response):
            with closing(honest(environ, start_response)) as pieces:
                content = b"".join(pieces)
            yield content[:70_000]
            while not parts(device):  # the engine is on its way
                threading.Event().wait(0.005)
            meanwhile()
            yield content[70_000:]

        return app

    return wrap


def test_an_update_ends_the_download_of_an_engine_which_goes_on_later(hub, device, builder):
    hub.publish(2)
    builder.publish(1)
    device.boot()
    honest = hub.server.app
    offered = hub.offer(2)
    slow = slowly(device, lambda: device.updates.offer(USE_CASE, offered))
    hub.server.app = only("/targets/engines", slow)(honest)
    device.updates.turn()
    assert [path.stat().st_size < len(PLAN) for path in parts(device)] == [True]
    assert device.settle() == "probation"  # with the very next turns
    hub.server.app = counting = Counting(honest)
    device.boot()
    device.settle()
    ranges = [asked for path, asked in counting.asked if path.startswith("/targets/engines")]
    assert [asked.startswith("bytes=") for asked in ranges] == [True]
    assert engine(device, builder, 1).plan == PLAN
    device.prove()


def test_an_engine_waits_for_an_update_that_tries_its_download_again(hub, device, builder):
    hub.publish(2)
    builder.publish(1)
    device.boot()
    honest = hub.server.app
    slow = slowly(device, lambda: threading.Event().wait(1.1 * FIRST_UPDATE_RETRY_S))
    hub.server.app = only("/targets/bundles", breaking_off(100))(only("/targets/engines", slow)(honest))
    device.updates.offer(USE_CASE, hub.offer(2))
    while not files(device):
        device.updates.turn()
    assert device.state == "downloading"
    assert len(parts(device)) == 1
    assert engine(device, builder, 1) is None
    hub.server.app = honest
    assert device.settle() == "probation"
    device.prove()


def test_what_a_hub_no_longer_vouches_for_is_removed_and_reported(hub, device, builder, owner):
    builder.publish(1)
    asks(device)
    rotation.replace(owner, [f"engines-{TARGET}"], genuine={f"engines-{TARGET}": {}})
    asks(device)
    assert files(device) == []
    ((event, reason),) = told(device)
    assert (event, reason.endswith("is signed no longer")) == ("engine-withdrawn", True)
    assert device.withdrawn == [builder.key(1)], "whoever runs it hears of it"


def test_a_damaged_engine_is_not_used_and_had_again(device, builder):
    builder.publish(1)
    asks(device)
    (file,) = files(device)
    file.write_bytes(file.read_bytes()[:-9] + b"!" + file.read_bytes()[-8:])
    assert engine(device, builder, 1) is None
    assert files(device) == []
    asks(device)
    assert engine(device, builder, 1).plan == PLAN


class Errands:
    """The errands alone, by a clock of their own."""

    def __init__(self, device, disk=None, folder=None):
        self.time, self.reports = 0.0, []
        state_dir = folder or device.state_dir
        disk = disk or HastyDisk()
        identity = device.identity
        trust = Trust(
            state_dir / "updates" / "trust",
            url=identity.repository_url,
            root=identity.root,
            tls=identity.tls,
            disk=disk,
        )
        self.trust = trust
        self.records = device.updates._journal.records
        self.shared = SharedEngines(
            state_dir / "updates" / "slots",
            facts=FACTS,
            store=EngineStore(state_dir, disk),
            trust=trust,
            disk=disk,
            tell=lambda *told: self.reports.append(told),
            withdrawn=lambda key: None,
            now=lambda: self.time,
        )

    def turn(self):
        return self.shared.turn(self.records, lambda: False)


def test_a_hub_that_cannot_be_reached_is_asked_less_and_less_often(hub, device, builder):
    hub.server.app = only("/metadata/", breaking_off(5))(hub.server.app)
    errands, waits = Errands(device), []
    for _ in range(9):
        waits.append(errands.turn())
        errands.time += waits[-1]
    assert waits[:3] == [FIRST_RETRY_S, 2 * FIRST_RETRY_S, 4 * FIRST_RETRY_S]
    assert waits[-1] == LONGEST_RETRY_S
    assert errands.reports == []


def test_an_engine_that_is_made_later_is_found_by_the_next_look(device, builder):
    errands = Errands(device)
    assert errands.turn() == ASK_AGAIN_S
    builder.publish(1)
    errands.time += ASK_AGAIN_S - 1
    assert errands.turn() == 1
    assert files(device) == []
    errands.time += 1
    assert errands.turn() == ASK_AGAIN_S
    assert engine(device, builder, 1).plan == PLAN


def test_without_room_not_a_byte_of_an_engine_is_written(device, builder):
    class FullDisk(HastyDisk):
        def free(self, path):
            return 1 << 20

    builder.publish(1)
    errands = Errands(device, FullDisk())
    assert errands.turn() == FIRST_RETRY_S
    assert "bytes of disk" in errands.shared.status()[0]["said"]
    assert files(device) == []


def test_whatever_goes_wrong_with_an_engine_the_updates_go_on(hub, device, builder):
    class Broken(HastyDisk):
        def make_folder(self, path):
            if path.parent.name == "engines":
                raise OSError("Read-only file system")
            super().make_folder(path)

    builder.publish(1)
    hub.publish(2)
    device.boot(Broken())
    device.commit(hub.offer(2))
    assert (device.state, device.release) == ("committed", "motor-health/2")
    errands = Errands(device, Broken())
    builder.publish(2)
    assert errands.turn() == LONGEST_RETRY_S
    assert "Read-only file system" in errands.shared.status()[0]["said"]


def test_power_loss_at_every_touch_leaves_a_whole_engine_or_none(device, builder, tmp_path):
    """Whatever the disk comes back with, nothing but the signed engine is ever used, and it is had in the end."""
    plan = PLAN[:20_000]
    path = builder.publish(1, file=builder.engine(builder.key(1), plan)).target_path
    assert path in Errands(device).trust.engines([path])  # how metadata is kept has tests of its own
    platter, disk = Platter(device.state_dir), RecordingDisk(device.state_dir, [])
    assert Errands(device, disk).turn() == ASK_AGAIN_S
    assert engine(device, builder, 1).plan == plan
    tried = set()
    for number, touch in enumerate([*disk.touches, None]):
        for images in platter.images(touch, number).values():
            for image in images:
                if image in tried:
                    continue
                tried.add(image)
                folder = tmp_path / f"image-{len(tried)}"
                image.write(folder)
                found = EngineStore(folder, HastyDisk()).find(builder.bundle(1), FACTS)
                assert found is None or found.plan == plan, str(touch)
                assert Errands(device, folder=folder).turn() == ASK_AGAIN_S, str(touch)
                had = EngineStore(folder, HastyDisk()).find(builder.bundle(1), FACTS)
                assert had.plan == plan, str(touch)
                shutil.rmtree(folder)
        if touch:
            platter.do(touch)
    assert len(disk.touches) > 5
    assert len(tried) > 5


def test_power_loss_at_every_touch_leaves_a_whole_plan_compiled_here_or_the_one_before(
    device, builder, tmp_path
):
    key, plans = builder.key(1), [b"first" * 4000, b"second" * 4000]
    store(device).put_local(key, "GPU", plans[0])
    platter, disk = Platter(device.state_dir), RecordingDisk(device.state_dir, [])
    EngineStore(device.state_dir, disk).put_local(key, "GPU", plans[1])
    found = set()
    for number, touch in enumerate([*disk.touches, None]):
        for way, images in platter.images(touch, number).items():
            for place, image in enumerate(images):
                folder = tmp_path / f"{number}-{way}-{place}"
                image.write(folder)
                found.add(EngineStore(folder, HastyDisk()).local(key, "GPU"))
        if touch:
            platter.do(touch)
    assert found == {*plans}
