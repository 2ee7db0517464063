"""What a person sees while the factory works: one line a stage, live where there is a terminal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.table import Table

from simulators.demo.facts import Fact


class Stage:
    """One stage of the story while it runs."""

    def __init__(self, title: str, status: Status | None) -> None:
        self.title = title
        self.outcome = ""
        self._status = status

    def tell(self, text: str) -> None:
        """What is happening now."""
        if self._status is not None:
            self._status.update(f"{self.title}  [dim]{text}[/dim]")

    def done(self, outcome: str) -> None:
        """What came of it, shown when the stage ends."""
        self.outcome = outcome


class Progress:
    """The stages of a story, each timed."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        began = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(title) as status:
                stage = Stage(title, status)
                yield stage
        else:
            stage = Stage(title, None)
            yield stage
        took = self.seconds[title] = time.monotonic() - began
        self.console.print(
            f"[green]✓[/green] {title:<34} [dim]{took:5.1f} s[/dim]  {stage.outcome}",
            highlight=False,
            soft_wrap=True,
        )

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def facts(self, facts: list[Fact]) -> None:
        table = Table(title="Facts, read from the database", title_justify="left", show_lines=False)
        for column in ("fact", "found", "expected", ""):
            table.add_column(column, overflow="fold")
        for fact in facts:
            table.add_row(
                fact.name, fact.found, fact.expected, "[green]✓[/green]" if fact.holds else "[red]✗[/red]"
            )
        for title, seconds in self.seconds.items():
            table.add_row(f"time: {title}", f"{seconds:.1f} s", "", "")
        self.console.print(table)
