"""A day of the platform, for a place without a network: ``python -m cinematch_assets_tests.support.offline_day HOME``.

Here: the demo, then ``dev`` with a batch that its sensor finds, and pages of the UI. Not here: the place, and what is
expected of it (``test_no_outside_connection``).
"""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from cinematch_assets.pipeline.monitoring.publish_page import KEY
from cinematch_assets_tests.support.dagster_ui import Dev, command, dev, run

DEADLINE_S = 2400
PAGES = ("/", "/server_info", f"/{KEY}")


def main(home: Path) -> None:
    """Run it; any fault ends it with a traceback."""
    words, environment = command(home, "demo", "--data", "synthetic:20000")
    subprocess.run(words, env=environment, check=True, timeout=DEADLINE_S)
    with dev(home) as running:
        run(home, "simulate").check_returncode()
        running.wait_for(lambda: "batch_w4" in _completed(home), "batch_w4 in the tables", deadline_s=DEADLINE_S)
        for page in PAGES:
            _get(running, page)
    sys.stdout.write("the day is over\n")


def _completed(home: Path) -> list[str]:
    asked = run(home, "sql", "SELECT batch_id FROM ingestion_metadata WHERE status = 'completed'", "--json")
    return [row["batch_id"] for row in json.loads(asked.stdout)] if asked.returncode == 0 else []


def _get(running: Dev, page: str) -> None:
    with urllib.request.urlopen(running.url + page, timeout=60) as answer:  # noqa: S310 - 127.0.0.1
        assert answer.status == 200, page


if __name__ == "__main__":
    main(Path(sys.argv[1]))
