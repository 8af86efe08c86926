"""The page in headless Chromium: axe finds no barrier in either theme, nothing is wider than 320 px, keys reach all."""

from pathlib import Path

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from cinematch_assets.pipeline.monitoring.page import render
from cinematch_assets_tests.pipeline.monitoring.test_page import make_facts

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Chrome, tmp_path: Path) -> Chrome:
    file = tmp_path / "page.html"
    file.write_text(render(make_facts(15)), encoding="utf-8")
    browser.get(file.as_uri())
    return browser


def open_everything(page: Chrome) -> None:
    for summary in page.find_elements(By.TAG_NAME, "summary"):
        summary.send_keys(Keys.ENTER)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_barrier(page: Chrome, theme: str) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    open_everything(page)
    found = Axe().run(page)
    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 15


def test_it_fits_a_phone(page: Chrome) -> None:
    metrics = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        open_everything(page)
        assert page.execute_script("return document.documentElement.scrollWidth") == 320
    finally:
        page.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_keys_open_what_is_folded_and_reach_the_tables(page: Chrome) -> None:
    open_everything(page)
    assert all(each.get_attribute("open") for each in page.find_elements(By.TAG_NAME, "details"))
    wanted = page.execute_script("return document.querySelectorAll('a,summary,[tabindex=\"0\"]').length")
    reached = set()
    for _ in range(wanted):
        page.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(page.execute_script("return document.activeElement.outerHTML.slice(0, 200)"))
    assert len(reached) > wanted * 0.8  # some are equal texts


def test_nothing_is_asked_of_the_network(page: Chrome) -> None:
    loaded = page.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
    assert loaded == []
    assert [entry["message"] for entry in page.get_log("browser")] == []
