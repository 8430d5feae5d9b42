"""Calling a command as a terminal does, in this process."""

import io
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command

from tokens.domain.decode import encode
from tokens.domain.events import ChainEvent


def call(name: str, *arguments: str | Path, code: int = 0) -> str:
    """Return what the command printed; it must exit with ``code``."""
    out, exited = io.StringIO(), 0
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=io.StringIO())
    except SystemExit as stop:
        exited = int(str(stop.code))
    assert exited == code
    return out.getvalue()


def result(name: str, *arguments: str | Path, code: int = 0) -> dict[str, Any]:
    """Return the one JSON object that the command prints with ``--json``."""
    (line,) = call(name, *arguments, "--json", code=code).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def captured(path: Path, *events: ChainEvent) -> Path:
    """Write events as a capture, one a line, and return its path."""
    path.write_bytes(b"".join(encode(event) + b"\n" for event in events))
    return path
