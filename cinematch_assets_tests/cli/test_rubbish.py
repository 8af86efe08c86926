"""Every command with arguments that make no sense: one sentence and exit code 1 or 2, no traceback, no bug."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cinematch_assets.cli.main import main
from cinematch_assets.pipeline.platform import Platform
from cinematch_assets_tests.cli.test_commands import platform

__all__ = ["platform"]  # fixtures

NUMBERS = ("-1", "0", str(2**31 - 1), str(2**31), str(-(2**31) - 1), str(2**63), str(-(2**63) - 1), "9" * 400)
WORDS = ("", " ", "\x01", "é" * 300, "\udcff", "'; DROP TABLE movies; --", "%s %(x)s {}", "x" * 100_000, "٣", "²", "½")
PATHS = ("", "/", "/dev/null/x", "/nowhere/at/all.csv", "\udcff.csv", "x" * 300, "s3://", "s3:///x", "gdrive:x")
CALLS: dict[str, tuple[tuple[str, ...], ...]] = {
    "recommend": (*((n,) for n in NUMBERS), *(("1", "-k", n) for n in NUMBERS),
                  *(("--likes", w) for w in (*WORDS, *NUMBERS)), *((w,) for w in WORDS)),
    "similar": (*((n,) for n in NUMBERS), *((w,) for w in WORDS), *(("1", "-k", n) for n in NUMBERS)),
    "rejects list": (*((w,) for w in WORDS), *(("--limit", n) for n in NUMBERS)),
    "rejects release": (*((n,) for n in NUMBERS), *(("--path", w) for w in WORDS),
                        *(("1", "--correct", w) for w in WORDS), ()),
    "forget": (*((n,) for n in NUMBERS if n != NUMBERS[2]), *(("--certificate", "--number", n) for n in NUMBERS),
               ("1", "--reason", "user 1"), ()),
    "audit": (*(("--limit", n) for n in NUMBERS),),
    "models promote": (*((w,) for w in WORDS), *((n,) for n in NUMBERS)),
    "models reject": (*((w,) for w in WORDS), *((n,) for n in NUMBERS)),
    "models rollback": (*(("--reason", w) for w in WORDS),),
    "models verify": (*((w,) for w in WORDS),),
    "notify list": (*(("--limit", n) for n in NUMBERS),),
    "notify test": ((),),
    "sql": (*((w,) for w in WORDS), *(("@" + w,) for w in WORDS), *(("SELECT 1", "--max-rows", n) for n in NUMBERS)),
    "simulate": (
        *(("--rows", n) for n in NUMBERS if n != str(2**31 - 1)),
        ("--seed", "-1"),
        ("--seed", str(2**63)),
        *(("--drift", w) for w in ("nan", "inf", "1e400", "-99")),
    ),
    "evaluate": (*(("--train", p, "--test", p) for p in PATHS), ("--train", "/dev/null", "--split", "x"),
                 ("--train", "/dev/null", "--protocol", "x"), ("--train", "/dev/null", "--split", "temporal")),
    "export": (*((p,) for p in ("/dev/null", "/dev/null/x", "s3://", "s3:///x", "gdrive:x", "x" * 300)),),
    "report": (*(("--out", p) for p in ("", "/", "/dev/null/x", "/proc/x", "x" * 300)),),
    "doctor": (*(("--port", n) for n in NUMBERS),),
    "dev": (*(("--port", n) for n in NUMBERS),),
    "demo": (*(("--data", p) for p in (*PATHS, "synthetic:x", "synthetic:-1", "synthetic:0", f"synthetic:{2**63}")),),
    "drive login": (*(("--client-secrets", p, "--no-browser", "--timeout", "1") for p in PATHS),
                    *(("--timeout", n) for n in NUMBERS)),
    "drive check": (("x",),),
    "migrate": (("x",),), "status": (("x",),), "stop": (("x",),), "models list": (("x",),), "features refit": (("x",),),
}  # fmt: skip


def shown(words: tuple[str, ...]) -> str:
    return " ".join(word if len(word) < 30 else f"{word[:8]}…{len(word)}" for word in words).encode(
        "ascii", "backslashreplace").decode()  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_rubbish_ends_in_a_sentence(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    end = ending(platform, monkeypatch, capsys)
    for arguments in CALLS[name]:
        code, out, err = end(*name.split(), *arguments)
        said = f"{name} {shown(arguments)}: {code}\n{err}"
        assert code in {0, 1, 2}, said
        assert "Traceback" not in out + err, said
        assert code != 1 or not err or err.strip().splitlines()[-1].startswith("error: "), said


def ending(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[object, str, str]]:
    """Return what runs ``cinematch`` on a platform and returns exit code, output and errors."""
    monkeypatch.setenv("CINEMATCH_HOME", str(platform.settings.home))
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", platform.warehouse.url)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(platform.settings.home)

    def run(*words: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["cinematch", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    return run


def in_a_process(platform: Platform, *words: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run ``cinematch`` as a program, since it is about its real output, folders and memory."""
    environment = os.environ | {
        "CINEMATCH_HOME": str(platform.settings.home),
        "CINEMATCH_DATABASE_URL": platform.warehouse.url,
    }
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": platform.settings.home} | how
    how["env"] = environment | how.pop("env", {})
    return subprocess.run(
        [sys.executable, "-m", "cinematch_assets.cli.main", *words], text=True, check=False, timeout=120, **how
    )


def test_a_full_device_as_output_is_an_error(platform: Platform) -> None:
    with Path("/dev/full").open("w") as full:
        ended = in_a_process(platform, "models", "list", stdout=full)
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        "error: the output cannot be written: no space is left on the device (details: entry "
    )
    assert ended.stderr.count("\n") == 1


def test_output_that_no_one_reads_ends_without_a_word(platform: Platform) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as broken:
        ended = in_a_process(platform, "sql", "SELECT * FROM ratings", "--lines", stdout=broken)
    assert (ended.returncode, ended.stderr) == (1, "")


READING = (("status",), ("models", "list"), ("rejects", "list"), ("audit",), ("sql", "SELECT 1"), ("recommend", "1"),
           ("similar", "1"), ("report",), ("notify", "list"), ("export",), ("simulate",), ("features", "refit"),
           ("models", "promote", "x"), ("models", "rollback"), ("models", "verify", "x"), ("rejects", "release", "1"),
           ("forget", "7"), ("migrate",))  # fmt: skip


@pytest.mark.parametrize("words", READING, ids=" ".join)
@pytest.mark.parametrize("surroundings", ["down", "wrong-database", "wrong-user", "no-tls"])
def test_a_database_that_cannot_be_used_is_named_with_its_true_reason(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    surroundings: str,
    words: tuple[str, ...],
) -> None:
    end = ending(platform, monkeypatch, capsys)
    url = platform.warehouse.url
    broken, expected = {
        "down": (
            "postgresql://owner@127.0.0.1:1/db",
            "Connection refused (the server is down, or CINEMATCH_DATABASE_URL is wrong)",
        ),
        "wrong-database": (
            url.replace(url.partition("@/")[2].partition("?")[0], "nosuch"),
            '"nosuch" does not exist (look at the database in CINEMATCH_DATABASE_URL)',
        ),
        "wrong-user": (url.replace("postgres:@", "unlisted:@"), "unlisted"),
        "no-tls": ("postgresql://owner@10.255.255.1/db", "sslmode=require"),
    }[surroundings]
    monkeypatch.setenv("CINEMATCH_DATABASE_URL", broken)
    code, _, err = end(*words)
    assert code == 1, err
    assert expected in err
    assert "down" not in err or surroundings == "down"
    assert len(err.strip().splitlines()) == 1
