import numpy as np
import pyarrow as pa

from cinematch_assets.reading.cells import Cells
from cinematch_assets.reading.validation import is_valid, validate_cells
from cinematch_assets.schemas.pandera_schema import parsed_schema, typed_schema
from cinematch_assets.schemas.ratings_file import RATINGS_FILE


def validate(*rows, positions=None):
    columns = zip(*rows, strict=True)
    cells = {
        name: pa.array(values, pa.large_string())
        for name, values in zip(RATINGS_FILE.column_names, columns, strict=True)
    }
    positions = np.arange(len(rows)) if positions is None else np.array(positions)
    return validate_cells(RATINGS_FILE, Cells(positions, cells), parsed_schema(RATINGS_FILE))


def test_valid_rows_have_the_types_of_the_table():
    frame, reasons = validate(("1", "10", "4.0", "5"), ("2", "20", "3.5", "6"))
    assert reasons == {}
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == {
        column.name: column.dtype for column in RATINGS_FILE.columns
    }
    assert is_valid(frame, typed_schema(RATINGS_FILE))


def test_reasons_are_by_position_in_the_order_of_columns_and_rules():
    frame, reasons = validate(
        ("2.7", "", "5.7", "x"), ("1", "10", "4.0", "5"), ("1", "10", "4.0", None), positions=[3, 5, 9]
    )
    assert frame.index.tolist() == [5]
    assert reasons == {
        3: [
            "userId is not a whole number",
            "movieId is missing",
            "rating is not from 0.5 to 5.0",
            "rating is not in half steps",
            "timestamp is not a number",
        ],
        9: ["timestamp is missing"],
    }


def test_a_frame_that_breaks_a_rule_is_invalid():
    frame, _ = validate(("1", "10", "4.0", "5"))
    assert not is_valid(frame.assign(rating=np.float32(9)), typed_schema(RATINGS_FILE))
