"""The seeded plant grown to three sites with people at work, for pictures: the same to the last digit every time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from cloud_hub.flows import labelling
from cloud_hub.flows.labelling import Saying
from cloud_hub.hub import Hub
from cloud_hub.identity.people.office import Office
from cloud_hub.identity.people.permissions import Permission
from cloud_hub.store import partitions
from cloud_hub.store.database import Connection
from tests.console import console_seed
from tests.console.console_people import Browser
from tests.console.console_seed import USE_CASE, add_device, add_machine

SITES = {"leipzig": "Europe/Berlin", "osaka": "Asia/Tokyo"}
DEVICES = {
    "boiler-a": "leipzig",
    "boiler-b": "leipzig",
    "mill-1": "osaka",
    "mill-2": "osaka",
    "mill-3": "osaka",
}
MACHINES = {
    "feed-pump-1": ("boiler-a", 66.0),
    "feed-pump-2": ("boiler-a", 143.0),
    "condensate-1": ("boiler-b", 118.0),
    "condensate-2": ("boiler-b", 204.0),
    "slurry-1": ("mill-1", 84.0),
    "slurry-2": ("mill-1", 239.0),
    "slurry-3": ("mill-2", 171.0),
    "wash-water-1": ("mill-2", 77.0),
    "wash-water-2": ("mill-3", 226.0),
    "wash-water-3": ("mill-3", 158.0),
}
PEOPLE = {
    "jonas": ("operator@lyon", "engineer@lyon"),
    "aiko": ("engineer@osaka",),
    "petra": ("approver",),
    "guest": ("viewer",),
}
CERTIFIED_UNTIL = datetime(2037, 6, 1, tzinfo=UTC)  # certificates end in real time


def seed(hub: Hub, office: Office, enter: Callable[..., Browser]) -> str:
    """Fill the hub's database. Returns a rollout in its first wave."""
    now = hub.clock.now()
    with hub.database.connect() as connection:  # a database for tests has partitions for today
        partitions.ensure(connection, hub.config.store, hub.clock)
    rollout = console_seed.seed(hub)
    with hub.database.transaction() as connection:
        _grow(connection, now)
        _alarm(
            connection,
            "pump-1",
            opened=now - timedelta(days=4, hours=3),
            closed=now - timedelta(days=4),
            life=70,
        )
        _alarm(connection, "feed-pump-1", opened=now - timedelta(hours=1), closed=None, life=68)
        connection.execute(
            """INSERT INTO certificate (serial, device, key_fingerprint, issued, expires)
               SELECT to_hex(id), id, key_fingerprint, added, %s FROM device""",
            [CERTIFIED_UNTIL],
        )
    _talk(hub, now)
    for name, roles in PEOPLE.items():
        enter(name, *roles)
    enter("mira", "admin")
    office.tokens.make("mira", "grafana", [Permission.SEE], days=90, by="mira")
    return rollout


def _grow(connection: Connection, now: datetime) -> None:
    for site, zone in SITES.items():
        connection.execute("INSERT INTO site (name, zone) VALUES (%s, %s)", [site, zone])
    for device, site in DEVICES.items():
        add_device(connection, device, now, online=True, site=site)
    for machine, (device, life) in MACHINES.items():
        add_machine(connection, machine, device, life=life, now=now)


def _alarm(
    connection: Connection, machine: str, *, opened: datetime, closed: datetime | None, life: int
) -> None:
    connection.execute(
        """INSERT INTO alarm (machine, use_case, release, opened, closed, severity, message)
           SELECT id, %s, %s, %s, %s, 0.8, %s FROM machine WHERE name = %s""",
        [
            *(USE_CASE, f"{USE_CASE}/2", opened, closed),
            *(f"remaining life {life} h is below 72 h, 3 in a row", machine),
        ],
    )


def _talk(hub: Hub, now: datetime) -> None:
    """What people said of pump-1: its older alarm was right, and why."""
    row = hub.database.row("SELECT min(id) AS id FROM alarm WHERE closed IS NOT NULL")
    assert row
    found = Saying(actor="jonas", fault="", note="the coupling had 0.4 mm of play: aligned anew")
    labelling.judge(hub, "pump-1", row["id"], "right", found)
    done = Saying(actor="jonas", fault="", note="coupling aligned, grease renewed")
    labelling.log(hub, "pump-1", "maintenance", now - timedelta(days=3, hours=22), done)
