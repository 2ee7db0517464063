"""The truth directory: what really happened, kept where nothing that learns looks.

    source.json     what is simulated or replayed; a second run must match it
    produced.json   by device: the highest position given out, and readings and samples up to it
    failures.jsonl  one line a life begun so far, with its failure even if still to come
    labels.jsonl    replay: what a maintenance engineer would have logged
    rul.jsonl       replay of test sets: the remaining life at each machine's last reading
    hold            made by hand: while it is there, the source gives nothing out

Files are replaced as a whole, so a reader never sees half of one.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from simulators.errors import TruthError

Fields = Mapping[str, Any]


class Truth:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def stored(self) -> dict[str, Any] | None:
        """The source this directory belongs to; None where it is new."""
        return self._read("source.json")

    def claim(self, source: Fields) -> None:
        """Make the directory this ``source``'s, or refuse where it is another's."""
        stored = self.stored()
        if stored is None:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise TruthError(f"cannot make the truth directory {self.folder}: {error}") from error
            self._write("source.json", json.dumps(source, indent=1))
            return
        wanted = json.loads(json.dumps(source))
        for name in sorted(stored.keys() | wanted.keys()):
            if stored.get(name) != wanted.get(name):
                raise TruthError(
                    f"{self.folder} holds the truth of another run: expected {name} "
                    f"{stored.get(name)}, got {wanted.get(name)}; give it an empty directory"
                )

    def held(self) -> bool:
        """Whether someone asked the source to pause, by a file named ``hold``."""
        return (self.folder / "hold").exists()

    def produced(self) -> dict[str, dict[str, int]]:
        return self._read("produced.json") or {}

    def write_produced(self, produced: Mapping[str, Mapping[str, int]]) -> None:
        self._write("produced.json", json.dumps(produced, indent=1))

    def write_lines(self, name: str, lines: Iterable[Fields]) -> None:
        self._write(name, "".join(json.dumps(line) + "\n" for line in lines))

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.folder / name
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise TruthError(f"cannot read {path}: {error}") from error
        if not isinstance(content, dict):
            raise TruthError(f"expected one JSON object in {path}, got {type(content).__name__}")
        return content

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        draft = path.with_name(f".{name}.new")
        try:
            draft.write_text(text)
            draft.replace(path)
        except OSError as error:
            raise TruthError(f"cannot write {path}: {error}") from error
