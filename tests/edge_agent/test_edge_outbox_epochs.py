"""Which epochs an outbox goes on naming, however often it is opened; the hub takes a silence for a loss."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.draft import Draft
from edge_agent.outbox import Outbox
from wire.batch import BatchClass, ReportEvent
from wire.messages import MOST_EPOCHS, Marks

RESTARTS = 25


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    return tmp_path / "outbox.db"


def write(outbox: Outbox) -> None:
    event = ReportEvent(time_us=0, use_case="u", directive_sequence=1, state="idle", event="accepted")
    draft = Draft(batch_class=BatchClass.ALARM, table_hash=bytes(32), events=(event,))
    outbox.commit([draft], now_us=0)


def known_to_the_hub(path: Path, *, batches: int = 1) -> int:
    """The epoch of an opening whose birth and batches the hub had, and answered."""
    outbox = Outbox.open(path, max_bytes=1 << 30)
    outbox.introduce()
    for _ in range(batches):
        write(outbox)
    outbox.forget([Marks(epoch=outbox.epoch, mark=batches)])
    outbox.close()
    return outbox.epoch


def named(path: Path, *, heard: tuple[Marks, ...] = (), introduced: bool = False) -> list[int]:
    """What the next opening would name in a birth."""
    outbox = Outbox.open(path, max_bytes=1 << 30)
    epochs = [item.epoch for item in (outbox.introduce() if introduced else outbox.floors())]
    outbox.forget(heard)
    outbox.close()
    return epochs


@pytest.mark.parametrize("batches", [0, 1])
def test_an_agent_that_restarts_offline_goes_on_naming_the_epoch_that_the_hub_knows(
    path: Path, batches: int
) -> None:
    last = known_to_the_hub(path, batches=batches)
    for _ in range(RESTARTS):
        assert last in named(path)
    assert len(named(path)) == 3, "that one, the one before and its own: the hub never heard of the others"


def test_an_agent_that_restarts_before_the_hub_answers_names_every_epoch_that_the_hub_may_know(
    path: Path,
) -> None:
    told = [known_to_the_hub(path)]
    for _ in range(RESTARTS):
        names = named(path, introduced=True)
        assert names[:-1] == told, "each birth may have been the last that came"
        told.append(names[-1])


def test_what_was_settled_is_not_named_any_more_once_the_hub_knows_a_later_epoch(path: Path) -> None:
    last = known_to_the_hub(path)
    for _ in range(RESTARTS):
        named(path)
    outbox = Outbox.open(path, max_bytes=1 << 30)
    outbox.introduce()
    outbox.forget([Marks(epoch=last, mark=1)])
    assert last in [item.epoch for item in outbox.floors()], "it may still be the current one there"
    outbox.forget([Marks(epoch=item.epoch, mark=0) for item in outbox.floors()])
    assert [item.epoch for item in outbox.floors()] == [outbox.epoch]
    outbox.close()


def test_a_birth_names_no_more_epochs_than_the_hub_takes_and_those_first_that_it_knows(path: Path) -> None:
    last = known_to_the_hub(path)
    for _ in range(MOST_EPOCHS + 9):
        outbox = Outbox.open(path, max_bytes=1 << 30)
        write(outbox)
        outbox.close()
    outbox = Outbox.open(path, max_bytes=1 << 30)
    names = [item.epoch for item in outbox.introduce()]
    assert len(names) == MOST_EPOCHS
    assert (names[0], names[-1]) == (last, outbox.epoch)
    assert outbox.backlog.batches == MOST_EPOCHS + 9, "the others are held all the same"
    outbox.close()
