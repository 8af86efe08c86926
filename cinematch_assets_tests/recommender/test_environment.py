import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from cinematch_assets.recommender import environment
from cinematch_assets.recommender.environment import computed_by

PRINT = (
    "import json; from cinematch_assets.recommender.environment import computed_by; print(json.dumps(computed_by()))"
)


def test_versions_kernel_and_processor_are_named_in_json() -> None:
    found = json.loads(json.dumps(computed_by()))
    assert (found["numpy"], found["python"]) == (np.__version__, sys.version.split()[0])
    assert all(each["library"] and each["version"] and each["kernel"] for each in found["blas"])
    assert {"numba", "scipy", "numba_cpu", "platform"} < set(found)


def test_the_hash_of_the_code_covers_each_module_that_the_recommender_computes_with() -> None:
    package = Path(environment.__file__).parent
    imported = set()
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cinematch_assets."):
                imported.add(node.module.split(".")[1] + ".py")
    say_something = {"errors.py", "logs.py", "plurals.py"}
    assert imported - say_something - {"recommender.py"} == set(environment.SHARED)
    assert all((package.parent / name).is_file() for name in environment.SHARED)


def test_it_is_what_the_process_runs_on_and_not_what_the_machine_could() -> None:
    of_process = os.environ | {"NUMBA_CPU_NAME": "generic", "OPENBLAS_CORETYPE": "Prescott"}
    done = subprocess.run([sys.executable, "-c", PRINT], env=of_process, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["numba_cpu"] == "generic"
    here = {(each["library"], each["version"]) for each in computed_by()["blas"]}
    assert {(each["library"], each["version"]) for each in found["blas"]} == here
