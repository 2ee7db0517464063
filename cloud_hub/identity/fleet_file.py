"""Reading a file of devices to add: CSV with a header, one wrong line refuses it whole and is named.

name,site,profile,tags,zone
press-04,plant-1,orin-nx,line-2;pilot,Europe/Berlin
"""

import csv
from collections.abc import Iterable

from cloud_hub.errors import ConfigError
from cloud_hub.identity.devices import PROFILE, NewDevice

NEEDED = ("name", "site")
COLUMNS = (*NEEDED, "profile", "tags", "zone")
BETWEEN_TAGS = ";"


def parse(lines: Iterable[str]) -> list[NewDevice]:
    """The devices in order, each with the line it stands on; ``ConfigError`` for a file that is not one."""
    reader = csv.DictReader(lines, strict=True)
    try:
        _check_header(reader.fieldnames or ())
        found = [_device(row, reader.line_num) for row in reader]
    except csv.Error as error:
        raise ConfigError(f"line {reader.reader.line_num}: {error}") from error
    _check_unique(found)
    return found


def _check_header(header: Iterable[str]) -> None:
    columns = list(header)
    if missing := [name for name in NEEDED if name not in columns]:
        raise ConfigError(f"line 1: expected a header with {' and '.join(missing)}, got {','.join(columns)}")
    if unknown := [name for name in columns if name not in COLUMNS]:
        raise ConfigError(f"line 1: expected columns out of {', '.join(COLUMNS)}, got {', '.join(unknown)}")


def _device(row: dict[str, str], line: int) -> NewDevice:
    if None in row or None in row.values():
        raise ConfigError(f"line {line}: expected as many values as the header has columns")
    tags = (tag.strip() for tag in row.get("tags", "").split(BETWEEN_TAGS))
    return NewDevice(
        name=row["name"].strip(),
        site=row["site"].strip(),
        profile=row.get("profile", "").strip() or PROFILE,
        tags=tuple(filter(None, tags)),
        zone=row.get("zone", "").strip() or None,
        line=line,
    )


def _check_unique(devices: Iterable[NewDevice]) -> None:
    lines: dict[str, int] = {}
    for device in devices:
        first = lines.setdefault(device.name, device.line)
        if first != device.line:
            raise ConfigError(f"line {device.line}: device {device.name!r} stands on line {first} already")
