"""A dataset's contents: their hash, and the Parquet file that keeps them.

The hash is over what the contents mean, in an order of its own: the same rows
give the same hash whatever order the database told them in, whenever it was asked.
"""

import hashlib
import json
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from cloud_hub.dataset import places
from cloud_hub.errors import DatasetError
from models.examples import Examples

MEANING = b"andon"  # key of the metadata in the Parquet file
SPOKEN = ("machines", "sites", "faults", "names", "units")  # what it holds
REMEDY = "restore it, or take a new snapshot"
COLUMNS = {
    "machine": pa.dictionary(pa.int32(), pa.string()),
    "time": pa.timestamp("us", tz="UTC"),
    "life": pa.int32(),
    "life_age": pa.float32(),
    "remaining_life": pa.float32(),  # null: the life has not ended in a failure
    "health": pa.int8(),  # 0 sound, 1 faulty, -1 nobody said
    "fault": pa.int16(),  # a class of the use case by number, -1: none or unknown
}


def content_hash(examples: Examples, *, use_case: str, feature_set: str, unit: str) -> str:
    """SHA-256, hex, over what the columns mean and every row, machine by machine in time order."""
    heading = [
        use_case,
        feature_set,
        unit,
        *(list(getattr(examples, name)) for name in ("names", "units", "faults")),
    ]
    digest = hashlib.sha256(json.dumps(heading, separators=(",", ":")).encode())
    for number in np.argsort(examples.machines):
        rows = np.flatnonzero(examples.machine == number)
        rows = rows[np.argsort(examples.times[rows], kind="stable")]
        if len(rows):
            own = [examples.machines[number], examples.sites[number], len(rows)]
            digest.update(json.dumps(own).encode())
            for column in ("times", "life", "age", "remaining", "health", "fault", "features"):
                values = getattr(examples, column)[rows]
                digest.update(np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()


def write(examples: Examples, location: str) -> None:
    """Write ``location`` whole or not at all, its pages with checksums."""
    table = pa.Table.from_arrays(_columns(examples), schema=_schema(examples))

    def fill(file: IO[bytes]) -> None:
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)

    places.write(location, fill)


def read(location: str) -> Examples:
    """The examples at ``location``; DatasetError where they are damaged, missing or no dataset."""
    try:
        with places.opened(location) as file:
            table = pq.read_table(file, page_checksum_verification=True).combine_chunks()
        return _examples(table)
    except FileNotFoundError as error:
        raise DatasetError(f"{location} is gone: {REMEDY}") from error
    except (pa.ArrowException, OSError, LookupError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(f"{location} cannot be read ({reason}): {REMEDY}") from error


def _columns(examples: Examples) -> list[pa.Array]:
    return [
        pa.DictionaryArray.from_arrays(pa.array(examples.machine, pa.int32()), pa.array(examples.machines)),
        pa.array(examples.times, pa.timestamp("us", tz="UTC")),
        pa.array(examples.life, pa.int32()),
        pa.array(examples.age, pa.float32()),
        pa.array(examples.remaining, pa.float32(), mask=np.isnan(examples.remaining)),
        pa.array(examples.health, pa.int8()),
        pa.array(examples.fault, pa.int16()),
        *(pa.array(np.ascontiguousarray(column)) for column in examples.features.T),
    ]


def _schema(examples: Examples) -> pa.Schema:
    meaning = json.dumps({name: getattr(examples, name) for name in SPOKEN})
    fields = [pa.field(name, kind) for name, kind in COLUMNS.items()]
    fields += [pa.field(name, pa.float32()) for name in examples.names]
    return pa.schema(fields, metadata={MEANING: meaning.encode()})


def _examples(table: pa.Table) -> Examples:
    """KeyError or ValueError where ``table`` is not one that ``write`` wrote."""
    if MEANING not in (table.schema.metadata or {}):
        raise ValueError("expected a dataset of Andon, got another Parquet file")
    meaning = json.loads(table.schema.metadata[MEANING])
    for name, kind in (COLUMNS | dict.fromkeys(meaning["names"], pa.float32())).items():
        if name not in table.schema.names:
            raise ValueError(f"expected a column {name}, there is none")
        if table.schema.field(name).type != kind:
            raise ValueError(f"expected {name} as {kind}, got {table.schema.field(name).type}")
    place = {name: number for number, name in enumerate(meaning["machines"])}
    spoken = table["machine"].combine_chunks()
    index = np.array([place[name] for name in spoken.dictionary.to_pylist()], np.int32)
    features = np.empty((len(table), len(meaning["names"])), np.float32)
    for column, name in enumerate(meaning["names"]):
        features[:, column] = table[name].to_numpy()
    return Examples(
        **{name: tuple(meaning[name]) for name in SPOKEN},
        machine=index[spoken.indices.to_numpy()],
        times=table["time"].cast(pa.int64()).to_numpy(),
        life=table["life"].to_numpy(),
        age=table["life_age"].to_numpy(),
        health=table["health"].to_numpy(),
        fault=table["fault"].to_numpy(),
        remaining=table["remaining_life"].fill_null(float("nan")).to_numpy(),
        features=features,
    )
