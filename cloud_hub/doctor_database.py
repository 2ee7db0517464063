"""What the configured database is, what the hub makes of it, and what to do for more.

The last migration found out what the server can; the server is asked again, for it
may have another edition of TimescaleDB by now.
"""

from collections.abc import Iterator, Mapping

from cloud_hub.config import HubConfig
from cloud_hub.errors import HubError
from cloud_hub.store import capabilities
from cloud_hub.store.capabilities import Capability
from firmware_configs.host import Check, State

EDITIONS = {"timescale": "Community edition", "apache": "Apache edition"}
COMMUNITY = "needs TimescaleDB's Community edition (docs/operations.md, Databases); the hub works without"
MOVE = "move to an empty database on that server: `andon hub migrate --from` (docs/operations.md, Databases)"
MIGRATE = "run `andon hub migrate`"
COMPRESSED_BY = {
    "policy": "a policy of TimescaleDB compresses",
    "hub": "the hub compresses, by its scaled clock:",
}
ROLLED_UP_BY = {"jobs": "the hub makes them", "continuous": "continuous aggregates"}


def database_checks() -> list[Check]:
    """The database of the hub that is configured here; one that is named and does not answer is a fault."""
    named = False
    try:
        config = HubConfig.load()
        named = bool(config.database_url)
        with config.database(most=1) as database, database.connect() as connection:
            version = connection.info.server_version
            kept, now = capabilities.kept(connection), capabilities.seen(connection)
    except HubError as error:
        state = State.MISSING if named else State.WARNING
        return [Check(name="database", state=state, found=str(error), required=named)]
    found = f"PostgreSQL {version // 10_000}.{version % 10_000} answers"
    return [Check(name="database", state=State.OK, found=found, required=True), *judge(kept, now)]


def judge(kept: Mapping[str, Capability], now: Mapping[str, str]) -> Iterator[Check]:
    """What the last migration ``kept``, held against what the server says ``now`` (see ``seen``)."""
    yield _timescale(kept, now)
    if "rollups" in kept:
        yield _compression(kept["compression"])
        rollups = kept["rollups"]
        found = _told(ROLLED_UP_BY.get(rollups.value, rollups.value), rollups.detail)
        yield Check(name="rollups", state=State.OK, found=found)


def _timescale(kept: Mapping[str, Capability], now: Mapping[str, str]) -> Check:
    if "available" not in now:
        return _check("not on this server: partitions of PostgreSQL do its work", COMMUNITY)
    if not kept:
        return _check(f"{now['available']} is installed, and the database has no schema yet", MIGRATE)
    tables = kept["time_tables"]
    if tables.value == "partitions":
        return _check(f"{now['available']} is installed and not used: {tables.detail}", MOVE)
    version, edition = kept["timescaledb"].value, kept["timescaledb_license"].value
    for what, then in (("version", version), ("license", edition)):
        if now.get(what, then) != then:
            return _check(f"its {what} is {now[what]}, at the last migration it was {then}", MIGRATE)
    found = f"{version}, {EDITIONS.get(edition, edition)}, {tables.value}"
    refused = [name.replace("_", " ") for name in capabilities.LICENSED if kept[name].value == "no"]
    if refused:
        return _check(f"{found}; no {', '.join(refused)}", COMMUNITY)
    return Check(name="TimescaleDB", state=State.OK, found=found)


def _compression(kept: Capability) -> Check:
    if kept.value == "no":
        return Check(
            name="compression", state=State.WARNING, found=_told("none", kept.detail), remedy=COMMUNITY
        )
    found = f"{COMPRESSED_BY.get(kept.value, kept.value)} {kept.detail}"
    return Check(name="compression", state=State.OK, found=found)


def _told(what: str, why: str) -> str:
    return f"{what}: {why}" if why else what


def _check(found: str, remedy: str) -> Check:
    return Check(name="TimescaleDB", state=State.WARNING, found=found, remedy=remedy)
