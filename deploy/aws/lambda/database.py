"""The Lambda function that initialises the database, as a CloudFormation custom resource.

Here: the answer to CloudFormation, whatever happens; the work runs in a process of its own, which is killed before the
function's own time-out, and Postgres then rolls back. Nothing is dropped, on deletion neither. Not here: the migrations
(``cinematch_assets.warehouse.migrations``), the same files as those of `cinematch migrate`.
"""

import http.client
import json
import logging
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

PHYSICAL_ID = "cinematch-database"
"""The same for ever: another one would make CloudFormation delete the former resource."""
ANSWER_RESERVE_S = 15.0
"""What is kept of the function's time for stopping the work and for the answer."""
ANSWER_ATTEMPTS = 4
ANSWER_TIMEOUT_S = 3.0
MAX_REASON_CHARS = 1_000
"""CloudFormation takes an answer of 4,096 bytes."""

Json = dict[str, Any]
_LOG = logging.getLogger("cinematch.database")
_LOG.setLevel(logging.INFO)


class FailedError(Exception):
    """The work failed, and the message is the reason in one sentence."""


def handler(event: Json, context: Any) -> Json:
    """Answer one event of CloudFormation: create and update initialise the database, delete leaves it as it is."""
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": event.get("PhysicalResourceId", PHYSICAL_ID),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    try:
        answer["Data"] = _work(event, context.get_remaining_time_in_millis() / 1000 - ANSWER_RESERVE_S)
        answer["Reason"] = answer["Data"].get("Done", "")
    except FailedError as failed:
        answer |= {"Status": "FAILED", "Reason": _sentence(str(failed))}
    except Exception as bug:  # noqa: BLE001 - CloudFormation would wait for an hour for an answer
        _LOG.exception("a bug in the handler")
        answer |= {
            "Status": "FAILED",
            "Reason": f"The handler failed ({type(bug).__name__}); its log has the traceback.",
        }
    _LOG.info("%s %s: %s %s", event["RequestType"], event["LogicalResourceId"], answer["Status"], answer["Reason"])
    _send(event["ResponseURL"], answer)
    return answer


def _work(event: Json, timeout_s: float) -> Json:
    if event["RequestType"] == "Delete":
        return {"Done": "The database was left as it is."}
    command = [sys.executable, "-c", "import database_setup; database_setup.main()"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        setup = subprocess.run(
            command,
            input=json.dumps(event["ResourceProperties"]),
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            timeout=max(timeout_s, 1.0),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise FailedError(
            f"The database was not ready within {max(timeout_s, 1.0):.0f} s; a migration under way was rolled back."
        ) from None
    lines = setup.stdout.splitlines()
    result = json.loads(lines[-1]) if lines else {}
    if "failed" in result:
        raise FailedError(result["failed"])
    if setup.returncode != 0 or "schema" not in result:
        raise FailedError(
            f"Initialising the database ended with exit code {setup.returncode}; the log has the traceback."
        )
    applied = ", ".join(result["applied"]) or "no migration, because none was pending"
    return {"Schema": result["schema"], "Done": f"Applied {applied}; the schema is {result['schema']}."}


def _sentence(reason: str) -> str:
    text = " ".join(reason.split())[:MAX_REASON_CHARS]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _send(url: str, answer: Json) -> None:
    """PUT the answer to the signed address, whose signature covers an empty content type.

    Raises:
        OSError: No attempt got through: the function fails, and CloudFormation waits until its own time-out.
    """
    body = json.dumps(answer).encode()
    request = urllib.request.Request(url, body, {"content-type": ""}, method="PUT")  # noqa: S310 - CloudFormation's
    for attempt in range(1, ANSWER_ATTEMPTS + 1):
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_TIMEOUT_S):  # noqa: S310
                return
        except (OSError, http.client.HTTPException) as fault:
            # Only the host is logged: the address carries the right to answer.
            _LOG.warning("answer to %s, attempt %d: %s", urlsplit(url).hostname, attempt, fault)
            if attempt == ANSWER_ATTEMPTS:
                raise
            time.sleep(0.2 * 2**attempt)
