"""What rollouts need from other stages, as callables: `hub` and `flows` plug them in."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from cloud_hub.store.database import Connection
from wire.directive import Directive, SignedDirective

Sign = Callable[[Directive], SignedDirective]  # only `andon hub work` has the key
SignAll = Callable[[Sequence[Directive]], list[SignedDirective]]  # reads it once for all of them
Wake = Callable[[Connection], None]  # tells the rollout worker, once the transaction commits
Crown = Callable[[Connection, str, str | None], None]  # (use case, release): the champion; None: none


class Record(Protocol):
    """Writes an act into the audit chain, in the transaction that performs it."""

    def __call__(
        self,
        connection: Connection,
        *,
        actor: str,
        action: str,
        subject: str,
        detail: Mapping[str, Any] | None = None,
        correlation: str = "",
    ) -> None: ...
