"""The figures that documents show are those that were measured."""

import json
from pathlib import Path

import pytest

from benchmarks import table


def test_the_table_shows_the_results() -> None:
    """Each result has its row, each row its result, and the numbers are the same."""
    document = table.DOCUMENT.read_text()
    assert table.rendered(document) == document


def test_a_result_without_a_row_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new benchmark cannot be forgotten in the document, nor a row outlive its benchmark."""
    found = {"name": "new", "value": 1234.5, "unit": "rows/s", "baseline": 2.5, "ratio": 1.234}
    (tmp_path / "new.json").write_text(json.dumps(found))
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    page = f"{table.BEGIN}\n| name | what | asked | measured | baseline | ratio |\n{{}}{table.END}\n"
    shown = table.rendered(page.format("| `new` | something | more | | | |\n"))
    assert "| `new` | something | more | 1,234 rows/s | 2.5 | 1.23 |" in shown
    with pytest.raises(ValueError, match="no row for new"):
        table.rendered(page.format(""))
    with pytest.raises(ValueError, match="`old`"):
        table.rendered(page.format("| `new` | a | b | | | |\n| `old` | a | b | | | |\n"))
