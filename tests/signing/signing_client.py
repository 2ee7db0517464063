"""python-tuf's own client as the judge: what it takes is what devices take."""

from pathlib import Path

from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater


class Files(FetcherInterface):
    """Reads the repository where it lies."""

    def _fetch(self, url):
        path = Path(url.removeprefix("file://"))
        if not path.exists():
            raise DownloadHTTPError("not found", 404)
        yield path.read_bytes()


def client(hub, folder, repository=None):
    """A client that keeps what it trusts in ``folder`` and was enrolled with the first root."""
    folder.mkdir(exist_ok=True)
    there = repository or hub / "repository"
    return Updater(
        str(folder),
        f"file://{there}/metadata/",
        str(folder),
        f"file://{there}/targets/",
        fetcher=Files(),
        bootstrap=(hub / "repository" / "metadata" / "1.root.json").read_bytes(),
    )


def fetched(hub, folder, path, repository=None):
    """The bytes of ``path``, or None where nobody vouches for it."""
    updater = client(hub, folder, repository)
    target = updater.get_targetinfo(path)
    return target and Path(updater.download_target(target)).read_bytes()
