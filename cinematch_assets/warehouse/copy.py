"""Many rows in, many rows out.

Here: Postgres' binary COPY from numpy columns, and Arrow results. Not here: which rows, which transaction.

ADBC's adbc_ingest would write columns too, but on a connection of its own: rows, status and ledger have to change in
one transaction, which is psycopg's. Row layout and header:
https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format".
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from numpy.typing import NDArray
from psycopg import sql

from cinematch_assets.logs import log_phase
from cinematch_assets.plurals import count
from cinematch_assets.warehouse.connection import WarehouseUnavailableError, describe, require_tls
from cinematch_assets.warehouse.statements import scalar, statement

_LOG = logging.getLogger(__name__)
_SLOW_S = 1.0
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_ROWS_PER_WRITE = 65_536
_WORK_MEM = "64MB"
"""Of each bulk read's sorts and hashes. To join 17.5M training rows with 7.5M test pairs takes 30 s of processor time
with it, 40 s with the server's 4 MB and 36 s with 256 MB, which leave the processor's cache."""
_INTEGER_OID = 23

# Postgres' binary values are big-endian; the width of the numpy type is the width of the column's.
_WIRE = {np.dtype(np.int16): ">i2", np.dtype(np.int32): ">i4", np.dtype(np.int64): ">i8",
         np.dtype(np.float32): ">f4", np.dtype(np.float64): ">f8"}  # fmt: skip


def copy_columns(
    connection: psycopg.Connection,
    table: sql.Composable,
    columns: Mapping[str, NDArray[np.generic]],
    constants: Mapping[str, str] | None = None,
) -> int:
    """COPY equally long columns, and text values that are the same in each row, into ``table``; return the rows.

    Every row has the same width, so numpy lays the stream out: 1M rows in 1.1 times of what the server needs to copy
    the same bytes from a file of its own. No column may hold a NULL.

    Args:
        connection: in the transaction that the rows belong to.
        table: the table's identifier.
        columns: column name → int16, int32, int64, float32 or float64 values, shape (n,), of the column's width; int32
            values of shape (n, length) for a column INTEGER[].
        constants: column name → text.
    """
    constants = constants or {}
    rows = len(next(iter(columns.values())))
    names = sql.SQL(", ").join(sql.Identifier(name.lower()) for name in (*columns, *constants))
    order = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(table, names)
    fixed = _one_row(columns, constants)
    start_s = time.perf_counter()
    with connection.cursor() as cursor, cursor.copy(order) as copy:
        copy.write(_SIGNATURE)
        for start in range(0, rows, _ROWS_PER_WRITE):
            stop = min(start + _ROWS_PER_WRITE, rows)
            block = np.tile(fixed, stop - start)
            for number, values in enumerate(columns.values()):
                if values.ndim == 1:
                    block[f"value{number}"] = values[start:stop]
                else:
                    for position in range(values.shape[1]):
                        block[f"value{number}"][f"element{position}"] = values[start:stop, position]
            copy.write(block.tobytes())
        copy.write(_TRAILER)
    _log_rows(f"wrote {count(rows, 'row')} into {table.as_string(connection)}", start_s)
    return rows


def _log_rows(message: str, start_s: float) -> None:
    """Log how long rows took, at INFO when they were slow."""
    seconds = time.perf_counter() - start_s
    _LOG.log(logging.INFO if seconds >= _SLOW_S else logging.DEBUG, "%s in %.1f s", message, seconds)


def _one_row(columns: Mapping[str, NDArray[np.generic]], constants: Mapping[str, str]) -> NDArray[np.void]:
    """Return a row on the wire, shape (1,), in which only the values are still to be filled in."""
    texts = [value.encode() for value in constants.values()]
    fields: list[tuple[str, Any]] = [("count", ">i2")]
    wires = [_WIRE[values.dtype] if values.ndim == 1 else _array_wire(values) for values in columns.values()]
    for number, wire in enumerate(wires):
        fields += [(f"length{number}", ">i4"), (f"value{number}", wire)]
    for number, text in enumerate(texts):
        fields += [(f"text_length{number}", ">i4"), (f"text{number}", f"V{len(text)}")]
    layout = np.dtype(fields)
    row = np.zeros(1, layout)
    row["count"] = len(columns) + len(constants)
    for number, values in enumerate(columns.values()):
        row[f"length{number}"] = layout[f"value{number}"].itemsize
        if values.ndim > 1:
            _begin_array(row[f"value{number}"], values.shape[1])
    for number, text in enumerate(texts):
        row[f"text_length{number}"] = len(text)
        row[f"text{number}"] = np.void(text)
    return row


def _array_wire(values: NDArray[np.generic]) -> list[tuple[str, str]]:
    """Return the fields of an INTEGER[] of ``values.shape[1]`` elements, as ``array_send`` writes them."""
    fields = [("dimensions", ">i4"), ("has_nulls", ">i4"), ("type", ">i4")]
    length = values.shape[1]
    if length:
        fields += [("length", ">i4"), ("first_index", ">i4")]
    for position in range(length):
        fields += [(f"element_length{position}", ">i4"), (f"element{position}", _WIRE[np.dtype(np.int32)])]
    return fields


def _begin_array(array: NDArray[np.void], length: int) -> None:
    """Fill in what all INTEGER[] of one length have in common."""
    array["type"] = _INTEGER_OID
    if length:
        array["dimensions"], array["length"], array["first_index"] = 1, length, 1
    for position in range(length):
        array[f"element_length{position}"] = np.dtype(np.int32).itemsize


def copy_rows(
    connection: psycopg.Connection, table: sql.Composable, names: Sequence[str], rows: Iterator[Sequence[object]]
) -> int:
    """COPY rows of any types, NULLs and texts included, one by one; for thousands, not millions. Return the rows."""
    columns = sql.SQL(", ").join(sql.Identifier(name.lower()) for name in names)
    count = 0
    order = sql.SQL("COPY {} ({}) FROM STDIN").format(table, columns)
    with connection.cursor() as cursor, cursor.copy(order) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def read_frame(url: str, query: str, names: Sequence[str] = ()) -> pd.DataFrame:
    """Read a query's result over ADBC, column by column: 1M ratings in 1.1 s where ``read_sql`` takes 6.

    Args:
        url: of the database.
        query: without parameters; ADBC streams it as one binary COPY.
        names: what the columns are called in the frame, where Postgres' lower case is not wanted.
    """
    return read_frames(url, (query, names))[0]


def read_frames(url: str, *queries: tuple[str, Sequence[str]]) -> list[pd.DataFrame]:
    """Read several queries in one snapshot, each with the names of its columns; see ``read_frame``."""
    with _snapshot(url) as connection:
        return [_fetch(connection, query, names) for query, names in queries]


def stream_frames(url: str, query: str, names: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Read a query's result in blocks as the server sends them; the memory does not grow with the result."""
    import pyarrow as pa  # noqa: PLC0415
    from adbc_driver_manager import AdbcStatement  # noqa: PLC0415

    with _snapshot(url) as connection, AdbcStatement(connection) as request:
        request.set_sql_query(query)
        stream, _ = request.execute_query()
        with pa.RecordBatchReader.from_stream(stream) as reader:
            for block in reader:
                yield block.to_pandas().set_axis(list(names), axis=1)


@contextmanager
def _snapshot(url: str) -> Iterator[Any]:
    """Yield an ADBC connection in a transaction that sees one state of the database.

    Without nested loops: how many rows belong to the batches of a state no statistics tell, so that Postgres expects a
    few, and would look up each of a million pairs by itself, in time that grows with the square of the rows. With more
    memory for sorting and hashing than the server's 4 MB, so that less goes through temporary files.
    """
    from adbc_driver_manager import AdbcConnection, Error  # noqa: PLC0415 - only bulk reads pay for it

    require_tls(url)
    try:
        with AdbcConnection(_arrow_database(url)) as connection:
            connection.set_autocommit(False)
            _execute(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            _execute(connection, "SET LOCAL enable_nestloop = off")
            _execute(connection, f"SET LOCAL work_mem = '{_WORK_MEM}'")
            yield connection
    except (Error, OSError) as fault:  # pyarrow says OSError when the server goes away in mid-stream
        cause = str(fault).splitlines()[0].rsplit("failed: ", 1)[-1]
        raise WarehouseUnavailableError(f"{describe(url)}: {cause} (in a bulk read); nothing was changed") from fault


@lru_cache(maxsize=8)
def _arrow_database(url: str) -> Any:
    """ADBC's view of a database, kept because it asks for every type first: 50 ms. It holds no connection."""
    from adbc_driver_postgresql import connect  # noqa: PLC0415

    return connect(url)


def _execute(connection: Any, order: str) -> None:
    from adbc_driver_manager import AdbcStatement  # noqa: PLC0415

    with AdbcStatement(connection) as request:
        request.set_sql_query(order)
        request.execute_update()


def _fetch(connection: Any, query: str, names: Sequence[str]) -> pd.DataFrame:
    import pyarrow as pa  # noqa: PLC0415
    from adbc_driver_manager import AdbcStatement  # noqa: PLC0415

    start_s = time.perf_counter()
    with AdbcStatement(connection) as request:
        request.set_sql_query(query)
        stream, _ = request.execute_query()
        with pa.RecordBatchReader.from_stream(stream) as reader:
            frame: pd.DataFrame = reader.read_all().to_pandas(split_blocks=True, self_destruct=True)
    _log_rows(f"read {count(len(frame), 'row')}", start_s)
    return frame.set_axis(list(names), axis=1) if names else frame


@contextmanager
def without_ratings_indexes(connection: psycopg.Connection) -> Iterator[None]:
    """Drop the plain indexes of ``ratings`` for the length of the block and build each again as it was written.

    In the caller's transaction: if anything fails the indexes are as before. Built afterwards, the four indexes of 1M
    ratings cost 4.4 s; kept up during the load, 18 s. Readers of the table wait until the transaction ends; a
    session that already reads it for longer than ``lock_timeout`` fails the load instead.
    """
    connection.execute("SET LOCAL lock_timeout = '60s'")
    connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
    dropped = scalar(connection, "maintenance/drop_ratings_indexes")
    yield
    with log_phase(_LOG, "build %d indexes of ratings", dropped):
        connection.execute(statement("maintenance/build_ratings_indexes"))
