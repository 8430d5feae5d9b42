"""``make bench``, in the form that measures nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import ALL, IN_LANE
from benchmarks.table import DOCUMENT, RESULTS

ROOT = Path(__file__).parents[2]


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the benchmarks beside the database of this test, as ``make bench`` does."""
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_shield_10_every_benchmark_is_one_that_make_bench_runs() -> None:
    """A module with figures is in the list, so the run of all of them is whole."""
    measuring = {path.stem for path in (ROOT / "benchmarks").glob("*.py") if "\ndef run() -> " in path.read_text()}
    assert measuring == {*ALL, *IN_LANE}


@pytest.mark.slow
def test_shield_10_all_benchmarks_run_after_each_other() -> None:
    """One command gives every figure: what reached the broker of an earlier benchmark does not keep a later one's worker
    from being heard. The smallest form writes nothing down."""
    before = {path: path.read_bytes() for path in (DOCUMENT, *RESULTS.iterdir())}
    done = bench("--smoke")
    assert done.returncode == 0, done.stderr[-4000:]
    figures = {line.split()[0] for line in done.stdout.splitlines() if " baseline " in line}
    in_lane = ("compression_", "latest_trades_chunks_")
    assert figures == {path.stem for path in RESULTS.iterdir() if not path.stem.startswith(in_lane)}
    assert {path: path.read_bytes() for path in (DOCUMENT, *RESULTS.iterdir())} == before
