import json
import os
import subprocess
import sys

import numpy as np

from cinematch_assets.recommender.environment import computed_by

PRINT = (
    "import json; from cinematch_assets.recommender.environment import computed_by; print(json.dumps(computed_by()))"
)


def test_versions_kernel_and_processor_are_named_in_json() -> None:
    found = json.loads(json.dumps(computed_by()))
    assert (found["numpy"], found["python"]) == (np.__version__, sys.version.split()[0])
    assert all(each["library"] and each["version"] and each["kernel"] for each in found["blas"])
    assert {"numba", "scipy", "numba_cpu", "platform"} < set(found)


def test_it_is_what_the_process_runs_on_and_not_what_the_machine_could() -> None:
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "OPENBLAS_CORETYPE": "Prescott"}
    done = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["numba_cpu"] == "generic"
    here = {(each["library"], each["version"]) for each in computed_by()["blas"]}
    assert {(each["library"], each["version"]) for each in found["blas"]} == here
