"""The service of lesson 16 on more than one process, or more than one machine: the same app, on Ray Serve.

    python scripts/serve_cluster.py --replicas 2                     a cluster of its own on this machine
    python scripts/serve_cluster.py --replicas 2 --max-replicas 8    more of them while many requests wait
    python scripts/serve_cluster.py --address auto                   on a cluster that `ray start` has made

A replica is a process with its own copy of the models and its own micro-batches. Ray Serve hands each request to the
replica with fewer requests, starts a new one where one has died, and refuses with 503 when too many wait. Requests that
a dying replica had accepted fail with a 500: an answer depends on the request alone, so clients may send them again.

It needs Ray, 500 MB: pip install -e '.[scale]'. docs/many_machines.md says how to make a cluster.
"""

import argparse
import logging
import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is reported to anybody

import ray
import torch
from ray import serve

from course_lib.cluster import connect
from course_lib.serving.app import create_app
from course_lib.serving.command import log_json, say
from course_lib.serving.first_models import load_models
from course_lib.serving.settings import Settings


def main() -> None:
    options = parse()
    stop = threading.Event()
    models = load_models(options.models, say=say)
    connect(options.address, say=say)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    port = options.port or free_port(options.host)
    try:
        serve.start(http_options={"host": options.host, "port": port})
        serve.run(deployment(models, options), name="course", route_prefix="/")
        say(f"Listening on http://{options.host}:{port}, {options.replicas} replicas  (Ctrl-C ends it)")
        stop.wait()
        say("Draining.")
        serve.shutdown()  # what was accepted is answered first
    finally:
        ray.shutdown()


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Serve the course's models from several processes or machines.")
    parser.add_argument("--replicas", type=int, default=2, help="processes that are always there")
    parser.add_argument("--max-replicas", type=int, default=0, help="processes while many wait; default: no more")
    parser.add_argument("--cpus", type=float, default=1.0, help="cores that a replica is given")
    parser.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0 lets other machines in: put a proxy with TLS before it"
    )
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--token", default=os.environ.get("COURSE_TOKEN"), help="that clients must send")
    parser.add_argument("--models", metavar="FOLDER", type=Path, help="where they are kept")
    parser.add_argument("--address", help="of a Ray cluster, such as auto; a small one is started where none is given")
    return parser.parse_args()


def deployment(models: dict[str, Any], options: argparse.Namespace) -> serve.Application:
    """The app as Ray Serve runs it: how many replicas, and how much each takes on.

    Args:
        models: by name; every replica gets a copy.
        options: of the command line.
    """
    settings = Settings(token=options.token)
    shared = ray.put(models)

    def build() -> Any:
        """Called in each replica."""
        torch.set_num_threads(1)
        log_json(logging.WARNING)
        return create_app(ray.get(shared), settings=settings)

    @serve.deployment(
        max_ongoing_requests=2 * settings.max_batch,  # one batch is computed while the next one gathers
        max_queued_requests=settings.max_queue,  # that wait for a replica; the next one is refused
        autoscaling_config={
            "min_replicas": options.replicas,
            "initial_replicas": options.replicas,
            "max_replicas": max(options.replicas, options.max_replicas),
            "target_ongoing_requests": settings.max_batch / 2,
        },
        graceful_shutdown_timeout_s=settings.drain_seconds,
        ray_actor_options={"num_cpus": options.cpus},
    )
    @serve.ingress(build)
    class Course:
        """A replica; all that it does is the app's."""

    return Course.bind()


def free_port(host: str) -> int:
    """A port on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    main()
