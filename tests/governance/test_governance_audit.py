"""The audit chain: no act without an entry, and no entry changed without it showing."""

import threading

import pytest
from rollout_world import World

from cloud_hub.governance import audit


@pytest.fixture
def world(database):
    made = World(database)
    yield made
    made.close()


def append(world, subject="motor-health/1", **changes):
    act = {"actor": "ada", "action": "release.approve", "subject": subject} | changes
    with world.database.transaction() as connection:
        return audit.append(connection, world.clock, **act)


def append_and_fail(connection, world):
    audit.append(connection, world.clock, actor="ada", action="x", subject="y")
    raise RuntimeError


def verify(world):
    with world.database.transaction() as connection:
        return audit.verify(connection)


def test_an_untouched_chain_is_sound(world):
    details = [
        {},
        {"ratio": 1e22, "share": 0.1},
        {"text": 'ü \u0007 "quoted"', "nested": {"b": [1, None], "a": True}},
    ]
    for detail in details:
        append(world, detail=detail, correlation="trace-1")
    found = verify(world)
    assert (found.entries, found.broken) == (3, None)
    with world.database.transaction() as connection:
        assert [row["detail"] for row in audit.newest(connection)] == details[::-1]


@pytest.mark.parametrize(
    ("tampering", "broken", "why"),
    [
        ("UPDATE audit SET actor = 'eve' WHERE id = 2", 2, "expected hash"),
        ('UPDATE audit SET detail = \'{"override": ""}\' WHERE id = 2', 2, "expected hash"),
        ("UPDATE audit SET time = time + interval '1 us' WHERE id = 2", 2, "expected hash"),
        ("DELETE FROM audit WHERE id = 2", 3, "expected entry 2, got 3"),
        ("DELETE FROM audit WHERE id = 1", 2, "expected entry 1, got 2"),
        ("UPDATE audit SET previous = hash WHERE id = 3", 3, "expected it to follow"),
        ("UPDATE audit SET id = 9 WHERE id = 4", 9, "expected entry 4, got 9"),
    ],
)
def test_tampering_shows_at_the_entry_it_touched(world, tampering, broken, why):
    for number in range(4):
        append(world, detail={"number": number})
    world.database.execute(tampering)
    found = verify(world)
    assert (found.broken, found.entries) == (
        broken,
        min(broken, 4) - 1 if "UPDATE" in tampering else broken - 2,
    )
    assert why in found.why


def test_an_entry_rehashed_by_the_tamperer_breaks_the_next(world):
    for number in range(3):
        append(world, detail={"number": number})
    row = world.database.row("SELECT *, detail::text AS detail FROM audit WHERE id = 2")
    forged = row | {"actor": "eve"}
    world.database.execute(
        "UPDATE audit SET actor = 'eve', hash = %(hash)s WHERE id = 2", {"hash": audit.seal(forged)}
    )
    found = verify(world)
    assert (found.broken, found.entries) == (3, 2)


def test_an_act_undone_leaves_no_entry_and_no_hole(world):
    append(world)
    with pytest.raises(RuntimeError), world.database.transaction() as connection:
        append_and_fail(connection, world)
    assert append(world) == 2
    assert verify(world).broken is None


def test_many_writers_make_one_chain(world):
    threads = [threading.Thread(target=lambda: [append(world) for _ in range(10)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (verify(world).entries, verify(world).broken) == (40, None)


def test_entries_are_found_by_subject_and_correlation(world):
    append(world, subject="a", correlation="one")
    append(world, subject="b", correlation="one")
    append(world, subject="a", correlation="two")
    with world.database.transaction() as connection:
        assert [row["id"] for row in audit.newest(connection, subject="a")] == [3, 1]
        assert [row["id"] for row in audit.newest(connection, correlation="one")] == [2, 1]
        assert [row["id"] for row in audit.newest(connection, limit=1)] == [3]
