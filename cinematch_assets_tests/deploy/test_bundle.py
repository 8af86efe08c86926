"""The Lambda functions' zip: what our modules in it import is in it too, or Lambda's own.

Not here: the functions, run from the zip (``test_database_lambda``).
"""

import ast
import re
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions, requires

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cinematch_assets_tests.support.lambdas import load_function

LAMBDAS_OWN = {"boto3", "botocore"}


def imported_packages(source: bytes) -> Iterator[str]:
    """The first part of each module that is imported when the code runs, at its start or later."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module.partition(".")[0]
        waiting.extend(ast.iter_child_nodes(node))


def test_each_package_that_the_functions_import_is_in_the_bundle() -> None:
    bundle = load_function("bundle")
    ours = {name: content for name, content in bundle.ours().items() if name.endswith(".py")}
    assert "database.py" in ours
    here = {name.partition("/")[0].removesuffix(".py") for name in ours}
    distributions, bundled = packages_distributions(), set(map(canonicalize_name, bundle.PACKAGES))
    missing = {
        f"{name}: {package}"
        for name, content in ours.items()
        for package in set(imported_packages(content)) - here - sys.stdlib_module_names - LAMBDAS_OWN
        if not bundled & set(map(canonicalize_name, distributions.get(package, [package])))
    }
    assert missing == set()


def test_each_package_of_the_bundle_is_pinned_and_so_is_what_it_needs() -> None:
    """A release of a package may need another one, or one less than before."""
    bundle = load_function("bundle")
    assert re.findall(r"^([\w-]+)==", bundle._pins(), re.MULTILINE) == list(bundle.PACKAGES)
    needed = {
        canonicalize_name(requirement.name)
        for name in bundle.PACKAGES
        for requirement in map(Requirement, requires(name) or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert needed <= set(map(canonicalize_name, bundle.PACKAGES))
