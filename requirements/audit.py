"""Look the pinned packages up in the list of known vulnerabilities, by pip-audit in an environment of its own.

Here: running it, and its report as an exit code: 0 nothing is known, 1 something is, 2 nothing can be said. Not here:
the pins (requirements/pin). pip-audit itself ends with 0 when it could look up nothing.
"""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / "build" / "audit"
PINS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "requirements").glob("*.txt"))
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


def judge(report: dict[str, Any]) -> tuple[int, list[str]]:
    """Return the exit code for a report of pip-audit, and what to print."""
    packages = report["dependencies"]
    lines = [_sentence(package, found) for package in packages for found in package.get("vulns", [])]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if lines:
        return VULNERABLE, lines
    if skipped or not packages:
        count = f"{len(skipped)} of {len(packages)} packages could not be looked up"
        why = "the advisory service is not reached from here, and nothing is known about them"
        return UNKNOWN, [f"{count}, such as {skipped[0]}: {why}" if skipped else f"{count}: {why}"]
    return CLEAN, [f"no vulnerability is known in {len(packages)} packages"]


def _sentence(package: dict[str, Any], found: dict[str, Any]) -> str:
    mended = " or ".join(found["fix_versions"]) or "no version"
    return f"{package['name']} {package['version']}: {found['id']}, mended in {mended}"


def run_pip_audit(pins: str) -> tuple[int, list[str]]:
    """Audit one file of pins."""
    words = [
        ENVIRONMENT / "bin" / "python",
        "-m",
        "pip_audit",
        "--disable-pip",
        "--require-hashes",
        "-f",
        "json",
        "-r",
        pins,
    ]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        return UNKNOWN, [f"pip-audit could not reach the advisory service: {last[:200]}"]
    return judge(report)


def main() -> int:
    """Audit all files of pins; return the worst exit code: a known vulnerability before an unknown state."""
    if not (ENVIRONMENT / "bin" / "pip-audit").exists():
        venv.create(ENVIRONMENT, with_pip=True)
        pip = [
            ENVIRONMENT / "bin" / "python",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "pip-audit",
        ]
        if subprocess.run(pip, check=False).returncode:
            sys.stderr.write("requirements/audit: pip-audit cannot be installed: see pip's message above\n")
            return UNKNOWN
    codes = set()
    for pins in PINS:
        code, lines = run_pip_audit(pins)
        codes.add(code)
        sys.stdout.writelines(f"{pins}: {line}\n" for line in lines)
    return VULNERABLE if VULNERABLE in codes else max(codes)


if __name__ == "__main__":
    sys.exit(main())
