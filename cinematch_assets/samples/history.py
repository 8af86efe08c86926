"""Read a folder's ratings, movies and batches leniently, for simulation.

Here: valid rows only; invalid ones are skipped, because loading the folder reports them. Not here: reading for the
tables (``reading``).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cinematch_assets.samples.sample import SampleError, table_file
from cinematch_assets.table_names import expected_names, is_table_file

RATING_TYPES = {"userId": "int32", "movieId": "int32", "rating": "float32", "timestamp": "int64"}
BLOCK_BYTES = 16 << 20
_RANGES = {"rating": (0.5, 5.0), "timestamp": (0, 2**53)}
_ID_RANGE = (1, 2**31 - 1)


@dataclass(frozen=True, slots=True)
class History:
    """The valid rows of a folder.

    ``left_out`` has a sentence for each batch that cannot be read; ``batch_ids`` names them as well.
    """

    ratings: pd.DataFrame
    movie_ids: NDArray[np.int32]
    batches: pd.DataFrame  # of all batches, one after the other
    batch_ids: tuple[str, ...]
    left_out: tuple[str, ...] = ()


def read_history(folder: Path) -> History:
    """Read ratings, movies and batches of a folder.

    Raises:
        SampleError: No ratings or movies, or they cannot be read.
    """
    files = sorted(path for path in (folder / "batches").glob("[!.]*") if is_table_file(path.name))
    frames = [pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in RATING_TYPES.items()})]
    left_out: list[str] = []
    for path in files:
        try:
            frames.append(read_valid_rows(path, RATING_TYPES))
        except SampleError as error:
            left_out.append(str(error))
    return History(
        ratings=read_valid_rows(_required(folder, "ratings"), RATING_TYPES),
        movie_ids=read_valid_rows(_required(folder, "movies"), {"movieId": "int32"})["movieId"].to_numpy(),
        batches=pd.concat(frames, ignore_index=True),
        batch_ids=tuple(path.stem for path in files),
        left_out=tuple(left_out),
    )


def read_valid_rows(path: Path, types: dict[str, str]) -> pd.DataFrame:
    """Read the columns of ``types``, of rows where each is a number in range.

    Raises:
        SampleError: The file cannot be read at all.
    """
    try:
        blocks = [_valid_rows(block.to_pandas(), types) for block in _blocks(path, list(types))]
    except (pa.ArrowException, KeyError, OSError) as error:
        raise SampleError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from error
    return pd.concat(blocks, ignore_index=True) if blocks else _valid_rows(pd.DataFrame(columns=list(types)), types)


def _required(folder: Path, table: str) -> Path:
    path = table_file(folder, table)
    if path is None:
        raise SampleError(f"{folder} has no {expected_names(table)} to simulate from.")
    return path


def _blocks(path: Path, columns: list[str]) -> Iterator[Any]:
    """Yield Arrow batches of some columns; those of CSV hold text."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415

        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=columns)
        return
    from pyarrow import csv  # noqa: PLC0415

    with csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=csv.ParseOptions(invalid_row_handler=lambda _: "skip", newlines_in_values=True),
        convert_options=csv.ConvertOptions(include_columns=columns, column_types=dict.fromkeys(columns, pa.string())),
    ) as reader:
        for block in reader:
            yield _numbers(block)


def _numbers(block: Any) -> Any:
    """Return a block of text columns as floats when all cells are numbers, otherwise unchanged."""
    try:
        return pa.RecordBatch.from_arrays(
            [pc.cast(column, pa.float64()) for column in block.columns], names=block.schema.names
        )
    except pa.ArrowInvalid:
        return block


def _valid_rows(frame: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    """Return the rows whose values are all in range, in the types of the table."""
    numbers = frame[list(types)].apply(pd.to_numeric, errors="coerce").astype("float64")
    is_valid = numbers.notna().all(axis=1)
    for name in types:
        low, high = _RANGES.get(name, _ID_RANGE)
        is_valid &= numbers[name].between(low, high) & ((numbers[name] % 1 == 0) | (name == "rating"))
    valid: pd.DataFrame = numbers[is_valid].astype(types)
    return valid
