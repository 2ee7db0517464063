"""The comparison can fail: every way to spoil a sound result is told, by name and number."""

import numpy as np
import pytest
from chaos_check import SEEN, Gap, Verdict, Window, compare
from chaos_schedule import LONG, Kind, plan
from chaos_truth import SAMPLE, Samples

EPOCH = 77
RATE = 10  # samples a second


def sound(seed: int) -> tuple[Samples, Samples, list[Gap], list[Window], np.ndarray]:
    """A device whose agent was dead from second 20 to 30, and all else stored."""
    chance = np.random.default_rng(seed)
    produced = np.zeros(1000, SAMPLE)
    produced["key"] = np.arange(1000) % 3
    produced["time"] = 1_000_000 * (1 + np.arange(1000) / RATE)
    produced["value"] = chance.normal(size=1000)
    dead = (produced["time"] >= 20_000_000) & (produced["time"] <= 30_000_000)
    stored = produced[~dead].copy()
    chance.shuffle(stored)
    seen = np.zeros(len(stored), SEEN)
    for name in ("key", "time", "value"):
        seen[name] = stored[name]
    seen["epoch"], seen["sequence"] = EPOCH, 1 + stored["time"] // 1_000_000
    gaps = [Gap(device=0, reason="agent-down", from_us=19_900_000, to_us=30_100_000)]
    windows = [Window(feed="dev-1", from_us=18_000_000, to_us=32_000_000, fault="#1 kill-agent")]
    return produced, stored, gaps, windows, seen


def judged(
    produced: Samples, stored: Samples, gaps: list[Gap], windows: list[Window], seen: np.ndarray
) -> Verdict:
    return compare({"dev-1": produced}, stored, gaps=gaps, windows=windows, seen=seen)


@pytest.mark.parametrize("seed", range(5))
def test_a_sound_run_holds_and_its_gap_is_explained(seed: int) -> None:
    verdict = judged(*sound(seed))
    assert verdict.holds
    assert (verdict.samples, verdict.stored, verdict.explained) == (1000, 899, 101)
    assert verdict.by_reason == {"agent-down": 101}
    assert verdict.gap_s == pytest.approx(10.2)
    assert verdict.beyond_s == 0


@pytest.mark.parametrize("seed", range(5))
def test_a_row_that_is_dropped_is_lost_where_it_was_seen_and_unexplained_else(seed: int) -> None:
    produced, stored, gaps, windows, seen = sound(seed)
    at = seed * 100
    victim = stored[at]
    spoiled = np.delete(stored, at)
    told = judged(produced, spoiled, gaps, windows, seen)
    inside = 19_900_000 <= victim["time"] <= 30_100_000
    assert (told.lost, told.unexplained, told.doubled) == (0 if inside else 1, 0, 0)
    told = judged(produced, spoiled, gaps, windows, np.delete(seen, at))
    assert (told.lost, told.unexplained) == (0, 0 if inside else 1)


@pytest.mark.parametrize("seed", range(5))
def test_a_row_that_is_doubled_is_told(seed: int) -> None:
    produced, stored, gaps, windows, seen = sound(seed)
    spoiled = np.append(stored, stored[seed * 150 : seed * 150 + 2])
    verdict = judged(produced, spoiled, gaps, windows, seen)
    assert (verdict.lost, verdict.doubled, verdict.unexplained) == (0, 2, 0)
    assert [example.verdict for example in verdict.examples] == ["doubled", "doubled"]


def test_a_gap_that_is_removed_leaves_its_samples_unexplained() -> None:
    produced, stored, _, windows, seen = sound(1)
    verdict = judged(produced, stored, [], windows, seen)
    assert (verdict.lost, verdict.doubled, verdict.unexplained) == (0, 0, 101)
    assert verdict.examples[0].faults == ("#1 kill-agent",)


def test_a_giant_gap_explains_nothing_beyond_the_faults() -> None:
    produced, stored, _, windows, seen = sound(1)
    blanket = [Gap(device=0, reason="disk-full", from_us=1, to_us=200_000_000)]
    kept = stored[stored["time"] < 50_000_000]
    verdict = judged(produced, kept, blanket, windows, seen)
    assert verdict.lost == len(stored) - len(kept)
    assert verdict.beyond_s > 180


def test_a_gap_of_another_machine_or_device_explains_nothing() -> None:
    produced, stored, _gaps, windows, seen = sound(1)
    for other in (Gap(device=1, reason="x", from_us=1, to_us=10**9), Gap(device=0, machine=1, reason="x", from_us=1, to_us=10**9)):  # fmt: skip
        assert judged(produced, stored, [other], windows, seen).unexplained == 101


def test_sequences_explain_what_travelled_in_them_and_nothing_else() -> None:
    produced, stored, gaps, windows, seen = sound(1)
    where = (stored["time"] >= 40_000_000) & (stored["time"] < 42_000_000)
    left = stored[~where]
    window = Window(feed="dev-1", from_us=39_000_000, to_us=43_000_000, fault="#2 restore-hub")
    gap = Gap(device=0, reason="lost-at-hub", epoch=EPOCH, first=41, last=42)
    assert judged(produced, left, [*gaps, gap], [*windows, window], seen).holds
    half = Gap(device=0, reason="lost-at-hub", epoch=EPOCH, first=41, last=41)
    assert judged(produced, left, [*gaps, half], [*windows, window], seen).lost == 10
    other = Gap(device=0, reason="lost-at-hub", epoch=EPOCH + 1, first=41, last=42)
    assert judged(produced, left, [*gaps, other], [*windows, window], seen).lost == 20


def test_another_value_is_both_lost_and_doubled() -> None:
    produced, stored, gaps, windows, seen = sound(3)
    stored["value"][0] = np.nextafter(stored["value"][0], 9)
    verdict = judged(produced, stored, gaps, windows, seen)
    assert (verdict.lost, verdict.doubled) == (1, 1)


def test_a_plan_is_its_seeds_alone_and_has_every_kind() -> None:
    agents, ingests = ["dev-1", "dev-2"], ["ingest-1", "ingest-2"]
    plans = [plan(seed, 90, kinds=list(Kind), agents=agents, ingests=ingests) for seed in (1, 1, 2, 3, 4)]
    assert plans[0] == plans[1] != plans[2]
    for faults in plans:
        assert {fault.kind for fault in faults} == set(Kind)
        assert all(0 < fault.at_s < 90 for fault in faults)
        assert min(fault.at_s for fault in faults if fault.kind in LONG) < 45
