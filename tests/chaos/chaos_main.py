"""``make chaos MINUTES=n SEED=s``: a factory of real processes under fire, then every sample accounted for.

The last line is ``lost 0, doubled 0, unexplained 0, kills N, cuts M, samples K``, and the exit status 0 only where
it begins so and nothing else was wrong: no process ended by itself, ingest's memory stayed bounded, and every
fault that this machine permits was done. What a sample must be to count as which is told in ``chaos_check``.
On failure the folder with every log is kept and named.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from chaos_check import Verdict, compare
from chaos_faults import Faults
from chaos_hub_image import HubImage
from chaos_schedule import Fault, Kind, plan
from chaos_settle import Keeper, drain, gaps, heal, quarantined, stored
from chaos_truth import produced
from chaos_world import DEVICES, INGESTS, World

MOST_MB = 400.0  # resident, of one ingest process; its imports alone take 90
WARM_S = 4.0
AT_ONCE = 24


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=2.0, help="of faults; quiet and comparison come on top"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="kinds of faults, with commas between")
    parser.add_argument("--keep", action="store_true", help="keep the folder of logs in any case")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="andon-chaos-"))
    world = World(root, options.seed)
    good = False
    try:
        done = storm(world, options.seed, options.minutes * 60, only=options.only)
        verdict = judge(world)
        problems = troubles(world, done)
        show(world, verdict, done, problems)
        good = verdict.holds and not problems
    except Exception:
        traceback.print_exc(file=sys.stdout)
    finally:
        world.stop()
    if good and not options.keep:
        shutil.rmtree(root)
    else:
        print(f"logs and truth are kept in {root}")
    if "verdict" in locals():
        print(last_line(world, verdict))
    return 0 if good else 1


def storm(world: World, seed: int, seconds: float, *, only: str) -> list[Fault]:
    """Set up, do every fault of the plan, heal and drain; the faults that were done."""
    world.set_up()
    world.start()
    faults = Faults(world, HubImage(world) if HubImage.exists(world) else None)
    possible = faults.possible()
    for kind, why in possible.items():
        if why:
            print(f"not to be had here: {kind}: {why}")
    wanted = {Kind(name) for name in only.split(",") if name} or set(Kind)
    kinds = [kind for kind, why in possible.items() if not why and kind in wanted]
    planned = plan(seed, seconds, kinds=kinds, agents=DEVICES, ingests=INGESTS)
    time.sleep(WARM_S)
    world.notes.say(f"seed {seed}: {len(planned)} faults of {len(kinds)} kinds in {seconds:.0f} s")
    keeper = Keeper(world)
    keeper.start()
    try:
        _perform(faults, planned)
        heal(world)
        world.notes.say("healed")
    finally:
        keeper.stop()
    drain(world)
    return planned


def _perform(faults: Faults, planned: list[Fault]) -> None:
    began = time.monotonic()
    pending: list[Future[None]] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for fault in planned:
            time.sleep(max(0.0, began + fault.at_s - time.monotonic()))
            pending.append(pool.submit(faults.do, fault))
            for future in [item for item in pending if item.done()]:
                future.result()
    for future in pending:
        future.result()


def judge(world: World) -> Verdict:
    truth = {feed: produced(world.truth, feed) for feed in world.feeds.names}
    there, told = stored(world), gaps(world)
    np.save(world.root / "stored.npy", there)
    rows = {
        "gaps": [asdict(gap) for gap in told],
        "windows": [asdict(window) for window in world.notes.windows],
    }
    (world.root / "explanations.json").write_text(json.dumps(rows, indent=1))
    return compare(truth, there, gaps=told, windows=world.notes.windows, seen=world.tap.seen())


def troubles(world: World, done: list[Fault]) -> list[str]:
    """What is wrong although every sample may be accounted for."""
    found = list(world.notes.deaths)
    if world.notes.most_mb > MOST_MB:
        found.append(f"an ingest process took {world.notes.most_mb:.0f} MB, expected at most {MOST_MB:.0f}")
    if world.tap.strange:
        found.append(f"{world.tap.strange} messages on the wire were no batches")
    for log in sorted(world.logs.glob("*.log")):
        if "Traceback" in log.read_text(errors="replace"):
            found.append(f"a traceback in {log}")
    return found


def show(world: World, verdict: Verdict, done: list[Fault], problems: list[str]) -> None:
    counts = Counter(fault.kind for fault in done)
    print("faults:", ", ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))
    print(
        f"stored {verdict.stored} of {verdict.samples} samples, explained {verdict.explained}"
        f" ({', '.join(f'{reason} {count}' for reason, count in sorted(verdict.by_reason.items()))})"
    )
    told = ", ".join(f"{reason} {length:.1f}" for reason, length in sorted(verdict.told_s.items()))
    print(
        f"gaps tell of {verdict.gap_s:.1f} device seconds ({told}), {verdict.beyond_s:.1f} of them beyond any fault"
    )
    print(f"on the wire {world.tap.batches} batches, {world.tap.bytes} bytes; ingest took at most {world.notes.most_mb:.0f} MB")  # fmt: skip
    for reason, count in quarantined(world).items():
        print(f"in quarantine: {count} x {reason}")
    for example in verdict.examples:
        near = ", ".join(example.faults) or "no fault of its feed"
        print(f"{example.verdict}: {example.feed} signal {example.key} at {_at(world, example.time_us):.3f} s, value {example.value!r}: {near}")  # fmt: skip
    for problem in problems:
        print(f"wrong: {problem}")


def _at(world: World, time_us: int) -> float:
    """A time of a sample on the timeline's scale."""
    return time_us / 1e6 - time.time() + time.monotonic() - world.notes.began


def last_line(world: World, verdict: Verdict) -> str:
    return (
        f"lost {verdict.lost}, doubled {verdict.doubled}, unexplained {verdict.unexplained}, "
        f"kills {world.notes.kills}, cuts {world.notes.cuts}, samples {verdict.samples}"
    )


if __name__ == "__main__":
    sys.exit(main())
