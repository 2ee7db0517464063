"""Which directives get in: the first thing that happens to bytes from the broker.

Until a signature holds nothing in them is believed, not even which directive
they claim to be. A clock that is behind a time already trusted cannot judge an
expiry, so it accepts nothing; what runs goes on running.
"""

import hashlib
import json
from collections import OrderedDict

from edge_agent.identity import Identity
from edge_agent.updates.record import Record
from wire.directive import Directive, Directors, SignedDirective, accept
from wire.errors import ClockBehindError, DirectiveError, MessageError, SignatureError, TopicError
from wire.topics import NAME

SKEW_US = 300_000_000  # clocks of hub and device may be this far apart
REMEMBERED = 256


def admit(
    payload: bytes,
    directors: Directors,
    *,
    identity: Identity,
    use_case: str,
    record: Record,
    now_us: int,
    floor_us: int,
) -> tuple[SignedDirective, Directive] | None:
    """The directive to follow, None for one that was accepted before; raises what is wrong with it."""
    if not NAME.fullmatch(use_case):
        raise TopicError(f"expected a use case name like motor-health, got {use_case[:80]!r}")
    signed = SignedDirective.from_bytes(payload)
    directive = accept(
        signed,
        directors,
        device=identity.device,
        key_fingerprint=identity.key_fingerprint,
        site=identity.site,
        use_case=use_case,
        accepted=record.accepted,
        now_us=now_us,
    )
    if directive is None:
        return None
    trusted_us = max(floor_us, directive.issued_us)
    if now_us < trusted_us - SKEW_US:
        raise ClockBehindError(
            f"this clock reads {now_us}, a trusted time is {trusted_us}: set the clock, then it is accepted"
        )
    return signed, directive


def repeated(payload: bytes, record: Record) -> bool:
    """Whether it is, byte for byte, the directive accepted last."""
    try:
        return (
            record.accepted is not None
            and SignedDirective.from_bytes(payload).sha256 == record.accepted.sha256
        )
    except MessageError:
        return False


def outcome_of(error: Exception, payload: bytes, identity: Identity, record: Record) -> Directive | None:
    """The directive whose outcome this refusal is; None where it is nobody's outcome here.

    A stranger's bytes, a replay of what was followed long ago and a neighbour's
    directive must not look like the end of a directive this device was given.
    """
    if not isinstance(error, DirectiveError) or isinstance(error, SignatureError):
        return None
    directive = Directive.from_json(SignedDirective.from_bytes(payload).payload)
    ours = (directive.device, directive.key_fingerprint) == (identity.device, identity.key_fingerprint)
    return directive if ours and directive.sequence > record.sequence else None


def enrolled_us(identity: Identity) -> int:
    """The hub's time at enrolment: no clock of this device may be below it; 0 where it was not told."""
    try:
        return int(json.loads((identity.folder / "enrolment.json").read_text()).get("time_us", 0))
    except (OSError, ValueError, AttributeError):
        return 0


class Seen:
    """The refused payloads of late, so that one sent again and again is reported once."""

    def __init__(self) -> None:
        self._hashes: OrderedDict[bytes, None] = OrderedDict()

    def first(self, payload: bytes) -> bool:
        digest = hashlib.sha256(payload).digest()
        if digest in self._hashes:
            self._hashes.move_to_end(digest)
            return False
        self._hashes[digest] = None
        while len(self._hashes) > REMEMBERED:
            self._hashes.popitem(last=False)
        return True
