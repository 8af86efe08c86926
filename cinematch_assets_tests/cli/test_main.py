"""What all commands share: help, version, completion, how errors end."""

import re
import shlex
import sys
from importlib.metadata import version
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from cinematch_assets.cli import output
from cinematch_assets.cli.main import app, main
from cinematch_assets.errors import CinematchError

ROOT = typer.main.get_command(app)


def command_names(command: click.Command, *above: str) -> list[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    return [above, *(name for word, each in below.items() for name in command_names(each, *above, word))]


def command_of(words: tuple[str, ...]) -> click.Command:
    command = ROOT
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    return command


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("words", command_names(ROOT), ids=" ".join)
def test_every_command_explains_itself(words: tuple[str, ...], option: str) -> None:
    result = CliRunner().invoke(app, [*words, option])
    assert result.exit_code == 0, result.output
    assert "Usage:" in result.output
    assert all(word in result.output for word in words)


@pytest.mark.parametrize("words", [words for words in command_names(ROOT) if words], ids=" ".join)
def test_every_command_and_option_has_a_help_text(words: tuple[str, ...]) -> None:
    command = ROOT
    for word in words:
        command = command.commands[word]
    assert command.help
    for parameter in command.params:
        if parameter.name != "help":
            assert getattr(parameter, "help", None), f"{' '.join(words)}: {parameter.name}"


def test_commands_have_an_example_in_their_help() -> None:
    with_one = {" ".join(words) for words in command_names(ROOT) if "Example: " in (command_of(words).help or "")}
    often_used = "demo|dev|doctor|status|recommend|similar|sql|rejects list|rejects release|models list|models promote"
    assert set(often_used.split("|")) <= with_one


@pytest.mark.parametrize("words", [words for words in command_names(ROOT) if words], ids=" ".join)
def test_an_example_is_one_that_the_command_takes(words: tuple[str, ...]) -> None:
    command = command_of(words)
    for example in re.findall(r"Example: (.*)", command.help or ""):
        program, *typed = shlex.split(example)
        assert (program, tuple(typed[: len(words)])) == ("cinematch", words)
        command.make_context(words[-1], typed[len(words) :])  # raises for an option or argument that there is not


def test_the_version_is_that_of_the_distribution() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.output) == (0, f"cinematch-assets {version('cinematch-assets')}\n")


def test_shell_completion_can_be_shown_and_installed() -> None:
    assert {"--install-completion", "--show-completion"} <= {name for each in ROOT.params for name in each.opts}


def test_shell_completion_offers_the_commands() -> None:
    variables = {"_CINEMATCH_COMPLETE": "complete_bash", "COMP_WORDS": "cinematch re", "COMP_CWORD": "1"}
    offered = CliRunner().invoke(app, [], prog_name="cinematch", env=variables).output.split()
    assert {"recommend", "rejects"} <= set(offered)
    assert "status" not in offered


def test_an_error_is_one_line_on_standard_error_with_its_text_unchanged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise CinematchError("[bold]x[/].csv: is empty [/nothing]")

    monkeypatch.setattr("cinematch_assets.settings.Settings.from_env", fail)
    monkeypatch.setattr(sys, "argv", ["cinematch", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "error: [bold]x[/].csv: is empty [/nothing]\n")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (TypeError("private"), 70, "error: this is a bug of cinematch (TypeError); its traceback is entry "),
        (OSError(28, "x", "out.html"), 1, "error: out.html: no space is left on the device (details: entry "),
    ],
    ids=["bug", "system"],
)
def test_what_is_not_foreseen_is_a_sentence_with_its_traceback_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    error: Exception,
    code: int,
    said: str,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setenv("CINEMATCH_HOME", str(tmp_path))
    monkeypatch.setattr("cinematch_assets.settings.Settings.from_env", fail)
    monkeypatch.setattr(sys, "argv", ["cinematch", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n"), shown.err[: len(said)]) == ("", 1, said)
    assert "private" not in shown.err
    log = tmp_path / "logs" / "errors.log"
    assert str(log) in shown.err
    assert f"{type(error).__name__}: " in log.read_text()


def test_ctrl_c_ends_in_one_sentence(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cinematch_assets.settings.Settings.from_env", interrupt)
    monkeypatch.setattr(sys, "argv", ["cinematch", "status"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert shown.err.startswith("stopped: ")


def test_quiet_is_asked_of_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output.notes, "quiet", False)
    for words, quiet in ((["--quiet", "features", "--help"], True), (["features", "--help"], False)):
        CliRunner().invoke(app, words)
        assert output.notes.quiet == quiet
