"""What the hub's processes show their broker and no device knows: two words made from the hub's client key.

mosquitto grants anybody a place in a shared subscription and drops what the rules
forbid that place, so a device that knew the group's name could make half of all
batches vanish. And on the hub's own listener a client chooses its id, so whoever
may come in there could end a neighbour's session. Made from the key, they need no
file of their own and change with it.
"""

import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Self

USER = "hub"  # also the common name of the certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    group: str = "ingest"  # of the shared subscription
    password: str = ""  # on the hub's own listener; empty: the certificate is enough

    @classmethod
    def of(cls, key: Path) -> Self:
        """The words of whoever can read ``key``; ``OSError`` for anybody else."""
        secret = key.read_bytes()
        return cls(
            group=f"ingest-{_word(secret, 'shared subscription')}", password=_word(secret, "hub listener")
        )


def _word(secret: bytes, purpose: str) -> str:
    return hmac.new(secret, f"andon: {purpose}".encode(), hashlib.sha256).hexdigest()[:40]
