"""Pages agree with the code: links, commands, variables, files, and the pages that are generated."""

import re
from pathlib import Path
from types import ModuleType

import pytest
import typer

from cinematch_assets.cli.main import app
from cinematch_assets.settings import Settings
from docs.generated import MODULES

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
BYTES_OF_A_PICTURE = 300_000


@pytest.mark.parametrize("generated", MODULES)
def test_a_generated_page_is_what_it_is_generated_from(generated: ModuleType) -> None:
    assert generated.PAGE.read_text(encoding="utf-8") == generated.page(), "run `python -m docs`"


def anchors(text: str) -> set[str]:
    """The names that a page's headings have as targets, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_link_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), target
        if anchor:
            assert anchor in anchors(page.read_text(encoding="utf-8")), target


def commands() -> dict[str, set[str]]:
    """Every command as it is typed, such as ``models list``, with its options."""
    groups = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    found = {"": {option for param in typer.main.get_command(app).params for option in param.opts}}
    for name, command in groups.items():
        below = getattr(command, "commands", None)
        for rest, each in below.items() if below else [("", command)]:
            found[f"{name} {rest}".strip()] = {option for param in each.params for option in param.opts}
        if below:
            found[name] = set()
    return found


OPTIONS_OF_THE_COMMAND = {"--version", "--install-completion", "--quiet"}


def typed(text: str) -> list[str]:
    """What follows ``cinematch`` wherever a page has it in code, to the end of the line or of the code."""
    code = re.findall(r"`([^`\n]+)`", text)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [found[1] for line in (*code, *lines) if (found := re.search(r"(?:^|[ /])cinematch ([a-z@-].*)", line))]


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_command_exists_with_its_options(path: Path) -> None:
    known = commands()
    for line in typed(path.read_text(encoding="utf-8")):
        words = line.split("#")[0].replace("`", " ").split()
        if words[0] in OPTIONS_OF_THE_COMMAND:
            continue
        name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
        assert name is not None, line
        options = {word for word in words if word.startswith("--") or re.fullmatch(r"-[a-z]", word)}
        assert options - known[name] - {"--help", "-h"} == set(), line


def test_every_command_is_in_the_readme() -> None:
    shown = {" ".join(line.split()[:2]) for line in typed((ROOT / "README.md").read_text(encoding="utf-8"))}
    shown |= {line.split()[0] for line in shown}
    assert set(commands()) - shown == {""}


OURS = re.compile(r"\b(?:CINEMATCH|DAGSTER|GOOGLE|GCP|NEON)_[A-Z_]+\b")
NOT_SETTINGS = {"DAGSTER_HOME", "CINEMATCH_TEST_REQUIRE", "CINEMATCH_TEST_DATA"}  # Dagster's own; those of tests


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_variable_is_one_that_is_read(path: Path) -> None:
    compose = set(OURS.findall((ROOT / "deploy/compose.yaml").read_text(encoding="utf-8")))
    variables = {field.alias for field in Settings.model_fields.values()} | NOT_SETTINGS | compose
    named = set(OURS.findall(path.read_text(encoding="utf-8")))
    stems = {name for name in named if name.endswith("_")}  # CINEMATCH_RETRAIN_*
    assert {stem for stem in stems if not any(name.startswith(stem) for name in variables if name)} == set()
    assert named - stems - variables == set()


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_file_that_is_named_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    named = re.findall(
        r"`((?:cinematch_assets|cinematch_assets_tests|sql|docs|benchmarks|requirements)/[\w./-]+)`", text
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_example_environment_shows_the_defaults() -> None:
    shown = dict(re.findall(r"^# ([A-Z_]+)=(\S*)", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    defaults = {field.alias: field.default for field in Settings.model_fields.values() if field.default is not None}
    for name, default in defaults.items():
        assert type(default)(shown[str(name)]) == default, name


def test_pictures_are_small_enough_to_clone() -> None:
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size <= BYTES_OF_A_PICTURE, picture
