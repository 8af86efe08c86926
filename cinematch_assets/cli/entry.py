"""The program ``cinematch``: Ctrl-C ends it in one sentence, also while its modules are imported.

Here: interruptions outside of a command. Not here: commands and their errors (``main``).
"""

import sys

INTERRUPTED = 128 + 2
"""The exit code of a program that SIGINT ended."""
STOPPED = "stopped: nothing half-done is visible, and the same command goes on from here"


def main() -> None:
    """Run the command."""
    try:
        from cinematch_assets.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write(f"{STOPPED}\n")
        sys.exit(INTERRUPTED)
