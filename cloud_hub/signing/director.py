"""The director: signs which device runs what. It reads its key at each signature and keeps none in memory."""

from pathlib import Path

from cloud_hub.signing.keyring import DIRECTOR, load_key, online_folder
from wire.directive import Directive, SignedDirective, sign


class Director:
    """Signs with the online key in ``keys``: see :meth:`of`."""

    def __init__(self, keys: Path) -> None:
        self._keys = keys

    @classmethod
    def of(cls, state_dir: Path) -> "Director":
        """The director of the hub in ``state_dir``."""
        return cls(online_folder(state_dir))

    def sign(self, directive: Directive) -> SignedDirective:
        return sign(directive, load_key(self._keys, DIRECTOR))
