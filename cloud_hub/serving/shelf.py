"""The releases that answer now: each use case's champion, kept ready, and the few others loaded last.

A new champion is taken up while the old one answers; one that cannot be used leaves
the old one in its place and says why. Nothing here waits for the database while a
question about a release that is ready is answered.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping

import psycopg
import structlog

from cloud_hub.errors import HubError
from cloud_hub.serving.catalogue import Catalogue, Entry
from cloud_hub.serving.scorer import Scorer
from wire.bundle import Bundle

OTHERS = 4  # releases that are no champion, as devices ask for during a rollout
LOOK_S = 2.0

log = structlog.get_logger()


class Shelf:
    """Thread-safe. ``opened`` gives the bundle of an entry, ``forget`` lets go of packages not in its set."""

    def __init__(
        self,
        catalogue: Catalogue,
        opened: Callable[[Entry], Bundle],
        forget: Callable[[set[str]], None] = lambda _: None,
    ) -> None:
        self._catalogue = catalogue
        self._opened = opened
        self._forget = forget
        self._champions: Mapping[str, Scorer] = {}  # by use case; replaced whole
        self._others: OrderedDict[str, Scorer] = OrderedDict()
        self._loading = threading.Lock()
        self._told: dict[str, str] = {}
        self.looked = False  # that the catalogue was read once

    def ready(self, named: str) -> Scorer | None:
        """What answers for a release or a use case, if it is loaded; never waits."""
        champions = self._champions
        by_release = {each.manifest.release: each for each in champions.values()}
        return champions.get(named) or by_release.get(named) or self._others.get(named)

    def find(self, named: str) -> Scorer:
        """As ``ready``, else loaded now; ``NotFoundError`` for what is not released."""
        with self._loading:
            scorer = self.ready(named)
            if scorer is None:
                scorer = Scorer.of(self._opened(self._catalogue.find(named)))
                self._others[named] = scorer
                while len(self._others) > OTHERS:
                    self._others.popitem(last=False)
            return scorer

    def refresh(self) -> None:
        """Take up what stands now; HubError or OperationalError where nobody can say what does."""
        standing = self._catalogue.standing()
        with self._loading:
            now = {entry.use_case: scorer for entry in standing if (scorer := self._taken_up(entry))}
            if changed := {each.manifest.release for each in now.values()} - self.releases():
                log.info("answering", releases=sorted(changed))
            self._champions = now
            for scorer in now.values():
                self._others.pop(scorer.manifest.release, None)
            self._forget(self.releases() | self._others.keys())
        self.looked = True

    def releases(self) -> set[str]:
        """The champions that answer."""
        return {scorer.manifest.release for scorer in self._champions.values()}

    def _taken_up(self, entry: Entry) -> Scorer | None:
        """The scorer of ``entry``; the one before it, where it cannot be used."""
        scorer = self.ready(entry.release)
        if scorer is not None:
            return scorer
        try:
            scorer = Scorer.of(self._opened(entry))
        except HubError as error:
            self._tell(entry.release, str(error))
            return self._champions.get(entry.use_case)
        self._told.pop(entry.release, None)
        return scorer

    def _tell(self, release: str, reason: str) -> None:
        """Once: the next look is in a moment."""
        if self._told.get(release) != reason:
            log.error("champion cannot answer", release=release, reason=reason)
            self._told[release] = reason


class Follower(threading.Thread):
    """Has the shelf look again and again; a database that is away changes nothing."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(name="follower", daemon=True)
        self._shelf = shelf
        self._asked = threading.Event()

    def run(self) -> None:
        trouble = ""
        while not self._asked.is_set():
            try:
                self._shelf.refresh()
                trouble = ""
            except (HubError, psycopg.OperationalError) as error:
                if str(error) != trouble:
                    log.warning("the registry does not answer", reason=" ".join(str(error).split()))
                trouble = str(error)
            self._asked.wait(LOOK_S)

    def stop(self) -> None:
        self._asked.set()
        self.join()
