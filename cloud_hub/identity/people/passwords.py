"""Passwords: what is one, how it is kept, and a check that takes as long for a name nobody has.

argon2id by RFC 9106's second recommendation for memory and passes (64 MiB, 3), one lane.
Two hashes at a time and no more, so that a flood of guesses costs no more memory than that.
"""

import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from cloud_hub.errors import ConflictError, UnreachableError

SHORTEST = 12
LONGEST = 256
FEWEST_SIGNS = 5  # different ones
AT_ONCE = 2
PATIENCE_S = 3.0  # a thread of the listener waits so long at most


class Passwords:
    """Used by any thread."""

    def __init__(self, *, memory_kib: int = 64 << 10, passes: int = 3) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._turn = threading.BoundedSemaphore(AT_ONCE)

    def hash(self, password: str) -> str:
        with self._held():
            return self._hasher.hash(_normal(password))

    def fits(self, password: str, kept: str | None) -> bool:
        """Whether ``password`` is the one ``kept`` was made of; where there is none, no, in the same time."""
        with self._held():
            nobodys = self._nobodys  # made by the first check, whoever's that is
            try:
                return self._hasher.verify(kept or nobodys, _normal(password)) and kept is not None
            except (VerifyMismatchError, VerificationError, InvalidHashError):
                return False

    def is_old(self, kept: str) -> bool:
        """Whether ``kept`` was made with other parameters than these."""
        return self._hasher.check_needs_rehash(kept)

    @cached_property
    def _nobodys(self) -> str:
        return self._hasher.hash("nobody's")

    @contextmanager
    def _held(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=PATIENCE_S):
            raise UnreachableError("too many people sign in at this moment: try again in a few seconds")
        try:
            yield
        finally:
            self._turn.release()


def check(password: str, *, name: str) -> None:
    """``ConflictError`` for what would be guessed; the message never repeats it."""
    normal = _normal(password)
    if not SHORTEST <= len(normal) <= LONGEST:
        raise ConflictError(
            f"expected a password of {SHORTEST} to {LONGEST} characters, got {len(normal)}: "
            "four words in a row are good and easy to keep in mind"
        )
    if len(set(normal)) < FEWEST_SIGNS:
        raise ConflictError(f"expected {FEWEST_SIGNS} different characters or more in a password")
    if name.casefold() in normal.casefold():
        raise ConflictError("a password that holds its person's name is the first that would be guessed")


def _normal(password: str) -> str:
    """The same characters from every keyboard."""
    return unicodedata.normalize("NFKC", password[: 4 * LONGEST])
