"""A dataset's file is read as it was written, or refused with what is wrong and what to do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cloud_hub.dataset import contents
from cloud_hub.errors import DatasetError
from models.examples import Examples
from tests.dataset.dataset_found import failure, found, pumps

HASHED = {"use_case": "pumps", "feature_set": "trend/1", "unit": "h"}


def examples() -> Examples:
    readings = [np.random.default_rng(seed).normal(size=(50, 2)) for seed in (1, 2)]
    return found([range(50)] * 2, readings, labels=[failure(0, 49, fault="cage")], use_case=pumps()).examples


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "set.parquet"
    contents.write(examples(), str(path))
    return path


def test_what_was_written_is_read(written: Path) -> None:
    read, meant = contents.read(str(written)), examples()
    for column in ("machine", "times", "life", "age", "remaining", "health", "fault", "features"):
        np.testing.assert_array_equal(getattr(read, column), getattr(meant, column))
        assert getattr(read, column).dtype == getattr(meant, column).dtype
    for name in contents.SPOKEN:
        assert getattr(read, name) == getattr(meant, name)
    assert contents.content_hash(read, **HASHED) == contents.content_hash(meant, **HASHED)
    assert [path.name for path in written.parent.iterdir()] == ["set.parquet"]


@pytest.mark.parametrize(
    "column", ["machine", "times", "life", "age", "remaining", "health", "fault", "features"]
)
def test_every_column_counts_in_the_hash(column: str) -> None:
    meant = examples()
    changed = getattr(meant, column).copy()
    changed.reshape(-1)[7] += 1
    other = replace(meant, **{column: changed})
    assert contents.content_hash(other, **HASHED) != contents.content_hash(meant, **HASHED)


@pytest.mark.parametrize("name", ["sites", "faults", "names", "units"])
def test_what_the_columns_mean_counts_in_the_hash(name: str) -> None:
    meant = examples()
    other = replace(meant, **{name: ("else", *getattr(meant, name)[1:])})
    assert contents.content_hash(other, **HASHED) != contents.content_hash(meant, **HASHED)


def test_a_lost_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is gone: restore it, or take a new snapshot"):
        contents.read(str(tmp_path / "set.parquet"))


def test_a_file_that_was_cut_short_is_refused(written: Path) -> None:
    whole = written.read_bytes()
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        written.write_bytes(whole[:length])
        with pytest.raises(DatasetError, match=r"cannot be read .*: restore it, or take a new snapshot"):
            contents.read(str(written))


def test_no_flipped_bit_goes_unseen(written: Path) -> None:
    """Wherever it is: the file is refused, or of another hash, or the bit meant nothing to the rows."""
    whole, meant = written.read_bytes(), contents.content_hash(examples(), **HASHED)
    seen = 0
    for place in np.random.default_rng(1).integers(0, len(whole), 200):
        spoilt = bytearray(whole)
        spoilt[place] ^= 16
        written.write_bytes(spoilt)
        try:
            read = contents.read(str(written))
        except DatasetError:
            seen += 1
            continue
        same = contents.content_hash(read, **HASHED) == meant
        assert not same or (read.features == examples().features).all()
        seen += not same
    assert seen > 100  # the others lie in statistics, padding and names that nobody reads


def test_a_foreign_file_is_refused(written: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2]}), written)
    with pytest.raises(DatasetError, match="expected a dataset of Andon, got another Parquet file"):
        contents.read(str(written))


def test_a_file_of_another_schema_is_refused(written: Path) -> None:
    pq.write_table(pq.read_table(written).drop_columns(["health"]), written)
    with pytest.raises(DatasetError, match="expected a column health, there is none"):
        contents.read(str(written))


def test_nothing_is_left_where_writing_failed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Exception, match="cannot be reached"):
        contents.write(examples(), str(tmp_path / "file" / "set.parquet"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
