"""The table of figures in docs/sizing.md: its words are written by hand, its numbers come from the results."""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks/results"
DOCUMENT = ROOT / "docs/sizing.md"
BEGIN, END = "<!-- figures: from benchmarks/results/*.json -->", "<!-- end of figures -->"
_BARE = frozenset({"of 1", "times", "trades"})
"""Units that the words of a row say already."""


def write() -> None:
    """Bring the numbers in the document up to the results. Raises ``ValueError`` for a result without a row."""
    DOCUMENT.write_text(rendered(DOCUMENT.read_text()))


def rendered(document: str) -> str:
    """Return ``document`` with the numbers of the results. Raises ``ValueError`` where rows and results differ."""
    before, rest = document.split(BEGIN)
    table, after = rest.split(END)
    results = {one["name"]: one for one in (json.loads(path.read_text()) for path in RESULTS.glob("*.json"))}
    lines = [_row(line, results) if line.startswith("| `") else line for line in table.splitlines()]
    if results:
        raise ValueError(f"docs/sizing.md has no row for {', '.join(sorted(results))}: add one.")
    return before + BEGIN + "\n".join(lines) + "\n" + END + after


def _row(line: str, results: dict[str, Any]) -> str:
    name, what, asked, *_ = (cell.strip() for cell in line.strip("|").split(" | "))
    found = results.pop(name.strip("`"), None)
    if found is None:
        raise ValueError(f"Nothing was measured under the name {name}: run its benchmark, or remove the row.")
    unit = "" if found["unit"] in _BARE else f" {found['unit']}"
    measured, baseline = _told(found["value"]) + unit, _told(found["baseline"])
    return f"| {name} | {what} | {asked} | {measured} | {baseline} | {found['ratio']:.2f} |"


def _told(value: float) -> str:
    """Return three digits of a small number, and all whole ones of a large one."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
