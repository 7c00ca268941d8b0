"""The one form in which every benchmark says what it measured, and on what."""

import datetime
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from course_lib.device import machine
from course_lib.paths import checkout, write_atomically


def report(name: str, figures: dict, *, packages: tuple[str, ...] = (), folder: Path | None = None) -> dict:
    """Print a benchmark's figures as one JSON object, and write it to `benchmarks/results/NAME.json`.

    Args:
        name: the benchmark's name, such as "check_latency".
        figures: what was measured, numbers by name; the unit stands in the name (`first_ms`, `peak_mb`).
        packages: distributions whose versions matter for the figures, besides torch and NumPy.
        folder: where the file goes, if not to `benchmarks/results`.

    Returns:
        The object: `name`, `date`, `machine`, `versions`, `figures`.
    """
    result = {
        "name": name,
        "date": datetime.date.today().isoformat(),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,  # with the build, such as +cu130
            **{package: _version(package) for package in ("numpy", *packages)},
        },
        "figures": figures,
    }
    text = json.dumps(result, indent=1, allow_nan=False)
    print(text)
    write_atomically((folder or checkout() / "benchmarks" / "results") / f"{name}.json", text + "\n")
    return result


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
