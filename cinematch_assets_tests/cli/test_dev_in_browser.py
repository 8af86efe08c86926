"""The UI in headless Chromium, by clicks: a backfill, why a batch was refused, its retry, pictures, the report."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By

from cinematch_assets.samples.simulate import simulate_into
from cinematch_assets.samples.synthetic import SyntheticSpec, write_synthetic
from cinematch_assets_tests.support.dagster_ui import Dev, dev
from cinematch_assets_tests.support.servers import short_folder

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

pytestmark = [pytest.mark.waits, pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(3000)]

PICTURES = Path(__file__).resolve().parents[2] / "build" / "pictures"
UNPARTITIONED = ("raw_movies", "raw_ratings", "movies", "ratings", "movie_genre_features")
MODEL = ("recommender_model", "model_metrics", "recommendations")
QUICK_MODEL = {"ops": {"recommender_model": {"config": {"time_budget_s": 2}}}}
GOOD, REFUSED, FEW, OTHER = "batch_w1", "batch_w2", "batch_w3", "batch_w4"
RULE = "rating is not from 0.5 to 5.0"
MANY_DIGITS = re.compile(r"\d\.\d{10}")
DEADLINE_S = 600
"""Long enough for a machine that is ten times slower."""
EXPANDED = ",".join(f"global@global:{group}" for group in ("drive", "tables", "features", "drift", "model"))


class Window:
    """The browser on a running UI; each step waits for what it needs, and each click is counted."""

    def __init__(self, browser: "Chrome", ui: Dev) -> None:
        self.browser, self.ui, self.clicks = browser, ui, 0
        browser.set_window_size(1500, 1400)

    def open(self, path: str, *texts: str) -> str:
        """Open a page and return its text once it shows all of ``texts``; no click yet."""
        self.browser.get(f"{self.ui.url}{path}")
        self.clicks = 0
        return self.read(*texts)

    def read(self, *texts: str) -> str:
        """Return the text of the page once it shows all of ``texts``."""

        def shown() -> str | None:
            text = self.browser.find_element(By.TAG_NAME, "body").text
            return text if all(each in text for each in texts) else None

        return str(self._wait(shown, f"{texts} on the page"))

    def wait_until_gone(self, text: str) -> None:
        """Wait until the page no longer shows ``text``."""
        self._wait(lambda: text not in self.browser.find_element(By.TAG_NAME, "body").text, f"no {text} on the page")

    def click(self, xpath: str) -> None:
        """Click the first visible element once there is one."""

        def clicked() -> bool:
            for element in self.browser.find_elements(By.XPATH, xpath):
                if element.is_displayed() and element.is_enabled():
                    element.click()
                    return True
            return False

        self._wait(clicked, f"something to click at {xpath}")
        self.clicks += 1

    def button(self, text: str) -> None:
        """Click the button that begins with ``text``."""
        self.click(f"//button[starts-with(normalize-space(.), '{text}')]")

    def link(self, text: str) -> None:
        """Click the link whose text is ``text``."""
        self.click(f"//a[normalize-space(.)='{text}']")

    def picture(self, name: str) -> None:
        """Keep a screenshot, to be looked at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        assert self.browser.save_screenshot(PICTURES / f"{name}.png")

    def _wait(self, question: Callable[[], object], what: str) -> object:
        def asked() -> object:
            try:
                return question()
            except WebDriverException:  # the page was drawn anew meanwhile
                return None

        return self.ui.wait_for(asked, what, deadline_s=DEADLINE_S)


@pytest.fixture(scope="module")
def ui() -> Iterator[Dev]:
    """A catalogue, a champion, two batches with bad rows that were run, two good ones; nothing starts by itself."""
    with short_folder() as folder, dev(folder / "home") as running:
        find = "{ repositoriesOrError { ... on RepositoryConnection { nodes { sensors { sensorState { id } } } } } }"
        (repository,) = running.ask(find)["repositoriesOrError"]["nodes"]
        for sensor in repository["sensors"]:
            stop = "mutation($id: String!) { stopSensor(id: $id) { __typename } }"
            running.ask(stop, id=sensor["sensorState"]["id"])
        drive = running.home / "drive"
        drive.mkdir(exist_ok=True)
        write_synthetic(drive, SyntheticSpec.of_size(20_000, seed=1))
        running.materialize(*UNPARTITIONED)
        running.materialize(*MODEL, config=QUICK_MODEL)
        simulate_into(drive, drift=0.5)
        batches = drive / "batches"
        write_bad_batch(batches / f"{REFUSED}.csv", every=4)
        write_bad_batch(batches / f"{FEW}.csv", every=200)
        add = """mutation($key: String!, $here: RepositorySelector!) { addDynamicPartition(
            partitionKey: $key, partitionsDefName: "batch_id", repositorySelector: $here) { __typename } }"""
        here = {"repositoryLocationName": "cinematch_assets", "repositoryName": "__repository__"}
        (batches / f"{OTHER}.csv").write_text((batches / f"{GOOD}.csv").read_text())
        for key in (GOOD, REFUSED, FEW, OTHER):
            running.ask(add, key=key, here=here)
        for key in (REFUSED, FEW):
            running.launch_partition("ingest_batch", key)
            running.wait_for(lambda of=key: ended(running, of, 1), f"the run of {key}", deadline_s=2 * DEADLINE_S)
        yield running


def write_bad_batch(path: Path, *, every: int) -> None:
    """The good batch, but every so many rows have too many stars."""
    header, *rows = path.with_name(f"{GOOD}.csv").read_text().splitlines()
    for number in range(0, len(rows), every):
        user, movie, _, *rest = rows[number].split(",")
        rows[number] = ",".join((user, movie, "9.5", *rest))
    path.write_text("\n".join((header, *rows)) + "\n")


@pytest.fixture
def window(ui: Dev, browser: "Chrome") -> Iterator[Window]:
    yield Window(browser, ui)
    for handle in browser.window_handles[1:]:
        browser.switch_to.window(handle)
        browser.close()
    browser.switch_to.window(browser.window_handles[0])
    browser.set_window_size(1920, 1200)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest, browser: "Chrome") -> str:
    """What Dagster's UI follows unless a person sets it; the fixture ``browser`` takes it back."""
    wanted = {"features": [{"name": "prefers-color-scheme", "value": request.param}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", wanted)
    return str(request.param)


def runs_of(ui: Dev, batch: str) -> list[dict[str, object]]:
    """The runs of a batch, newest first."""
    return [run for run in ui.runs() if run["tags"].get("dagster/partition") == batch]


def ended(ui: Dev, batch: str, count: int) -> list[dict[str, object]] | None:
    """The runs of a batch, newest first, once so many have ended."""
    found = runs_of(ui, batch)
    done = [run for run in found if run["status"] in {"SUCCESS", "FAILURE", "CANCELED"}]
    return found if len(done) == len(found) == count else None


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        (REFUSED, (RULE, "Next: put a corrected file into the folder", "row 1: ")),
        (FEW, (RULE, "rejected rows of batches/batch_w3.csv", "Next: cinematch rejects list batches/batch_w3.csv")),
    ],
)
def test_two_clicks_lead_to_why_rows_were_rejected_and_what_to_do(
    window: Window, theme: str, batch: str, told: tuple[str, ...]
) -> None:
    """From the page that opens first, by the list of runs."""
    run = runs_of(window.ui, batch)[-1]
    window.open("/", "Runs")
    window.link("Runs")
    window.click(f"//a[contains(@href, '/runs/{run['runId']}')]")
    window.read(*told)
    assert window.clicks == 2
    window.picture(f"run-{batch}-{theme}")


def test_two_clicks_lead_to_the_rows_of_the_newest_batch(window: Window, theme: str) -> None:
    window.open("/", "Catalog")
    window.link("Catalog")
    window.click("//a[.//*[normalize-space(.)='ratings_buffer']]")
    window.browser.set_window_size(1500, 2200)
    window.read("Metadata", f"of batches/{FEW}.csv were rejected", RULE, "Next:")
    assert window.clicks == 2
    window.picture(f"ratings-buffer-{theme}")


def test_the_partition_tells_why_rows_were_rejected(window: Window, theme: str) -> None:
    window.open(f"/assets/ratings_buffer?view=partitions&partition={FEW}", FEW, RULE, "Next:", "9.5")
    window.picture(f"partition-{theme}")


def test_the_check_tells_why_rows_were_rejected(window: Window, theme: str) -> None:
    window.open("/assets/ratings_buffer?view=checks&checkDetail=rejected_rows", "Latest execution", "Next:")
    window.picture(f"rejected-rows-{theme}")


def test_a_backfill_is_launched_by_clicks_and_ends(window: Window) -> None:
    ui = window.ui
    window.open("/locations/cinematch_assets/jobs/ingest_batch", "Materialize all")
    window.button("Materialize all")
    window.read("Partition selection")
    window.click("//button[normalize-space(.)='Missing']")
    window.read("2 partitions", GOOD, OTHER)
    window.picture("backfill")
    window.button("Launch backfill")
    for batch in (GOOD, OTHER):
        (run,) = ui.wait_for(lambda of=batch: ended(ui, of, 1), f"the run of {batch}", deadline_s=2 * DEADLINE_S)
        assert run["status"] == "SUCCESS"
        assert run["tags"]["cause"] == "backfill"
    window.open("/runs", "Backfill")
    window.picture("runs")


def test_the_graph_shows_each_asset(window: Window, theme: str) -> None:
    window.browser.set_window_size(2700, 2300)
    window.open(f"/asset-groups?expanded={EXPANDED}", *UNPARTITIONED, *MODEL, "ratings_buffer", "drift_report")
    window.wait_until_gone("Loading")
    window.picture(f"graph-{theme}")


@pytest.mark.parametrize(
    ("asset", "keys", "pictures"),
    [
        ("drift_report", ("statistics", "scored_by", "chance"), 2),
        ("model_metrics", ("figures", "by_group", "evidence"), 2),
        ("recommendations", ("samples", "concentration"), 1),
        ("movie_genre_features", ("variance_by_feature",), 1),
        ("recommender_model", ("computed_by",), 0),
        ("monitoring_report", ("to_do",), 0),
        ("ratings", ("Row count", "rows_accepted"), 0),
    ],
)
def test_pictures_are_drawn_and_no_text_is_raw_or_cut(
    window: Window, theme: str, asset: str, keys: tuple[str, ...], pictures: int
) -> None:
    window.browser.set_window_size(1500, 2600)
    text = window.open(f"/assets/{asset}?view=overview", *keys)
    drawn = window.browser.find_elements(By.CSS_SELECTOR, "img[src^='data:image/svg']")
    assert [image.get_property("naturalWidth") != 0 for image in drawn] == [True] * pictures
    assert not MANY_DIGITS.search(text)
    assert [raw for raw in ("``", "|---|", '": ', "[Show Markdown]", "[Show JSON]") if raw in text] == []
    # Dagster cuts a value that is wider than its column at the right.
    cells = "[...document.querySelectorAll('td')].filter(cell => cell.scrollWidth > cell.clientWidth + 1)"
    assert window.browser.execute_script(f"return {cells}.map(cell => cell.innerText)") == []
    window.picture(f"{asset}-{theme}")


def test_the_report_opens_in_a_tab_of_its_own_and_says_what_decides(window: Window, theme: str) -> None:
    window.open(f"/assets/drift_report?view=partitions&partition={GOOD}", "/reports/")
    window.click("//a[contains(@href, '/reports/')]")
    browser = window.browser
    window.ui.wait_for(lambda: len(browser.window_handles) == 2, "the tab of the report", deadline_s=DEADLINE_S)
    browser.switch_to.window(browser.window_handles[-1])
    text = window.read("What decides", "rating_mean", "Drift in column")
    assert text.index("What decides") < text.index("Drift in column 'rating'")
    assert f"/reports/{GOOD}/" in browser.current_url
    window.picture(f"drift-report-page-{theme}")


def test_a_failed_batch_is_retried_by_clicks(window: Window) -> None:
    """Last, because it changes what the pages say: the file is corrected, and its run executed again."""
    ui = window.ui
    batches = ui.home / "drive" / "batches"
    (batches / f"{REFUSED}.csv").write_text((batches / f"{GOOD}.csv").read_text())
    (refused,) = runs_of(ui, REFUSED)
    window.open(f"/runs/{refused['runId']}", "Re-execute all")
    window.button("Re-execute all")
    newest, _ = ui.wait_for(lambda: ended(ui, REFUSED, 2), "the retry", deadline_s=2 * DEADLINE_S)
    assert newest["status"] == "SUCCESS"
    assert newest["tags"]["cause"] == "re-execution"
    window.open(f"/assets/ratings_buffer?view=partitions&partition={REFUSED}", "Materialized", "rows_accepted")
