"""The faults that use cases tell apart, by class of machine: what failures and verdicts may name."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultClasses:
    by_class: Mapping[str, frozenset[str]]
    unread: tuple[str, ...]  # why, of each use case that could not be read


def fault_classes(own: Path) -> FaultClasses:
    """Of every use case there is, those in the folder ``own`` included."""
    from models.errors import UseCaseError  # noqa: PLC0415 - as below
    from models.use_case import find, names  # noqa: PLC0415 - brings NumPy and pydantic's models

    found: dict[str, frozenset[str]] = {}
    unread = []
    for name in names(own):
        try:
            use_case = find(name, own)
        except UseCaseError as error:
            unread.append(str(error))
            continue
        if use_case.faults:
            known = found.get(use_case.machine_class, frozenset())
            found[use_case.machine_class] = known | set(use_case.faults.classes)
    return FaultClasses(by_class=found, unread=tuple(unread))
