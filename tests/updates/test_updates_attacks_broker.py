"""A broker that lies: it has every message that was ever sent, and no key.

Whatever it does with them, a device runs what a director wished last of what it was
shown, never goes back to an older wish, and never hears a neighbour's.
"""

import random

import pytest
from update_parts import HOUR_US, USE_CASE, refused


@pytest.mark.parametrize("seed", range(3))
def test_a_broker_that_replays_reorders_drops_and_flips_changes_nothing(hub, device, seed):
    chance = random.Random(seed)
    for version in (2, 3):
        hub.publish(version)
    wishes = [hub.offer(version) for version in (2, 1, 3)]
    neighbours = [hub.offer(version, device="press-05", key_fingerprint="0" * 64) for version in (2, 3)]
    deck = [*wishes, *neighbours, *(flipped(wish, chance) for wish in wishes * 3)] * 2
    chance.shuffle(deck)
    dropped = deck.index(wishes[-1])  # what comes after may repeat it
    highest = 0
    for message in deck[:dropped]:
        device.commit(message)
        accepted = device.updates.use_case_states()[0].accepted_sequence
        assert accepted >= highest, "it went back to an older wish"
        highest = accepted
    device.commit(wishes[-1])
    assert (device.state, device.release) == ("committed", "motor-health/3")
    for message in deck[dropped:]:
        device.commit(message)
    assert (device.state, device.release) == ("committed", "motor-health/3")
    assert device.boot().running()[USE_CASE].release == "motor-health/3"


def test_a_flood_holds_up_neither_the_genuine_wish_nor_the_hub(hub, device):
    """Hundreds of replays and forgeries before it, as fast as they come: the newest is heard."""
    hub.publish(2)
    old, chance = hub.offer(1), random.Random(0)
    wish = hub.offer(2)
    for _ in range(300):
        device.updates.offer(USE_CASE, old)
        device.updates.offer(USE_CASE, flipped(wish, chance))
    device.commit(wish)
    assert (device.state, device.release) == ("committed", "motor-health/2")
    assert len([report for report in device.reports if report.state == "refused"]) <= 10


def test_a_wish_that_was_held_back_until_it_expired_is_refused(attacked):
    hub, device = attacked
    held = hub.offer(2)
    device.clock.ahead_us = 25 * HOUR_US
    device.offer(held)
    assert refused(device, "expired at", sequence=hub.sequence)


def test_a_wish_that_was_held_back_for_a_newer_one_is_refused_as_a_downgrade(hub, device):
    hub.publish(2)
    held, newer = hub.offer(1), hub.offer(2)
    device.commit(newer)
    device.reports.clear()
    device.offer(held)
    assert refused(device, "directive 2 offered, 3 already accepted", sequence=0)
    assert device.release == "motor-health/2"


def flipped(message, chance):
    """``message`` with one bit of it changed."""
    place = chance.randrange(len(message))
    return message[:place] + bytes([message[place] ^ 1 << chance.randrange(7)]) + message[place + 1 :]
