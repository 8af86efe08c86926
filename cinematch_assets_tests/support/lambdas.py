"""The Lambda functions of ``deploy/aws``, for tests.

Here: the zip, built once, and the functions' modules. Not here: running them (``deploy.test_database_lambda``).
"""

import sys
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

AWS = Path(__file__).resolve().parents[2] / "deploy" / "aws"


def load_function(name: str) -> ModuleType:
    """Import a module of ``deploy/aws`` or of its folder ``lambda``, which are no package."""
    place = next(path for path in (AWS / f"{name}.py", AWS / "lambda" / f"{name}.py") if path.exists())
    spec = spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise ImportError(name)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@cache
def bundle() -> Path:
    """Build the zip, and return its path."""
    module = load_function("bundle")
    module.build(module.TARGET)
    return Path(module.TARGET)
