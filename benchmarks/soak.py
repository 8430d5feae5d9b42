"""The whole house on the cluster stand-in: how far behind the live rate it is, and what it loses at ten times that.

Monitors, worker, beat, PostgreSQL and Redis are processes of their own here, so this needs no database of the others.
"""

import sys

from benchmarks import traffic
from benchmarks.results import Result
from benchmarks.sizes import size, smoking
from tests.soak import soak

SECONDS = size(120, 8)
LAG_LIMIT_S = 1.0
TIMES = 10
FLOOD_FRAMES = 200_000


def run() -> list[Result]:
    """Return the 99th percentile of the seconds from a frame's sending until its rows are committed, and how many trades of
    the flood were lost. Raises ``AssertionError`` when rows end up wrong in any other way."""
    live = _soaked(SECONDS, traffic.EVENTS_A_SECOND)
    lag = live.percentile(0.99)
    rate = TIMES * traffic.EVENTS_A_SECOND
    # The same house comes up once more: for a flood that is none, the first time is enough.
    flood = live if smoking() else _soaked(FLOOD_FRAMES / rate, rate)
    return [
        Result("soak_lag_p99_s", lag, "s", LAG_LIMIT_S, LAG_LIMIT_S / lag),
        Result("soak_10x_lost", flood.lost, "trades", 0, 1.0 if not flood.lost else 0.0),
    ]


def _soaked(seconds: float, rate: float) -> soak.Outcome:
    done = soak.run(
        seconds=seconds,
        rate=rate,
        compare=not smoking(),
        say=lambda line: print(f"  {line}", file=sys.stderr, flush=True),
    )
    print(f"  {done.memory_mb} MB, gaps {dict(done.gaps)}", file=sys.stderr)
    if other := [line for line in done.wrong if "missing" not in line]:
        raise AssertionError("; ".join(other))
    return done
