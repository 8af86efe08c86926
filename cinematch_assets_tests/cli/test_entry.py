"""A real SIGINT while modules are imported, and what is imported then; ``test_main`` has what commands share."""

import subprocess
import sys

_INTERRUPTED_WHILE_IT_IMPORTS = """
import os, signal, sys
from importlib.abc import MetaPathFinder
from cinematch_assets.cli.entry import main

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "cinematch_assets.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupting())
main()
"""


def test_ctrl_c_before_the_command_has_begun_ends_in_one_sentence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_WHILE_IT_IMPORTS], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (130, "", 1), done.stderr
    assert done.stderr.startswith("stopped: ")


def test_help_and_completion_wait_for_no_library_of_numbers() -> None:
    heavy = ("numpy", "pandas", "scipy", "numba", "dagster", "jinja2", "apprise", "googleapiclient")
    code = f"import sys, cinematch_assets.cli.main; print(*(name for name in {heavy} if name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"
