"""The hub's database for a command that must work whether or not the hub runs.

What is configured is used. A hub that runs has started its own; where none runs,
it is started for as long as the command takes, under the lock that keeps a hub
from starting meanwhile.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from cloud_hub.config import HubConfig
from cloud_hub.errors import UnreachableError
from cloud_hub.parts.errors import AlreadyRunningError
from cloud_hub.parts.lock import locked
from cloud_hub.parts.postgres import Postgres


@contextmanager
def reached(config: HubConfig) -> Iterator[str]:
    """The connection string of the hub's database, whoever runs it."""
    if config.database_url:
        yield config.database_url
        return
    if not (config.state_dir / "parts").is_dir():
        raise UnreachableError(f"no hub has run in {config.state_dir}: start it with `andon hub run`")
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(config.state_dir))
        except AlreadyRunningError:
            yield config.endpoints().database_url
        else:
            yield stack.enter_context(served(config))


@contextmanager
def served(config: HubConfig) -> Iterator[str]:
    """The same for a hub that is known not to run: the caller holds its lock."""
    if config.database_url:
        yield config.database_url
        return
    config.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = Postgres(config.state_dir, ephemeral=None)
    try:
        yield server.start()
    finally:
        server.stop()
