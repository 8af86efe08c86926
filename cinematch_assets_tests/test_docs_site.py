"""The site of the pages: built with every warning an error, complete, and whole without a network."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from docs.site import CONFIG, ROOT, build_site, sources

PATIENCE_S = 120


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_site(tmp_path_factory.mktemp("site"))


def pages_of(site: Path) -> list[Path]:
    return [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]


def html_of(page: Path) -> str:
    """Where a page stands in the site."""
    return str(page.with_name("index.html") if page.name == "README.md" else page.with_suffix(".html"))


def test_each_page_is_in_the_site(site: Path) -> None:
    assert {str(path.relative_to(site)) for path in pages_of(site)} == {
        html_of(path) for path in sources() if path.suffix == ".md"
    }


def test_nothing_comes_from_another_server(site: Path) -> None:
    loads = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*\b(?:src|href)=\"?(https?:[^\s\">]+)")
    assert [found for page in pages_of(site) for found in loads.findall(page.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("target", ["no-such-page.md", "glossary.md#no-such-heading"])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path: Path, target: str) -> None:
    root = tmp_path / "root"
    for path in (CONFIG, Path("docs/glossary.md"), Path("docs/theme/iframe-worker.js"), Path("docs/theme/site.css")):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, root / path)
    config = (root / CONFIG).read_text()
    (root / CONFIG).write_text(re.sub(r"^nav = \[.*?^\]\n", "", config, flags=re.MULTILINE | re.DOTALL))
    (tmp_path / "build").mkdir()
    (root / "docs" / "page.md").write_text(f"# A page\n\n[to nowhere]({target})\n")
    with pytest.raises(subprocess.CalledProcessError) as failed:
        build_site(tmp_path / "build", root)
    assert "page.md:3" in failed.value.output


@pytest.fixture
def home(site: Path, browser: Chrome) -> Iterator[Chrome]:
    browser.get((site / "index.html").as_uri())
    yield browser
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.browser
def test_the_search_finds_a_page_without_a_server(home: Chrome) -> None:
    root = "[...document.querySelectorAll('*')].map(each => each.shadowRoot).find(each => each?.querySelector('input'))"
    wait = WebDriverWait(home, PATIENCE_S)
    home.find_element(By.CSS_SELECTOR, ".md-search__button").click()
    field = wait.until(lambda page: page.execute_script(f"return {root}?.querySelector('input')"))
    wait.until(lambda _: field.is_displayed())
    field.send_keys("quarantine")
    wait.until(lambda page: "Glossary" in page.execute_script(f"return {root}.textContent"))


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index.html", "docs/reference/commands.html"])
def test_axe_finds_no_serious_barrier(home: Chrome, site: Path, theme: str, page: str) -> None:
    home.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
    home.get((site / page).as_uri())
    found = Axe().run(home)
    serious = [each for each in found["violations"] if each["impact"] in {"serious", "critical"}]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    assert len(found["passes"]) > 15


@pytest.mark.slow
@pytest.mark.browser
def test_each_page_fits_a_phone(home: Chrome, site: Path) -> None:
    metrics = {"width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": True}
    home.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    for page in ("index.html", "docs/operating.html", "docs/data-path.html", "docs/reference/queries.html"):
        home.get((site / page).as_uri())
        assert home.execute_script("return document.documentElement.scrollWidth") == 320, page
