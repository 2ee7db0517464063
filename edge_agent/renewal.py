"""Renewal: a device replaces its certificate before it ends, by one for the same key.

The key stays, so what is bound to it stays valid: directives, and the hub's idea
of who this is. One that ended while the device was off is renewed as well, for the
hub decides whom it trusts, and it refuses by name whom it does not. The new
certificate replaces the old one at once or not at all, and is shown from the next
connection on; none is ended for its sake.
"""

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from edge_agent.certification import CertificationError, ask, certified, signing_request, stored_key
from edge_agent.errors import EdgeError, IdentityError
from edge_agent.identity import REMEDY, Identity, read_enrolment
from edge_agent.updates.disk import Disk
from edge_agent.waits import Backoff

LEFT = 1 / 3  # of its lifetime, when renewal begins
SPREAD = 1 / 12  # of its lifetime, over which a fleet enrolled in one hour spreads its renewals
LOOK_S = 60.0  # between two looks at the clock, which somebody may set
AGAIN = Backoff(first_s=60.0, longest_s=6 * 3600.0)

log = structlog.get_logger()


def now_utc() -> datetime:
    """Real time, whatever clock the agent goes by: so does everything about TLS."""
    return datetime.now(UTC)


def due(certificate: x509.Certificate, spread: float) -> datetime:
    """When to renew; ``spread`` in 0..1 is drawn once for each device."""
    ends = certificate.not_valid_after_utc
    return ends - (ends - certificate.not_valid_before_utc) * (LEFT - SPREAD * spread)


def renew(identity: Identity, disk: Disk) -> x509.Certificate:
    """Have the hub certify this device's key anew, and keep what it gave; ``EdgeError`` says why not."""
    key, authority = stored_key(identity.key), _read(identity, "ca.crt")
    if key is None:
        raise IdentityError(f"{identity.key} cannot be read: {REMEDY}")
    presented = _read(identity, "device.crt").decode("ascii", "replace")
    request = {"certificate": presented, "csr": signing_request(key, identity.device)}
    answer = ask(identity.hub_url, "/renew", authority, request)
    certificate = certified(answer, key, authority)
    if answer.get("device") != identity.device:
        raise CertificationError(
            f"expected a certificate of {identity.device!r}, got {str(answer.get('device'))!r}"
        )
    disk.write(identity.certificate, certificate.public_bytes(Encoding.PEM))
    _note_zone(identity, disk, str(answer.get("zone", "")))
    return certificate


class Renewal:
    """The part of the agent that renews in time; its state may be read by any thread."""

    def __init__(
        self, identity: Identity, *, disk: Disk, random: Random, now: Callable[[], datetime] = now_utc
    ) -> None:
        self.trouble = ""  # why the last renewal failed; empty again after one that did not
        self._identity = identity
        self._disk = disk
        self._random = random
        self._now = now
        self._spread = random.random()
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    @property
    def ends(self) -> datetime:
        """When the certificate on disk ends."""
        return self._certificate().not_valid_after_utc

    def status(self) -> dict[str, str]:
        """For the status file."""
        try:
            return {"ends": self.ends.isoformat(), "trouble": self.trouble}
        except IdentityError as error:
            return {"ends": "", "trouble": str(error)}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, but for a request that is under way: that one ends with the process, or is made again."""
        self._stopping.set()

    def turn(self) -> float:
        """Renew if it is time; returns after how many seconds to look again."""
        try:
            left = due(self._certificate(), self._spread) - self._now()
            if left > timedelta(0):
                return min(left.total_seconds(), LOOK_S)
            ends = renew(self._identity, self._disk).not_valid_after_utc
        except (EdgeError, OSError) as error:
            return self._wait(str(error))
        self._failures, self.trouble = 0, ""
        log.info("certificate renewed", ends=ends.isoformat())
        return LOOK_S

    def _run(self) -> None:
        while not self._stopping.wait(self.turn()):
            pass

    def _wait(self, trouble: str) -> float:
        if trouble != self.trouble:
            log.warning("the certificate cannot be renewed", reason=trouble)
        self.trouble = trouble
        self._failures += 1
        return AGAIN.wait(self._failures - 1, self._random)

    def _certificate(self) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(_read(self._identity, "device.crt"))
        except ValueError as error:
            raise IdentityError(f"{self._identity.certificate} cannot be read: {error}: {REMEDY}") from error


def _note_zone(identity: Identity, disk: Disk, zone: str) -> None:
    """Keep the site's time zone, where the hub told another one than before."""
    told = read_enrolment(identity.folder)
    if zone and zone != told.get("zone"):
        content = json.dumps(told | {"zone": zone}, indent=2).encode()
        disk.write(identity.folder / "enrolment.json", content)


def _read(identity: Identity, name: str) -> bytes:
    try:
        return (identity.folder / name).read_bytes()
    except OSError as error:
        raise IdentityError(f"{identity.folder / name} cannot be read: {error}: {REMEDY}") from error
