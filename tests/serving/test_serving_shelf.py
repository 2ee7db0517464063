"""Which releases answer, whatever the registry says or does not say: a catalogue in memory."""

import threading
from pathlib import Path

import pytest

from cloud_hub.errors import ConflictError, NotFoundError, UnreachableError
from cloud_hub.serving.catalogue import Entry
from cloud_hub.serving.shelf import OTHERS, STALE_S, Follower, Shelf
from tests.serving.serving_world import bundle_of
from wire.bundle import Bundle


class InMemory:
    """What a registry knows: the bundles it released, and the version that is champion."""

    def __init__(self, *versions: int) -> None:
        self.bundles = {f"engine-life/{version}": bundle_of(version, life=version) for version in versions}
        self.champion: int | None = versions[0]
        self.away = False
        self.kept: set[str] = set()
        self.opened: list[str] = []
        self.now = 0.0

    def standing(self) -> list[Entry]:
        if self.away:
            raise UnreachableError("the database does not answer")
        return [] if self.champion is None else [self.find(f"engine-life/{self.champion}")]

    def find(self, release: str) -> Entry:
        if release not in self.bundles:
            raise NotFoundError("release", release)
        return Entry(release=release, use_case="engine-life", file=Path(release), sha256="")

    def open(self, entry: Entry) -> Bundle:
        self.opened.append(entry.release)
        return self.bundles[entry.release]

    def shelf(self) -> Shelf:
        return Shelf(self, self.open, self.forget, clock=lambda: self.now)

    def forget(self, kept: set[str]) -> None:
        self.kept = kept


def release_of(shelf: Shelf, named: str) -> str | None:
    scorer = shelf.ready(named)
    return scorer.manifest.release if scorer else None


def test_it_is_ready_once_it_has_looked_though_there_is_no_champion() -> None:
    registry = InMemory(1)
    registry.champion = None
    shelf = registry.shelf()
    assert not shelf.is_ready()
    shelf.refresh()
    assert (shelf.is_ready(), shelf.releases(), release_of(shelf, "engine-life")) == (True, set(), None)


def test_a_registry_that_is_away_changes_nothing() -> None:
    registry = InMemory(1)
    shelf = registry.shelf()
    shelf.refresh()
    registry.away = True
    with pytest.raises(UnreachableError):
        shelf.refresh()
    assert release_of(shelf, "engine-life") == "engine-life/1"


def test_a_champion_that_was_taken_up_is_not_opened_again() -> None:
    registry = InMemory(1)
    shelf = registry.shelf()
    for _ in range(3):
        shelf.refresh()
    assert registry.opened == ["engine-life/1"]


def test_a_champion_that_is_none_any_more_is_let_go() -> None:
    registry = InMemory(1)
    shelf = registry.shelf()
    shelf.refresh()
    registry.champion = None
    shelf.refresh()
    assert release_of(shelf, "engine-life") is release_of(shelf, "engine-life/1") is None


def test_the_last_few_others_stay_and_the_champion_with_them() -> None:
    registry = InMemory(*range(1, OTHERS + 3))
    shelf = registry.shelf()
    shelf.refresh()
    others = [f"engine-life/{version}" for version in range(2, OTHERS + 3)]
    for release in others:
        assert shelf.find(release).manifest.release == release
    shelf.refresh()
    assert registry.kept == {"engine-life/1", *others[1:]}
    assert release_of(shelf, others[0]) is None


def test_a_network_that_answers_otherwise_is_no_champion_and_none_on_demand() -> None:
    registry = InMemory(1, 2)
    registry.bundles["engine-life/2"] = bundle_of(2, life=2.0, golden_off=1.0)
    shelf = registry.shelf()
    shelf.refresh()
    registry.champion = 2
    shelf.refresh()
    assert release_of(shelf, "engine-life") == "engine-life/1"
    with pytest.raises(ConflictError, match="golden inputs otherwise"):
        shelf.find("engine-life/2")


def test_it_is_not_ready_while_nothing_answers_for_a_champion() -> None:
    registry = InMemory(1)
    good, registry.bundles["engine-life/1"] = (
        registry.bundles["engine-life/1"],
        bundle_of(1, life=1, golden_off=1),
    )
    shelf = registry.shelf()
    shelf.refresh()
    assert not shelf.is_ready()
    registry.bundles["engine-life/1"] = good
    shelf.refresh()
    assert shelf.is_ready()


def test_it_is_not_ready_when_nobody_has_looked_for_a_while_and_a_database_that_is_away_is_looked_at() -> (
    None
):
    registry = InMemory(1)
    shelf = registry.shelf()
    shelf.refresh()
    registry.now, registry.away = STALE_S + 1, True
    assert not shelf.is_ready()
    with pytest.raises(UnreachableError):
        shelf.refresh()
    assert shelf.is_ready()


def test_a_champion_is_taken_up_though_an_earlier_look_failed_as_nobody_foresaw() -> None:
    registry = InMemory(1)
    failed, forgotten = threading.Event(), threading.Event()

    def forget(_: set[str]) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("a package cannot be read")
        forgotten.set()

    shelf = Shelf(registry, registry.open, forget)
    follower = Follower(shelf, every_s=0.01)
    follower.start()
    assert forgotten.wait(5)
    follower.stop()
    assert shelf.is_ready()
