"""A certified OpenID provider for tests, from npm, run by Node.js: what a company's own would be to a hub.

``build`` installs the packages of the lock file into the cache, checked by their hashes, once (9 MB).
``run`` reads its clients, as OpenID Connect Dynamic Client Registration 1.0 has them, from the first line of
standard input, prints one line of JSON, ``{"url": …}``, and ends with that input.
Exit status 3, with the reason in one sentence: this machine cannot have it.
"""

from pathlib import Path

from kept import main
from npm import become, installed

SOURCE = Path(__file__).parent / "oidc"


def build() -> Path:
    """The folder with the packages and the server's script, made where it is missing."""
    return installed("oidc-provider", SOURCE)


def run() -> None:
    """Become the server."""
    become(build(), "server.mjs")


if __name__ == "__main__":
    main(build, run)
