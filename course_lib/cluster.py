"""A Ray cluster: one that there is, or a small one on this machine. Nothing else imports Ray by itself."""

import importlib
import logging
import os
from collections.abc import Callable
from types import ModuleType

from course_lib.errors import CourseError


def ray_package() -> ModuleType:
    """Ray, which is large and nobody needs on one machine.

    Raises:
        CourseError: it is not installed; the text says how it gets there.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody
    try:
        return importlib.import_module("ray")
    except ImportError as reason:
        raise CourseError(
            f"More than one process or machine needs Ray, which can't be imported here ({reason}). "
            "Install it with: pip install -e '.[scale]'"
        ) from None


def connect(address: str | None, *, cpus: int | None = None, say: Callable[[str], None] = print) -> ModuleType:
    """Join a cluster, or start one on this machine that ends with this process; returns Ray.

    Args:
        address: of a cluster that `ray start` has made, such as "auto"; None starts a small one here.
        cpus: how many cores a small one may use; all where none is given.
        say: takes a line for whoever waits.

    Raises:
        CourseError: Ray is not installed, or nobody answers at that address.
    """
    ray = ray_package()
    if address:
        try:
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise CourseError(
                f"No Ray cluster answers at {address} ({str(error).splitlines()[0]}). "
                "Start one with `ray start --head`, set RAY_AUTH_MODE=token if it asks for a token, or leave the "
                "address out for one on this machine."
            ) from error
        return ray
    for attempts_left in (4, 3, 2, 1, 0):
        try:
            store = 200_000_000  # bytes; only models, or a few submissions, are in it
            quiet = {"logging_level": logging.CRITICAL, "log_to_driver": False}
            ray.init(address="local", include_dashboard=False, num_cpus=cpus, object_store_memory=store, **quiet)
            return ray
        except Exception as error:  # no kind of its own, where Ray waited 30 seconds for itself in vain
            ray.shutdown()
            if not attempts_left or "timed out" not in str(error):
                raise
            say("This machine is busy: Ray did not start within its 30 seconds. Once more.")
    raise AssertionError("never reached")
