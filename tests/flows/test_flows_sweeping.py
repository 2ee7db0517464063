"""Files are removed to make room, and never those of what a device runs, may go back to, or is about to get."""

import time
from threading import Thread

import fsspec
import pytest
from rollout_world import USE_CASE, World, plan

from cloud_hub.errors import ConflictError, UnreachableError
from cloud_hub.flows.release import approve
from cloud_hub.flows.sweeping import sweep
from cloud_hub.registry.keeping import plan as what_may_go


@pytest.fixture
def world(hub):
    """Nine releases, of which a device runs the second and had the first before; the fifth and ninth share a network."""
    made = World(hub.config.database_url)
    published = hub.config.state_dir / "repository" / "targets" / "bundles" / "abcd.3.zip"
    published.parent.mkdir(parents=True)
    published.write_bytes(b"signed")
    for version in range(1, 10):
        release = made.add_release(version)
        place = f"models/{USE_CASE}/{5 if version == 9 else version}.onnx"
        made.database.execute(
            "UPDATE model SET onnx_path = %(place)s WHERE release = %(release)s",
            {"place": place, "release": release},
        )
        for name in (
            place,
            f"bundles/{release}.zip",
            f"sketches/{release}.npz",
            f"engines/rtx/{release}.fp16.1.7.1.116.0123456789abcdef.engine",
            f"engines/orin-nx-jp7/{release}0.fp32.10.16.2.10.0123456789abcdef.engine",
            f"runs/run-{version}/fold-1.npz",
        ):
            (hub.artifacts / name).parent.mkdir(parents=True, exist_ok=True)
            (hub.artifacts / name).write_bytes(b"x" * 10)
        dataset(hub, f"d-{version}", f"run-{version}")
        made.clock.pass_hours(1)
    made.add_devices("edge-1")
    made.run_release("edge-1", f"{USE_CASE}/1")
    made.rollouts.start(plan(f"{USE_CASE}/2", ("100%",)), actor="ada")
    made.engine.step_all()
    made.commit("edge-1")
    made.engine.step_all()
    yield made
    made.close()


def dataset(hub, name, run):
    place = hub.artifacts / "datasets" / f"{name}.parquet"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(b"rows")
    place.with_suffix(".json").write_bytes(b"{}")
    hub.database.execute(
        """INSERT INTO dataset (id, use_case, hash, path, rows, machines, lives, feature_set, manifest, created)
           VALUES (%(name)s, %(use_case)s, %(name)s, %(path)s, 1, 1, 1, 'trend/1', '{}', now())""",
        {"name": name, "use_case": USE_CASE, "path": f"datasets/{name}.parquet"},
    )
    hub.database.execute("UPDATE run SET dataset = %(name)s WHERE id = %(run)s", {"name": name, "run": run})


def there(hub, folder):
    return sorted(
        int(path.stem.rpartition("-")[2])
        for path in (hub.artifacts / folder).rglob("*.*")
        if path.suffix != ".json"
    )


def states(world):
    rows = world.database.rows("SELECT version, state FROM model ORDER BY version")
    return {row["version"]: row["state"] for row in rows}


def test_what_devices_run_or_may_go_back_to_stays_and_the_rest_goes(hub, world):
    found = sweep(hub, actor="ada", keep=1)
    assert found.releases == [f"{USE_CASE}/{version}" for version in range(8, 2, -1)]
    assert found.kept[f"{USE_CASE}/1"] == ["a device may go back to it"]
    assert set(found.kept[f"{USE_CASE}/2"]) >= {"a device runs it", "it is the champion"}
    assert found.kept[f"{USE_CASE}/9"] == ["it is one of the 1 newest"]
    assert there(hub, "bundles") == [1, 2, 9]
    assert there(hub, "sketches") == [1, 2, 9]
    engines = [path.name.split(".")[0] for path in sorted((hub.artifacts / "engines").rglob("*.engine"))]
    assert engines == [*map(str, range(10, 100, 10)), "1", "2", "9"]
    assert there(hub, "models") == [1, 2, 5], "the fifth network is that of the ninth release too"
    assert there(hub, "datasets") == [1, 2, 9]
    assert not list((hub.artifacts / "runs").rglob("*.npz"))
    published = hub.config.state_dir / "repository" / "targets" / "bundles" / "abcd.3.zip"
    assert published.exists(), "what was signed and published is not the hub's to take back"
    assert [version for version, state in states(world).items() if state == "removed"] == [3, 4, 5, 6, 7, 8]
    row = hub.database.row("SELECT actor, detail FROM audit WHERE action = 'model.gc'")
    assert (row["actor"], len(row["detail"]["releases"]), len(row["detail"]["datasets"])) == ("ada", 6, 6)
    again = sweep(hub, actor="ada", keep=1)
    assert (again.releases, again.datasets, again.files, again.bytes) == ([], [], [], 0)


def test_a_dry_run_tells_the_same_and_removes_nothing(hub, world):
    told = sweep(hub, actor="ada", keep=1, dry_run=True)
    assert set(states(world).values()) == {"released"}
    assert there(hub, "bundles") == list(range(1, 10))
    done = sweep(hub, actor="ada", keep=1)
    assert (told.releases, told.datasets, told.files, told.bytes) == (
        done.releases,
        done.datasets,
        done.files,
        done.bytes,
    )


def test_a_removed_release_is_neither_approved_nor_rolled_out(hub, world):
    sweep(hub, actor="ada", keep=1)
    with pytest.raises(ConflictError, match=f"the files of {USE_CASE}/4 were removed on"):
        approve(hub, f"{USE_CASE}/4", person="ada")
    with pytest.raises(
        ConflictError, match=f"the files of {USE_CASE}/4 were removed: train the use case again"
    ):
        world.rollouts.start(plan(f"{USE_CASE}/4"), actor="ada")


def test_a_device_that_lies_idle_in_a_drawer_keeps_its_release_until_it_is_retired(hub, world):
    world.add_devices("edge-2")
    world.run_release("edge-2", f"{USE_CASE}/4")
    assert f"{USE_CASE}/4" in sweep(hub, actor="ada", keep=1).kept
    world.retire("edge-2")
    assert sweep(hub, actor="ada", keep=1).releases == [f"{USE_CASE}/4"]


def test_a_rollout_that_starts_first_keeps_its_release(hub, world):
    """The sweep waits for whoever holds the use case's rollouts, and then sees what they did."""
    found = []
    with world.database.transaction() as connection:
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtext('andon.rollout'), hashtext(%s))", [USE_CASE]
        )
        sweeping = Thread(target=lambda: found.append(sweep(hub, actor="ada", keep=1)))
        sweeping.start()
        time.sleep(0.3)
        assert sweeping.is_alive()
        assert set(states(world).values()) == {"released"}
        connection.execute(
            """INSERT INTO rollout (id, use_case, release, plan, state, correlation, created_by, created, changed)
               VALUES ('late', %s, %s, '{}', 'running', '', 'bob', now(), now())""",
            [USE_CASE, f"{USE_CASE}/6"],
        )
    sweeping.join()
    assert found[0].kept[f"{USE_CASE}/6"] == ["a rollout is under way"]
    assert states(world)[6] == "released"


def test_datasets_stay_while_a_training_may_be_reading_one(hub, world):
    world.database.execute(
        "INSERT INTO run (id, use_case, state, correlation, created) VALUES ('r', %(u)s, 'queued', '', now())",
        {"u": USE_CASE},
    )
    found = sweep(hub, actor="ada", keep=1)
    assert (len(found.releases), found.datasets) == (6, [])
    world.database.execute("UPDATE run SET state = 'failed' WHERE id = 'r'")
    assert len(sweep(hub, actor="ada", keep=1).datasets) == 6


def test_files_that_a_killed_sweep_left_are_taken_by_the_next(hub, world):
    sweep(hub, actor="ada", keep=1)
    left = hub.artifacts / "models" / USE_CASE / "4.onnx"
    left.write_bytes(b"left")
    assert sweep(hub, actor="ada", keep=1).files == [str(left)]
    assert not left.exists()


def test_datasets_that_lie_elsewhere_go_too_and_a_place_that_is_away_is_named(hub, world):
    elsewhere = fsspec.filesystem("memory")
    for name in ("d-3.parquet", "d-3.json"):
        elsewhere.pipe(f"/plant/{name}", b"rows")
    move = "UPDATE dataset SET path = %(path)s WHERE id = %(id)s"
    world.database.execute(move, {"id": "d-3", "path": "memory://plant/d-3.parquet"})
    world.database.execute(move, {"id": "d-4", "path": "nowhere://plant/d-4.parquet"})
    with pytest.raises(UnreachableError, match=r"nowhere://plant/d-4.* cannot be removed"):
        sweep(hub, actor="ada", keep=1)
    world.database.execute(move, {"id": "d-4", "path": "datasets/d-4.parquet"})
    assert {"d-3", "d-4"} < set(sweep(hub, actor="ada", keep=1).datasets)
    assert not elsewhere.exists("/plant/d-3.parquet")
    assert not elsewhere.exists("/plant/d-3.json")


def test_to_keep_nothing_is_refused(hub):
    with pytest.raises(ConflictError, match="at least 1 version"):
        sweep(hub, actor="ada", keep=0)


def test_a_dataset_goes_only_with_the_last_model_made_of_it():
    rows = [{"release": f"u/{n}", "use_case": "u", "needed": []} for n in (3, 2, 1)]
    datasets = [
        {"id": "shared", "models": ["u/1", "u/3"], "training": False},
        {"id": "old", "models": ["u/1"], "training": False},
    ]
    assert [row["id"] for row in what_may_go(rows, datasets, keep=2).datasets] == ["old"]
