"""Processes of several containers may share one folder of counts: each counts under its host's name and its number."""

import os
import socket

from prometheus_client import values

if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
    # A container's first process is number 1 in each of them. The parts of a file's name are split at underscores.
    _host = socket.gethostname().replace("_", "-")
    values.ValueClass = values.MultiProcessValue(lambda: f"{_host}-{os.getpid()}")  # type: ignore[no-untyped-call]
