"""``andon hub migrate --from``: a hub whose database becomes another one, while nothing of it runs."""

from contextlib import ExitStack

from cloud_hub.config import HubConfig
from cloud_hub.errors import ConfigError
from cloud_hub.parts.lock import locked
from cloud_hub.parts.reach import served
from cloud_hub.store import moving


def move(old: HubConfig, new: HubConfig) -> dict[str, int]:
    """Fill the database of ``new`` with that of ``old``, starting a hub's own server where it has one.

    Returns the rows by table. Raises ``ConfigError`` where both are the same one, ``AlreadyRunningError``
    where a hub runs on either state directory, and what ``store.moving`` raises.
    """
    folders = {each.state_dir.resolve() for each in (old, new)}
    if old.database_url == new.database_url and (old.database_url or len(folders) == 1):
        raise ConfigError("the old and the new configuration name the same database")
    with ExitStack() as stack:
        for folder in sorted(folders):
            stack.enter_context(locked(folder))
        source = stack.enter_context(served(old))
        return moving.move(source, stack.enter_context(served(new)), new)
