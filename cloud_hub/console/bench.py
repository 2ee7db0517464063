"""How long each page of the console takes at the hub, with a plant of two thousand machines behind it.

A real database, the real listener in a process of its own, and as many pages open for news as
an evening shift has. Every figure is the time from asking to the last byte over loopback, so a
little more than the server's own; pages take turns, so that none finds its neighbour's caches.
"""

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import ceil
from typing import Any
from urllib.parse import urlencode

from cloud_hub.console.bench_browser import first_content
from cloud_hub.console.bench_data import BenchPlant, Scale
from cloud_hub.console.bench_living import living
from cloud_hub.console.bench_programs import PROGRAMS
from cloud_hub.console.live import MOST_OF_ONE
from cloud_hub.errors import UnreachableError

FULL = Scale(machines=2000, devices=10_000, sites=40, each=209)
QUICK = Scale(machines=200, devices=1000, sites=8, each=42)
LISTENERS = 50
BAR = "<= 300"  # ms, of the slowest but a twentieth
NEWS_BAR = "<= 2"  # s
PATIENCE_S = 30.0
ALL_DEVICES = "release=motor-health%2F1&waves=1%2C+100%25&supersede=yes"
PAGES = {  # {capture} and {other} are the newest captures of the machine
    "plant": "/",
    "plant, last page": "/?page=999",
    "plant, one site": "/?site=plant-3",
    "plant, machines to watch": "/?state=watch",
    "plant, by name": "/?text=pump-01",
    "devices": "/devices",
    "devices, last page": "/devices?page=999",
    "devices, those offline": "/devices?state=offline",
    "devices, by name": "/devices?text=0099",
    "device": "/devices/cell-00002",
    "device, retire": "/devices/cell-00002/retire",
    "device, new token": "/devices/cell-00002/token",
    "enrol": "/enrol",
    "machine": "/machines/pump-0003",
    "machine, as it is now": "/machines/pump-0003/now",
    "machine, its history": "/machines/pump-0003/history",
    "newest values": "/api/v1/machines/pump-0003/live",
    "chart of five signals": "/api/v1/machines/pump-0003/series?span=1d",
    "chart of predictions": "/api/v1/machines/pump-0003/predictions?span=7d",
    "search": "/search?text=pump",
    "search, while typing": "/search/hits?text=cell-0",
    "models": "/models",
    "model": "/models/motor-health/2",
    "use case": "/models/motor-health",
    "model, its card": "/models/motor-health/2/card",
    "model, its lineage": "/models/motor-health/2/lineage",
    "model beside another": "/models/motor-health/compare",
    "model, its predictions counted": "/models/motor-health/2/lineage/predictions",
    "model, approve": "/models/motor-health/2/approve",
    "model, refuse": "/models/motor-health/2/refuse",
    "dataset, its lineage": "/models/lineage/dataset/motor-health-2",
    "train": "/models/motor-health/train",
    "rollouts": "/rollouts",
    "rollouts, those aborted": "/rollouts?state=aborted",
    "rollout of all devices": "/rollouts/motor-health-2-a",
    "rollout of all devices, last page": "/rollouts/motor-health-2-a?page=999",
    "rollout of all devices, by name": "/rollouts/motor-health-2-a?text=009",
    "rollout, start": "/rollouts/new?release=motor-health/1",
    "rollout, preview": f"/rollouts/new/preview?{ALL_DEVICES}",
    "rollout, preview, last page": f"/rollouts/new/preview?{ALL_DEVICES}&page=999",
    "rollout, counted while typing": f"/rollouts/new/count?{ALL_DEVICES}",
    "data": "/data",
    "dataset of all machines": "/data/datasets/motor-health-3",
    "datasets compared": "/data/datasets/motor-health-3?against=motor-health-2",
    "dataset, make": "/data/make",
    "quarantine": "/data/quarantine",
    "quarantine, last page": "/data/quarantine?page=99999",
    "quarantine, one reason": "/data/quarantine?reason=NotFinite",
    "quarantine, one device": "/data/quarantine?device=cell-00023",
    "quarantined message": "/data/quarantine/1",
    "storage": "/data/storage",
    "jobs": "/jobs",
    "jobs, last page": "/jobs?page=9999",
    "jobs, of one kind": "/jobs?task=maintain_store&page=9999",
    "jobs, those that failed": "/jobs?outcome=failed",
    "job": "/jobs/1",
    "audit": "/audit",
    "audit, last page": "/audit?page=9999",
    "audit, one person, last page": "/audit?actor=mira&page=9999",
    "audit, one trace": "/audit?correlation=trace-2",
    "audit, one subject": "/audit?subject=thing-5",
    "audit entry": "/audit/1000",
    "trace of a rollout": "/audit/trace/trace-2",
    "captures": "/machines/pump-0003/captures",
    "captures, last page": "/machines/pump-0003/captures?page=99",
    "captures, newest": "/machines/pump-0003/captures/newest",
    "capture": "/machines/pump-0003/captures/{capture}",
    "capture, its envelope beside another": "/machines/pump-0003/captures/{capture}?of=envelope&with={other}",
    "capture as JSON": "/api/v1/machines/pump-0003/captures/{capture}",
    "capture as JSON, beside another": "/api/v1/machines/pump-0003/captures/{capture}?with={other}",
    "the API": "/api",
    "people": "/people",
    "account": "/account",
    "metrics": "/metrics",
}

Rows = Iterator[dict[str, Any]]


class Browser:
    """One visitor on a connection that stays open, in the session of ``cookie``."""

    def __init__(self, plant: BenchPlant, cookie: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", plant.port, timeout=PATIENCE_S)
        self._headers = {"Cookie": cookie}

    def fetch(self, path: str) -> tuple[float, int]:
        """Seconds and bytes of one page."""
        began = time.perf_counter()
        body = self._asked(path).read()
        return time.perf_counter() - began, len(body)

    def listen(self) -> http.client.HTTPResponse:
        """The news as they come; nothing else goes over this connection any more."""
        return self._asked("/events")

    def _asked(self, path: str) -> http.client.HTTPResponse:
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        if answer.status != http.client.OK:
            raise UnreachableError(f"the benchmark expected 200 for {path}, got {answer.status}")
        return answer


def console(race: Callable[..., Any], *, quick: bool) -> Rows:
    """Every figure is the 95th percentile of single requests; nothing is raced."""
    scale, rounds = (QUICK, 10) if quick else (FULL, 40)
    with BenchPlant(scale) as plant:
        yield from _about(plant)
        cookie = _sign_in(plant)
        paths = _paths(plant)
        with _listening(plant) as news:
            yield from _pages(Browser(plant, cookie), {**paths, **PROGRAMS}, rounds)
            yield from first_content(f"http://127.0.0.1:{plant.port}", cookie, paths)
            yield from _news(plant, news, rounds=3 if quick else 10)
            yield from living(plant, cookie, seconds=10.0 if quick else 30.0)


def _sign_in(plant: BenchPlant) -> str:
    """Use a link of the plant as a browser does; returns the cookies that it then sends."""
    link = plant.link()
    connection = http.client.HTTPConnection("127.0.0.1", plant.port, timeout=PATIENCE_S)
    connection.request("GET", f"/open?link={link}")
    door = connection.getresponse()
    form = re.search(r'name="csrf" value="([^"]+)"', door.read().decode())
    fields = urlencode({"link": link, "csrf": form[1] if form else ""})
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": _cookies(door)}
    connection.request("POST", "/open", fields, kind)
    answer = connection.getresponse()
    if answer.status != http.client.SEE_OTHER:
        raise UnreachableError(f"the benchmark expected to be signed in with 303, got {answer.status}")
    return _cookies(answer)


def _cookies(answer: http.client.HTTPResponse) -> str:
    return "; ".join(each.partition(";")[0] for each in answer.headers.get_all("Set-Cookie") or ())


def _about(plant: BenchPlant) -> Rows:
    for name, value in plant.rows().items():
        yield {"figure": name, "value": value, "unit": "rows"}


def _paths(plant: BenchPlant) -> dict[str, str]:
    capture, other = plant.captures()
    return {name: path.format(capture=capture, other=other) for name, path in PAGES.items()}


def _pages(browser: Browser, asked: dict[str, str], rounds: int) -> Rows:
    taken: dict[str, list[float]] = {name: [] for name in asked}
    sizes: dict[str, int] = {}
    for path in asked.values():
        browser.fetch(path)  # connections are made and templates read by the first visitor of the day
    for _ in range(rounds):
        for name, path in asked.items():
            seconds, sizes[name] = browser.fetch(path)
            taken[name].append(seconds * 1e3)
    for name, times in taken.items():
        told = f"{name}, p95 of {rounds} beside {LISTENERS} open pages"
        yield {"figure": told, "value": _p95(times), "unit": "ms", "bar": BAR}
    yield {"figure": "largest page", "value": max(sizes.values()) / 1024, "unit": "KiB"}


def _news(plant: BenchPlant, news: "News", *, rounds: int) -> Rows:
    """From a commit to the last of the open pages that heard of it."""
    taken = []
    for _ in range(rounds):
        began = news.expect()
        plant.beat()
        taken.append(news.heard_by_all() - began)
    yield {
        "figure": "open pages that hear of changes",
        "value": news.open,
        "unit": "",
        "bar": f">= {LISTENERS}",
    }
    yield {
        "figure": f"a change heard by all, p95 of {rounds}",
        "value": _p95(taken),
        "unit": "s",
        "bar": NEWS_BAR,
    }


class News:
    """What all open pages have heard since it was last asked."""

    def __init__(self, pages: int) -> None:
        self.open = 0
        self._pages = pages
        self._heard: set[int] = set()
        self._turn = threading.Condition()

    def expect(self) -> float:
        with self._turn:
            self._heard.clear()
            return time.perf_counter()

    def heard_by_all(self, patience_s: float = PATIENCE_S) -> float:
        """When the last one had; ``UnreachableError`` where one did not in ``patience_s``."""
        with self._turn:
            if not self._turn.wait_for(lambda: len(self._heard) == self._pages, timeout=patience_s):
                raise UnreachableError(
                    f"only {len(self._heard)} of {self._pages} open pages heard of a change"
                )
            return time.perf_counter()

    def follow(self, number: int, answer: Iterable[bytes]) -> None:
        """Read until the stream ends; ``expect`` counts from a message that names the fleet."""
        with self._turn:
            self.open += 1
        try:
            for line in answer:
                if b'"fleet"' in line:
                    with self._turn:
                        self._heard.add(number)
                        self._turn.notify_all()
        except (OSError, ValueError, http.client.HTTPException):
            return  # the listener ends with the benchmark


@contextmanager
def _listening(plant: BenchPlant) -> Iterator[News]:
    news = News(LISTENERS)
    cookies = [_sign_in(plant) for _ in range(0, LISTENERS, MOST_OF_ONE)]
    answers = [Browser(plant, cookies[number // MOST_OF_ONE]).listen() for number in range(LISTENERS)]
    with ThreadPoolExecutor(LISTENERS) as pool:
        for number, answer in enumerate(answers):
            pool.submit(news.follow, number, answer)
        try:
            yield news
        finally:
            plant.stop_serving()


def _p95(times: list[float]) -> float:
    return sorted(times)[ceil(0.95 * len(times)) - 1]
