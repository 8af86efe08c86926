"""Frames to files in the shape of MovieLens, a chunk at a time.

Here: the bytes. Not here: what is in them, and reading files (``reading``).
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa


class TableWriter:
    """Writes frames of the same columns into one CSV or Parquet file, which appears when the block ends well.

    Until then it is a hidden file with the ending ``.part`` beside it, which no listing of data files shows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._file: Any = None
        self._parquet: Any = None

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        return self

    def write(self, frame: pd.DataFrame) -> None:
        """Append the frame's rows."""
        if self._path.suffix == ".parquet":
            self._write_parquet(frame)
        else:
            self._write_csv(frame)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._parquet is not None:
            self._parquet.close()
        self._file.close()
        if kind is None:
            self._part.replace(self._path)
        else:
            self._part.unlink()

    def _write_parquet(self, frame: pd.DataFrame) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only who asks for Parquet pays for it

        table = pa.Table.from_pandas(frame, preserve_index=False)
        if self._parquet is None:
            self._parquet = pq.ParquetWriter(self._file, table.schema)
        self._parquet.write_table(table)

    def _write_csv(self, frame: pd.DataFrame) -> None:
        from pyarrow import csv  # noqa: PLC0415

        if self._file.tell() == 0:
            self._file.write((",".join(frame.columns) + "\n").encode())
        if "rating" not in frame:
            frame.to_csv(self._file, index=False, header=False)
            return
        # Arrow writes numbers ten times faster than pandas, and a float 4.0 as "4" where MovieLens has "4.0".
        columns = {name: pa.array(frame[name]) for name in frame.columns}
        columns["rating"] = columns["rating"].cast(pa.decimal128(2, 1))
        csv.write_csv(pa.table(columns), self._file, csv.WriteOptions(include_header=False, quoting_style="none"))
