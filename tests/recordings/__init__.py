"""Recorded traffic. Everything here is public chain or provider data; ``vectors`` are worked examples."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent


def content(name: str) -> bytes:
    """Return a recording, unpacked."""
    data = (HERE / name).read_bytes()
    return gzip.decompress(data) if name.endswith(".gz") else data


def loaded(name: str) -> Any:
    """Return a recorded JSON document."""
    return json.loads(content(name))


def lines(name: str) -> list[bytes]:
    """Return the messages of a recorded stream."""
    return [line.rstrip(b",") for line in content(name).splitlines() if line]


def transactions() -> dict[str, bytes]:
    """Return all recorded transactions by name: replies of nodes and frames of a provider."""
    found = {path.stem: path.read_bytes() for path in sorted((HERE / "transactions").glob("*.json"))}
    for path in sorted((HERE / "frames").glob("helius-*.jsonl")):
        found |= {f"{path.stem}-{number}": line for number, line in enumerate(lines(f"frames/{path.name}"))}
    return found


def messages() -> dict[str, bytes]:
    """Return one message of every kind and age that was recorded."""
    frames = {
        f"{path.stem}-{number}": line
        for path in sorted((HERE / "frames").glob("*.jsonl"))
        for number, line in enumerate(lines(f"frames/{path.name}"))
    }
    creations = {path.stem: path.read_bytes() for path in sorted((HERE / "frames").glob("*.json"))}
    header, *rows = content("rows/trades.csv.gz").decode().splitlines()
    row = msgspec.json.encode(dict(zip(header.split(","), rows[0].split(","), strict=True)))
    return {**transactions(), **frames, **creations, "row": row}
