"""Write frames as CSV or Parquet files of MovieLens' form, a chunk at a time.

Here: the formats. Not here: atomic writing (``storage.atomic_file``), reading files (``reading``).
"""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa

from cinematch_assets.storage.atomic_file import unfinished_file


class TableWriter:
    """Writes frames of the same columns into a CSV or Parquet file, which appears when the ``with`` block ends well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = ExitStack()
        self._file: Any = None
        self._parquet: Any = None

    def __enter__(self) -> Self:
        unfinished = self._open.enter_context(unfinished_file(self._path))
        self._file = self._open.enter_context(unfinished.open("wb"))
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
        self._open.__exit__(kind, error, trace)

    def _write_parquet(self, frame: pd.DataFrame) -> None:
        import pyarrow.parquet as pq  # noqa: PLC0415 - only Parquet files need it

        table = pa.Table.from_pandas(frame, preserve_index=False)
        if self._parquet is None:
            self._parquet = self._open.enter_context(pq.ParquetWriter(self._file, table.schema))
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
