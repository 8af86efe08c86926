"""The badge of the UI is red exactly while ``cinematch status`` lists something for a person."""

from cinematch_assets.dagster_support.attention_check import (
    MAX_SHOWN,
    SHOWN_IN_A_LOG,
    evaluate_between_runs,
    nothing_needs_attention,
)
from cinematch_assets.pipeline.attention import attention
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets.values import OutstandingWork
from cinematch_assets.warehouse.outstanding import replace_outstanding
from cinematch_assets_tests.support.platforms import insert_movies, load_table


def given_up(number: int) -> list[OutstandingWork]:
    return [
        OutstandingWork("batch", f"w{n}", "a", "given_up", "<b>7</b> rows | do not fit", "correct it")
        for n in range(number)
    ]


def test_what_waits_by_itself_leaves_it_green(platform: Platform) -> None:
    waits = OutstandingWork("batch", "w1", "a", "waiting", "the disk is full", "tried again by itself")
    platform.warehouse.run(replace_outstanding, {"batch"}, [waits])
    outcome = nothing_needs_attention().evaluate(platform, None)
    assert (outcome.passed, outcome.description, outcome.metadata["needs_attention"]) == (
        True,
        "Nothing needs attention.",
        0,
    )


def test_it_says_how_many_and_what_to_do_and_text_from_outside_is_text(platform: Platform) -> None:
    platform.warehouse.run(replace_outstanding, {"batch"}, given_up(MAX_SHOWN + 2))
    outcome = nothing_needs_attention().evaluate(platform, None)
    assert not outcome.passed
    assert outcome.metadata["needs_attention"] == len(attention(platform)) == MAX_SHOWN + 2
    assert outcome.description.startswith(f"**{MAX_SHOWN + 2} things need attention.**")
    assert outcome.description.endswith("2 more: `cinematch status`")
    assert "<b>" not in outcome.description
    assert "Next: correct it" in outcome.description


def test_the_same_look_twice_is_one_event(platform: Platform) -> None:
    event, mark = evaluate_between_runs(platform, None)
    assert event is not None
    assert evaluate_between_runs(platform, mark) == (None, mark)


def test_the_page_of_a_run_ends_with_what_to_do_and_with_rejected_rows_of_loaded_batches(platform: Platform) -> None:
    """The log of a run shows the figures of a check, and no description."""
    insert_movies(platform, (10, "Heat (1995)"))
    rows = "".join(f"{user},10,{9.5 if user == 40 else 4},5\n" for user in range(1, 41))
    load_table(platform, "batches/batch_w1", f"userId,movieId,rating,timestamp\n{rows}")
    platform.warehouse.run(replace_outstanding, {"batch"}, given_up(5))
    told = nothing_needs_attention().evaluate(platform, None).metadata
    path = "batches/batch_w1.csv"
    assert told[f"rejected rows of {path}"] == (
        f"rating is not from 0.5 to 5.0 (1, first in row 40). Next: cinematch rejects list {path}"
    )
    assert [text for name, text in told.items() if "correct it" in str(text)] == [
        "<b>7</b> rows | do not fit. Next: correct it"
    ] * SHOWN_IN_A_LOG
