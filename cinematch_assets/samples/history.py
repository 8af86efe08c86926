"""What lies in a folder already: its ratings, its movies, its batches.

Here: a forgiving look, enough to simulate what comes next; rows that do not fit are passed over, because loading the
folder is what reports them. Not here: reading for the tables (``reading``).
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


@dataclass(frozen=True, slots=True)
class History:
    """The usable content of a folder."""

    ratings: pd.DataFrame
    movie_ids: NDArray[np.int32]
    batches: pd.DataFrame  # of all batches, one after the other
    batch_ids: tuple[str, ...]


def read_history(folder: Path) -> History:
    """Ratings, movies and batches of a folder.

    Raises:
        SampleError: No ratings or movies, or a file that cannot be read at all.
    """
    files = sorted(path for path in (folder / "batches").glob("[!.]*") if is_table_file(path.name))
    empty = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in RATING_TYPES.items()})
    return History(
        ratings=read_usable(_required(folder, "ratings"), RATING_TYPES),
        movie_ids=read_usable(_required(folder, "movies"), {"movieId": "int32"})["movieId"].to_numpy(),
        batches=pd.concat([empty, *(read_usable(path, RATING_TYPES) for path in files)], ignore_index=True),
        batch_ids=tuple(path.stem for path in files),
    )


def read_usable(path: Path, types: dict[str, str]) -> pd.DataFrame:
    """The columns of ``types`` of those rows where each is a number that fits, and a rating is 0.5 to 5 stars."""
    try:
        blocks = [_usable(block.to_pandas(), types) for block in _blocks(path, list(types))]
    except (pa.ArrowException, KeyError) as error:
        raise SampleError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from error
    return pd.concat(blocks, ignore_index=True) if blocks else _usable(pd.DataFrame(columns=list(types)), types)


def _required(folder: Path, table: str) -> Path:
    path = table_file(folder, table)
    if path is None:
        raise SampleError(f"{folder} has no {expected_names(table)} to go by.")
    return path


def _blocks(path: Path, columns: list[str]) -> Iterator[Any]:
    """Arrow batches of some columns; those of CSV hold text."""
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
    """A block of text columns as floats, where all of it is numbers, and as it came otherwise."""
    try:
        return pa.RecordBatch.from_arrays(
            [pc.cast(column, pa.float64()) for column in block.columns], names=block.schema.names
        )
    except pa.ArrowInvalid:
        return block


def _usable(frame: pd.DataFrame, types: dict[str, str]) -> pd.DataFrame:
    """Rows whose values all fit, in the wanted types."""
    numbers = frame[list(types)].apply(pd.to_numeric, errors="coerce").astype("float64")
    fits = numbers.notna().all(axis=1)
    for name in types:
        low, high = (0.5, 5.0) if name == "rating" else (0, 2**53) if name == "timestamp" else (1, 2**31 - 1)
        fits &= numbers[name].between(low, high) & ((numbers[name] % 1 == 0) | (name == "rating"))
    usable: pd.DataFrame = numbers[fits].astype(types)
    return usable
