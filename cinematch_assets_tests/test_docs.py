"""Pages agree with the code: links, commands, variables, files, and the pages that are generated."""

import re
import subprocess
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from cinematch_assets.cli.main import app
from cinematch_assets.settings import Settings
from cinematch_assets_tests.conftest import ATTACKS
from cinematch_assets_tests.support.page_blocks import (
    PARSED,
    PATCH,
    RUN,
    Command,
    apply,
    blocks,
    extends_the_code,
    lines_of,
    simple_commands,
)
from docs.command_tree import commands as command_tree
from docs.generated import MODULES
from docs.site import navigation, sources

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
    fenced = re.findall(r"^```\w*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for block in fenced for line in block.splitlines()]
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


def test_the_table_of_attacks_names_what_make_test_security_runs() -> None:
    rows = re.findall(r"^\| .+ \| (.+) \|$", (ROOT / "docs" / "security.md").read_text(encoding="utf-8"), re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([\w/]+\.py)`", row)}
    assert named == set(ATTACKS)
    assert [name for name in named if not (ROOT / "cinematch_assets_tests" / name).is_file()] == []


def test_the_example_environment_shows_the_defaults() -> None:
    shown = dict(re.findall(r"^# ([A-Z_]+)=(\S*)", (ROOT / ".env.example").read_text(), flags=re.MULTILINE))
    defaults = {field.alias: field.default for field in Settings.model_fields.values() if field.default is not None}
    for name, default in defaults.items():
        assert type(default)(shown[str(name)]) == default, name


def test_pictures_are_small_enough_to_clone() -> None:
    for picture in (ROOT / "docs" / "pictures").iterdir():
        assert picture.stat().st_size <= BYTES_OF_A_PICTURE, picture


NOT_IN_THE_NAVIGATION = ("docs/decisions/", "benchmarks/")
"""Pages that an index links to."""


def test_each_page_is_in_the_navigation_of_the_site() -> None:
    shown = navigation()
    pages = [str(path) for path in sources() if path.suffix == ".md"]
    assert [name for name in shown if name not in pages] == [], "docs/zensical.toml"
    missing = [name for name in pages if name not in shown and not name.startswith(NOT_IN_THE_NAVIGATION)]
    assert missing == [], "name it in docs/zensical.toml"
    assert len(shown) == len(set(shown))


EXTENDING = [path for path in PAGES if extends_the_code(path)]
_LOOKS_LIKE_A_COMMAND = re.compile(r"^(?:\$ |(?:\.venv/bin/)?cinematch [a-z]|make [a-z])", re.MULTILINE)


@cache
def parsers() -> dict[str, Any]:
    return dict(command_tree())


def parse(words: list[str]) -> None:
    """Parse the words behind ``cinematch`` as the program does, and do nothing."""
    tree = parsers()
    words = ["1" if word.startswith("$") else word for word in words if word != "--quiet"]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in tree), None)
    assert name is not None, f"there is no such command: {words}"
    tree[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_block_with_commands_says_whether_it_is_run(path: Path) -> None:
    for block in blocks(path):
        if block.kind not in {RUN, PARSED}:
            assert not _LOOKS_LIKE_A_COMMAND.search(block.text), f"mark it {RUN} or {PARSED}: {block.text}"


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_each_command_line_parses(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    found = [block for block in blocks(path) if block.kind in {RUN, PARSED}]
    text = "\n".join(line for block in found for line in lines_of(block))
    if text:
        checked = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr + text
    for block in found:
        for line in lines_of(block):
            for words in simple_commands(line):
                program = words[0].removeprefix(".venv/bin/")
                if program == "cinematch":
                    parse(words[1:])
                elif program == "make":
                    assert words[1] in targets, line


@pytest.mark.parametrize("line", ["cinematch no-such-command", "cinematch status --nothing", "cinematch sql"])
def test_a_command_that_does_not_parse_is_noticed(line: str) -> None:
    (words,) = simple_commands(line)
    with pytest.raises(Exception, match=r"no such command|No such option|Missing parameter"):
        parse(words[1:])


def test_an_answer_has_the_shown_lines_in_their_order() -> None:
    command = Command("cinematch demo", ("1/5 … files", "done"))
    assert command.is_answered_by("1/5  make the\n files\n\ndone in 3 s")
    assert not command.is_answered_by("done\n1/5 files")


@pytest.mark.parametrize("path", EXTENDING, ids=[path.stem for path in EXTENDING])
def test_each_change_of_a_file_applies(path: Path) -> None:
    for block in blocks(path):
        if block.kind == PATCH:
            apply(block, ROOT, "--check")
