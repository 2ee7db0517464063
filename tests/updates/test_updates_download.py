"""A download goes on where it stopped, never takes other bytes, and never waits or fills the disk without end."""

import threading

import pytest
from lying_servers import (
    Counting,
    breaking_off,
    dripping,
    endless,
    only,
    silent,
    without_ranges,
    wrong_ranges,
)
from update_parts import HastyDisk, enrolled

from edge_agent.updates.errors import AbortedError, RetryError, UntrustedError
from edge_agent.updates.fetcher import PATIENT, Patience
from edge_agent.updates.trust import SPARE_BYTES, Trust

CARD = "what it is for " * 4000
HASTY = Patience(silence_s=0.3, grace_s=0.2, slowest=10_000)


class Downloads:
    """One bundle of a hub, and where it is to lie."""

    def __init__(self, hub, folder):
        self.hub = hub
        self.identity = enrolled(hub, folder)
        self.folder = folder
        self.place = folder / "download"
        self.part = folder / "download.part"
        self.published = hub.publish(2, card=CARD)
        self.content = hub.target_file(2).read_bytes()

    def run(self, *, disk=None, patience=PATIENT, aborted=lambda: False):
        trust = Trust(
            self.folder / "trust",
            url=self.hub.url,
            root=self.identity.root,
            tls=self.identity.tls,
            disk=disk or HastyDisk(),
            patience=patience,
        )
        trust.download(self.published.target_path, self.published.sha256, self.place, aborted)

    def served(self, lie):
        """The bundle through ``lie``, the metadata as it is."""
        self.hub.server.app = only("/targets/", lie)(self.hub.server.app)

    def counted(self):
        self.hub.server.app = counting = Counting(self.hub.server.app)
        return counting

    @property
    def is_whole(self):
        return self.place.read_bytes() == self.content and not self.part.exists()


@pytest.fixture
def downloads(hub, tmp_path):
    return Downloads(hub, tmp_path / "device")


def test_a_download_that_broke_off_goes_on_where_it_stopped(downloads):
    honest = downloads.hub.server.app
    downloads.served(breaking_off(40_000))
    with pytest.raises(RetryError, match="broke off after 40000 bytes"):
        downloads.run()
    downloads.hub.server.app = honest
    counting = downloads.counted()
    downloads.run()
    assert downloads.is_whole
    assert [asked for path, asked in counting.asked if path.startswith("/targets/")] == ["bytes=40000-"]


@pytest.mark.parametrize("lie", [without_ranges, wrong_ranges], ids=["no ranges", "another range"])
def test_a_server_that_cannot_go_on_there_is_asked_for_the_whole(downloads, lie):
    downloads.part.write_bytes(downloads.content[:40_000])
    downloads.served(lie)
    downloads.run()
    assert downloads.is_whole


@pytest.mark.parametrize("size", [1, 40_000, -1, 0], ids=["a byte", "some", "all", "one more"])
def test_the_beginning_of_something_else_is_begun_anew(downloads, size):
    """A power cut can leave anything where a file grew: only the signed hash tells."""
    whole = len(downloads.content)
    downloads.part.write_bytes(b"\0" * {-1: whole, 0: whole + 1}.get(size, size))
    downloads.run()
    assert downloads.is_whole


def test_what_is_there_already_is_not_fetched_again(downloads):
    downloads.run()
    counting = downloads.counted()
    downloads.run()
    assert not [path for path, _ in counting.asked if path.startswith("/targets/")]


def test_a_newer_directive_ends_a_download_which_keeps_what_it_has(downloads):
    asked = iter([False] * 8 + [True] * 100)
    with pytest.raises(AbortedError):
        downloads.run(aborted=lambda: next(asked))
    assert 0 < downloads.part.stat().st_size < len(downloads.content)
    downloads.run()
    assert downloads.is_whole


def test_without_room_for_bundle_and_slot_not_a_byte_is_written(downloads):
    class FullDisk(HastyDisk):
        def free(self, path):
            return 2 * len(downloads.content) + SPARE_BYTES - 1

    with pytest.raises(RetryError, match=r"needs \d+ bytes of disk, \d+ are free"):
        downloads.run(disk=FullDisk())
    assert not downloads.part.exists()
    downloads.part.write_bytes(downloads.content[:100])  # what lies there already needs no room again
    downloads.run(disk=FullDisk())
    assert downloads.is_whole


@pytest.mark.parametrize("begun", [0, 40_000], ids=["from the start", "resumed"])
def test_endless_data_instead_of_a_bundle_is_cut_off_and_dropped(downloads, begun):
    downloads.part.write_bytes(downloads.content[:begun])
    downloads.served(endless)
    with pytest.raises(UntrustedError, match="got more"):
        downloads.run()
    assert not downloads.part.exists()


@pytest.mark.parametrize("part", ["/targets/", "/metadata/"])
def test_slow_retrieval_a_byte_at_a_time_is_given_up(downloads, part):
    downloads.hub.server.app = only(part, dripping(0.005))(downloads.hub.server.app)
    with pytest.raises(RetryError, match=r"expected \d+ bytes in 0 s, got \d+"):
        downloads.run(patience=HASTY)


@pytest.mark.parametrize("part", ["/targets/", "/metadata/"])
def test_slow_retrieval_of_nothing_at_all_is_given_up(downloads, part):
    downloads.hub.server.app = only(part, silent(0.8))(downloads.hub.server.app)
    with pytest.raises(RetryError, match="silent after 10 bytes"):
        downloads.run(patience=HASTY)


def test_a_byte_at_a_time_holds_up_no_newer_directive(downloads):
    """Between two bytes it is asked for, not between two chunks."""
    downloads.served(dripping(0.005))
    newer = threading.Event()
    threading.Timer(0.2, newer.set).start()
    with pytest.raises(AbortedError):
        downloads.run(aborted=newer.is_set)
    assert downloads.part.stat().st_size < 1000


def test_nothing_is_left_of_a_bundle_that_was_not_the_signed_one(downloads):
    file = downloads.hub.target_file(2)
    file.write_bytes(downloads.content[:-1] + b"!")
    with pytest.raises(UntrustedError, match="LengthOrHashMismatchError"):
        downloads.run()
    assert not downloads.part.exists()
    assert not downloads.place.exists()
