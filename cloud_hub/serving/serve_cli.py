"""``andon hub serve``: the scoring service over the running hub's registry, repository and authority.

It reads the public files of the repository, asks the database in transactions that cannot
write, and needs no key but that of its own listener: none that signs, none of the authority.
"""

import sys
from collections.abc import Sequence

import structlog

from cloud_hub.config import HubConfig
from cloud_hub.errors import HubError, TrustError
from cloud_hub.identity.ca import HUB_NAME
from cloud_hub.identity.certificates import HubCertificates
from cloud_hub.parts.ports import choose_port
from cloud_hub.serving import environment, main
from cloud_hub.serving.catalogue import Registered

LOOPBACK = "127.0.0.1"

log = structlog.get_logger()


def run(config: HubConfig, only: Sequence[str]) -> None:
    """Serve until SIGTERM or SIGINT; ``only`` these use cases and releases, where any are named."""
    environment.prepare(config.state_dir)
    from cloud_hub.serving import packages, service, shelf  # noqa: PLC0415 - they read what was prepared

    try:
        place = _place(config)
        with config.database(most=1) as database:
            catalogue = Registered(database, config.state_dir, only)
            kept = shelf.Shelf(catalogue, packages.opened, packages.forget_all_but)
            follower = shelf.Follower(kept)
            follower.start()
            try:
                main.serve(service.application(kept), place, service.count_refused)
            finally:
                follower.stop()
    except HubError as error:
        sys.exit(f"error: {error}")
    log.info("serving ended")


def _place(config: HubConfig) -> main.Place:
    """With what the running hub made: here nothing is issued, for that takes the authority's key."""
    listen = config.serving.listen or LOOPBACK
    note = config.state_dir / "parts" / "serving-port"
    note.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    issued = HubCertificates.of(config.state_dir)
    revoked = issued.ca.with_name("revoked.crl")
    for file in (issued.ca, issued.server_certificate, issued.server_key, revoked):
        if not file.is_file():
            raise TrustError(f"{file} is not there: `andon hub run` makes it")
    return main.Place(
        listen=listen,
        port=choose_port(note, listen=listen, configured=config.serving.port, setting="serving.port"),
        ca=issued.ca,
        certificate=issued.server_certificate,
        key=issued.server_key,
        revoked=revoked,
        note=config.state_dir / "run" / "scoring.json",
        own=HUB_NAME,
    )
