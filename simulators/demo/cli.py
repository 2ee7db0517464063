"""``andon demo``: choose the story, play it, show the facts, and stay until Ctrl-C."""

import json
import signal
import time
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from simulators.demo.errors import DemoError
from simulators.demo.factory import Factory, claim, default_folder
from simulators.demo.facts import Fact
from simulators.demo.progress import Progress
from simulators.demo.pump_story import FACTOR, PumpStory
from simulators.demo.turbofan_story import TurbofanStory, recording_in
from wire.clock import MICROSECONDS, Clock

SPAN_DAYS = 300  # of history before the scaled clock has caught up with real time
PARTITION_HOURS = 72.0
REPLAY_DAYS = 60.0


def demo(
    *,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the facts; status 1 if one is wrong.")
    ] = False,
    minutes: Annotated[float, typer.Option(min=0.5, help="Give up if the story is not told by then.")] = 15.0,
    data: Annotated[
        Path | None, typer.Option(help="A folder with C-MAPSS FD001: tell the story on recorded engines.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to keep everything; emptied first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the facts as JSON at the end.")] = False,
    seed: Annotated[int, typer.Option(help="Another seed, other machines.")] = 7,
) -> None:
    """Run the whole factory on this machine and watch the loop close."""
    console = Console(stderr=as_json)
    if data is not None:
        recording_in(data, "train_FD001")
    with ExitStack() as stack:
        place = (folder or default_folder()).absolute()
        stack.enter_context(claim(place))
        _obey_signals()
        _limit(minutes)
        story = _story(place, data, seed, Progress(console))
        stack.callback(_stop, story.factory, console)
        began = time.monotonic()
        facts = story.tell()
        signal.setitimer(signal.ITIMER_REAL, 0)
        _conclude(story, facts, time.monotonic() - began)
        if as_json:
            typer.echo(json.dumps([asdict(fact) for fact in facts]))
        if not leave:
            console.print("The console stays up; Ctrl-C stops everything.")
            while True:
                story.live_on()
    raise typer.Exit(0 if all(fact.holds for fact in facts) else 1)


def _story(place: Path, data: Path | None, seed: int, progress: Progress) -> PumpStory | TurbofanStory:
    if data is not None:
        factory = Factory(place, Clock.real(), store_days=REPLAY_DAYS, partition_hours=24)
        return TurbofanStory(factory=factory, progress=progress, data=data.absolute())
    start = Clock.real().now() - timedelta(days=SPAN_DAYS)
    clock = Clock(round(start.timestamp() * MICROSECONDS), FACTOR, time.time())
    factory = Factory(place, clock, store_days=SPAN_DAYS + 30.0, partition_hours=PARTITION_HOURS)
    return PumpStory(factory=factory, progress=progress, seed=seed)


def _conclude(story: PumpStory | TurbofanStory, facts: list[Fact], seconds: float) -> None:
    story.progress.facts(facts)
    wrong = [fact.name for fact in facts if not fact.holds]
    verdict = f"[red]{len(wrong)} facts are wrong: {', '.join(wrong)}[/red]" if wrong else "every fact holds"
    story.progress.say(f"{verdict}; told in {seconds:.0f} s")


def _stop(factory: Factory, console: Console) -> None:
    with console.status("stopping devices, machines and hub"):
        factory.stop()


def _obey_signals() -> None:
    """SIGTERM ends the story as Ctrl-C does: everything is stopped in order."""

    def interrupt(number: int, _: object) -> None:
        raise typer.Exit(128 + number)

    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)


def _limit(minutes: float) -> None:
    def give_up(*_: object) -> None:
        raise DemoError(f"the story was not told within {minutes:g} minutes")

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
