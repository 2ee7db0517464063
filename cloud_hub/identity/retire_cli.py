"""``andon device retire``: out of service for good, and out of the broker within seconds."""

import json
import time
from typing import Annotated

import typer

from cloud_hub.config import HubConfig
from cloud_hub.errors import UnreachableError
from cloud_hub.hub import Hub, opened, person
from cloud_hub.identity import revoking
from cloud_hub.rollout.show import AsJson, ConfigFile
from cloud_hub.store.database import Connection

CUT_S = 5.0  # how long a live session lasts at most, where the hub runs
LOOK_S = 0.1


def device_retire(
    name: Annotated[str, typer.Argument(help="The device's name.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes into the audit chain.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> None:
    """Take a device out of service for good: hub and broker refuse it from now on."""
    with opened(HubConfig.load(config)) as hub:

        def note(connection: Connection) -> None:
            detail = {"reason": reason}
            hub.record(connection, actor=person(), action="device.retire", subject=name, detail=detail)

        revoked = revoking.retire(hub.database, name=name, reason=reason, now=hub.clock.now(), note=note)
        at_broker = _at_broker(hub, name) if revoked else "has no certificate of it on record to refuse"
    if as_json:
        typer.echo(json.dumps({"device": name, "certificates_revoked": revoked, "broker": at_broker}))
    else:
        typer.echo(f"device {name} is retired: the hub refuses it, and the broker {at_broker}")


def _at_broker(hub: Hub, name: str) -> str:
    """What became of its session there, once that is known; the web process sees to it."""
    if not _knows_certificates(hub.config):
        return "knows no certificates, so it lets the device talk to no one"
    deadline = time.monotonic() + CUT_S
    while time.monotonic() < deadline:
        if not revoking.uncut(hub.database, name):
            return "has ended its session and refuses its certificate"
        time.sleep(LOOK_S)
    return "has not been told yet: `andon hub web` does that as soon as it runs and the broker answers"


def _knows_certificates(config: HubConfig) -> bool:
    if config.broker.host:
        return True
    try:
        return config.endpoints().broker_tls
    except UnreachableError:  # it does not run: it is told when it starts
        return True
