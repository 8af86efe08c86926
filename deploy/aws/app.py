"""The CDK app: ``make deploy-synth`` or ``cdk deploy``; its switches are context values (``-c database=neon``).

Here: reading the switches, and the rules of cdk-nag over all that they make. Not here: the stack
(``cinematch_stack.stack``).
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks
from cinematch_stack.options import Options
from cinematch_stack.stack import CinematchStack


def build(context: Mapping[str, str], outdir: Path | None = None) -> cdk.App:
    """Make the app with the stack that the switches ask for."""
    app = cdk.App(outdir=str(outdir) if outdir else None, analytics_reporting=False, context=dict(context))
    options = Options.from_context({name: app.node.try_get_context(name) for name in Options.names()})
    # Account and region are those of the person who deploys: the template names neither.
    env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION"))
    CinematchStack(app, "Cinematch", options, env=env)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


if __name__ == "__main__":
    # `python app.py '{"database": "neon"}' FOLDER` is what the tests and `make deploy-synth` call, without the CLI.
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
    build(given, Path(sys.argv[2]) if len(sys.argv) > 2 else None).synth()
