"""What open plant pages cost the hub while the plant lives: processor time of the listener, a second.

Fifty pages ask as ``live.js`` has them ask: at their pace, saying what they show already. Beside it stands
what the same pages would cost if each were drawn anew at every change, measured on the same listener.
"""

import http.client
import random
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from cloud_hub.console.bench_data import BenchPlant
from cloud_hub.errors import UnreachableError

PAGES = 50
PACE_S = 5.0  # of live.js
EVERY_S = 1.0  # how often the plant changes
VIEWS = ("/", "/?site=plant-3", "/?state=watch", "/?text=pump-01", "/?page=2")
BAR = "<= 0.25"  # of a processor
PATIENCE_S = 30.0

Rows = Iterator[dict[str, Any]]


def living(plant: BenchPlant, cookie: str, *, seconds: float) -> Rows:
    """The rows of it; ``UnreachableError`` where the pages could not be asked for at their pace."""
    pages = [_Page(plant, cookie, VIEWS[number % len(VIEWS)]) for number in range(PAGES)]
    with _Changing(plant):
        anew = _anew(plant, pages[: len(VIEWS)])
        began, used = time.monotonic(), plant.processor_s()
        asked, sent = _at_their_pace(pages, began + seconds)
        share = (plant.processor_s() - used) / (time.monotonic() - began)
    if asked < PAGES * seconds / PACE_S / 2:
        raise UnreachableError(
            f"only {asked} pages could be asked for in {seconds:g} s: measure on a quieter machine"
        )
    yield {
        "figure": f"processor time a second, {PAGES} open plant pages while the plant changes",
        "value": share,
        "unit": "s",
        "reference": "every page drawn anew at every change",
        "reference_value": anew * PAGES / EVERY_S,
        "bar": BAR,
    }
    yield {
        "figure": "pages that were asked for, and showed that already",
        "value": 1 - sent / asked,
        "unit": "",
    }


class _Page:
    """An open page on a connection of its own, which asks for what changed."""

    def __init__(self, plant: BenchPlant, cookie: str, path: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", plant.port, timeout=PATIENCE_S)
        self._headers = {"Cookie": cookie}
        self._path = path
        self.due = time.monotonic() + random.uniform(0, PACE_S)  # noqa: S311 - they were opened at any time

    def ask(self) -> bool:
        """Whether something was sent."""
        answer, body = self._asked({"HX-Request": "true"})
        self.due += PACE_S
        if answer.status == http.client.NO_CONTENT:
            return False
        shown = re.search(rb'data-shown="([^"]+)"', body)
        self._headers["X-Shown"] = shown[1].decode() if shown else ""
        return True

    def load(self) -> None:
        self._asked({"X-Shown": ""})

    def _asked(self, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request("GET", self._path, headers=self._headers | headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status not in (http.client.OK, http.client.NO_CONTENT):
            raise UnreachableError(f"the benchmark expected 200 for {self._path}, got {answer.status}")
        return answer, body


class _Changing:
    """While it is open the plant lives: batches come, and each machine is predicted for once a minute."""

    def __init__(self, plant: BenchPlant) -> None:
        self._plant = plant
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        turn = 0
        while not self._over.wait(EVERY_S):
            self._plant.live(turn)
            turn += 1


def _anew(plant: BenchPlant, pages: list[_Page], rounds: int = 4) -> float:
    """Processor seconds of one whole page, each of another moment."""
    used, looked = plant.processor_s(), 0
    for _ in range(rounds):
        for page in pages:
            page.load()
            looked += 1
        time.sleep(EVERY_S)  # until the plant is another; what is shared is not shared over time
    return (plant.processor_s() - used) / looked


def _at_their_pace(pages: list[_Page], until: float) -> tuple[int, int]:
    """How many times they asked until then, and were sent something."""
    asked = sent = 0
    while (page := min(pages, key=lambda each: each.due)).due < until:
        time.sleep(max(page.due - time.monotonic(), 0.0))
        sent += page.ask()
        asked += 1
        if time.monotonic() > until + PACE_S:
            break
    return asked, sent
