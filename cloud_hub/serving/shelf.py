"""The releases that answer now: each use case's champion, kept ready, and the few others loaded last.

A new champion is taken up while the old one answers; one that cannot be used leaves
the old one in its place and says why. Nothing here waits for the database while a
question about a release that is ready is answered.
"""

import threading
import time
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
STALE_S = 60.0  # without a look: whoever follows the registry is stuck

log = structlog.get_logger()


class Shelf:
    """Thread-safe. ``opened`` gives the bundle of an entry, ``forget`` lets go of packages not in its set."""

    def __init__(
        self,
        catalogue: Catalogue,
        opened: Callable[[Entry], Bundle],
        forget: Callable[[set[str]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalogue = catalogue
        self._opened = opened
        self._forget = forget
        self._champions: Mapping[str, Scorer] = {}  # by use case; replaced whole
        self._others: OrderedDict[str, Scorer] = OrderedDict()
        self._loading = threading.Lock()
        self._told: dict[str, str] = {}
        self._clock = clock
        self._looked: float | None = None  # when the catalogue was read; none: not yet
        self._lacking: set[str] = set()  # champions in whose place nothing answers

    def is_ready(self) -> bool:
        """That it looks at the registry, and something answers in each use case that has a champion.

        A database that is away makes nothing unready that was ready.
        """
        looked = self._looked
        return looked is not None and self._clock() - looked <= STALE_S and not self._lacking

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
        try:
            standing = self._catalogue.standing()
        except (HubError, psycopg.OperationalError):
            if self._looked is not None:
                self._looked = self._clock()
            raise
        with self._loading:
            now = {entry.use_case: scorer for entry in standing if (scorer := self._taken_up(entry))}
            if changed := {each.manifest.release for each in now.values()} - self.releases():
                log.info("answering", releases=sorted(changed))
            self._champions = now
            self._lacking = {entry.release for entry in standing if entry.use_case not in now}
            for scorer in now.values():
                self._others.pop(scorer.manifest.release, None)
            self._forget(self.releases() | self._others.keys())
        self._looked = self._clock()

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
        except Exception as error:  # whatever is wrong with one is nothing to the others
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
    """Has the shelf look again and again, whatever goes wrong; a database that is away changes nothing."""

    def __init__(self, shelf: Shelf, every_s: float = LOOK_S) -> None:
        super().__init__(name="follower", daemon=True)
        self._shelf, self._every_s = shelf, every_s
        self._asked = threading.Event()

    def run(self) -> None:
        trouble = ""
        while not self._asked.is_set():
            try:
                self._shelf.refresh()
                trouble = ""
            except Exception as error:
                if str(error) != trouble:
                    away = isinstance(error, HubError | psycopg.OperationalError)
                    event = "the registry does not answer" if away else "champions cannot be followed"
                    log.warning(event, reason=" ".join(str(error).split()))
                trouble = str(error)
            self._asked.wait(self._every_s)

    def stop(self) -> None:
        self._asked.set()
        self.join()
