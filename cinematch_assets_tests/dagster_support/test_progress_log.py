from cinematch_assets.dagster_support.progress_log import log_progress


def lines(*shares: float) -> list[str]:
    logged: list[str] = []
    progress = log_progress(lambda text, *values: logged.append(text % values))
    for share in shares:
        progress("sampling", share)
    return logged


def test_a_phase_of_a_thousand_steps_is_logged_at_most_every_ten_percent() -> None:
    logged = lines(*(step / 1000 for step in range(1, 1001)))
    assert len(logged) == 11
    assert (logged[0], logged[-1]) == ("sampling: 0 %", "sampling: 100 %")


def test_the_end_of_a_phase_is_logged_once() -> None:
    assert lines(0.95, 1.0, 1.0) == ["sampling: 95 %", "sampling: 100 %"]


def test_the_same_phase_of_a_second_model_is_logged_again() -> None:
    assert lines(0.5, 1.0, 0.5, 1.0) == ["sampling: 50 %", "sampling: 100 %"] * 2


def test_phases_are_throttled_one_by_one() -> None:
    logged: list[str] = []
    progress = log_progress(lambda text, *values: logged.append(text % values))
    for share in (0.5, 0.55):
        progress("sampling", share)
        progress("ranking", share)
    assert logged == ["sampling: 50 %", "ranking: 50 %"]
