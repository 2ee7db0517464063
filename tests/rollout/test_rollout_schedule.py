"""When waves can end at the earliest: never before what windows, shares and soaks allow. Without a database."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_hub.rollout.drafts import Draft
from cloud_hub.rollout.preview import ChangedError, Preview, foresee
from cloud_hub.rollout.schedule import earliest
from cloud_hub.rollout.selection import Candidate

NOW = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)  # a Wednesday
HOUR = timedelta(hours=1)


def device(number: int, zone: str = "UTC", **more: str) -> Candidate:
    return Candidate(id=number, name=f"cell-{number}", site=zone, zone=zone, why="", **more)


def ahead(devices: list[Candidate], rollout: str = "m-1.1", **fields: str) -> Preview:
    plan = Draft.of({"release": ["m/1"], **{name: [text] for name, text in fields.items()}}).read().plan
    assert plan is not None
    return foresee(plan, devices, NOW, rollout=rollout)


def test_without_windows_or_soaks_nothing_has_to_wait() -> None:
    found = earliest(ahead([device(1), device(2), device(3)]), NOW)
    assert [(each.wave, each.devices, each.opens, each.ends) for each in found] == [
        (1, 1, NOW, NOW),
        (2, 1, NOW, NOW),
        (3, 1, NOW, NOW),
    ]


def test_each_wave_follows_the_soak_of_the_one_before() -> None:
    found = earliest(ahead([device(1), device(2)], soak="24", waves="1, 100%", approve="2"), NOW)
    assert [each.opens for each in found] == [NOW, NOW + 24 * HOUR]
    assert found[-1].ends == NOW + 48 * HOUR
    assert [each.approval for each in found] == [False, True]


def test_a_wave_waits_for_the_last_window_of_its_sites() -> None:
    devices = [device(1, "Europe/Paris"), device(2, "Asia/Tokyo"), device(3, "Asia/Tokyo")]
    (wave,) = earliest(ahead(devices, waves="100%", windows="sat 02:00-04:00"), NOW)
    tokyo, paris = datetime(2026, 11, 27, 17, tzinfo=UTC), datetime(2026, 11, 28, 1, tzinfo=UTC)
    assert wave.by_zone == (("Asia/Tokyo", 2, tokyo), ("Europe/Paris", 1, paris))
    assert (wave.offered, wave.asked, wave.ends) == (tokyo, paris, paris)


def test_where_a_share_is_enough_the_next_wave_waits_for_no_more_but_the_end_for_all() -> None:
    devices = [
        device(1, "Asia/Tokyo"),
        device(2, "Asia/Tokyo"),
        device(3, "Europe/Paris"),
        device(4, "Asia/Tokyo"),
    ]
    found = earliest(
        ahead(devices, waves="3, 100%", windows="sat 02:00-04:00", succeed="60%", tolerate="10%"), NOW
    )
    assert found[0].asked == datetime(2026, 11, 27, 17, tzinfo=UTC)
    assert found[1].opens == found[0].asked
    (whole,) = earliest(ahead(devices, waves="100%", windows="sat 02:00-04:00", succeed="60%"), NOW)
    assert whole.asked == datetime(2026, 11, 28, 1, tzinfo=UTC)


@given(st.integers(1, 40), st.sampled_from(["1, 50%, 100%", "100%", "3, 7, 100%"]), st.integers(0, 90))
def test_every_device_is_in_one_wave_and_time_only_goes_forward(many: int, waves: str, soak: int) -> None:
    look = ahead([device(number) for number in range(many)], waves=waves, soak=str(soak))
    found = earliest(look, NOW)
    assert sum(each.devices for each in found) == many
    assert all(each.opens <= each.offered <= each.asked <= each.ends for each in found)
    assert found[-1].ends - NOW == len(found) * soak * HOUR


def test_a_seal_holds_what_would_start_and_nothing_else() -> None:
    look = ahead([device(1), device(2)])
    look.check_seal(ahead([device(1, runs="m/0"), device(2)]).seal)  # what one runs now changes nothing
    changes = {
        "other devices match": ahead([device(1), device(3)]),
        "in other waves": ahead([device(2), device(1)]),
        "another rollout of this release": ahead([device(1), device(2)], rollout="m-1.2"),
        "the plan is another one": ahead([device(1), device(2)], soak="3"),
    }
    for said, other in changes.items():
        with pytest.raises(ChangedError, match=said):
            look.check_seal(other.seal)
    for seal in ("m-1.1", look.seal + " more"):
        with pytest.raises(ChangedError, match="it was never foreseen"):
            look.check_seal(seal)
