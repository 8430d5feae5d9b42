"""Let the whole house live on the cluster stand-in: ``python -m tests.soak --minutes 10``."""

import argparse
import signal
import sys
import time
from types import FrameType


def main() -> int:
    """Return 1 if anything was lost or invented."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="how long (default 5); a million transactions need a GB"
    )
    parser.add_argument("--rate", type=float, default=330.0, help="transactions a second (default 330, the live rate)")
    parser.add_argument("--kill", action="store_true", help="kill -9 one of the processes every few seconds")
    parser.add_argument("--seed", type=int, default=1, help="which traffic and which victims (default 1)")
    wanted = parser.parse_args()
    from tests.soak import soak

    signal.signal(signal.SIGTERM, _leave)
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {line}", flush=True)

    done = soak.run(seconds=wanted.minutes * 60, rate=wanted.rate, kill=wanted.kill, seed=wanted.seed, say=say)
    print(f"\n{done.frames} transactions at {wanted.rate:g} a second, {done.trades} trades stored, {done.lost} lost")
    print(f"lag p50 {done.percentile(0.5):.3f} s, p99 {done.percentile(0.99):.3f} s")
    print(f"compared with the chain {done.compared_after_s:.0f} s after the last block")
    print("gaps opened and healed: " + (", ".join(f"{n} {cause}" for cause, n in sorted(done.gaps.items())) or "none"))
    for name, (before, after) in done.memory_mb.items():
        print(f"memory of {name}: {before} MB after a quarter, {after} MB at the end")
    if done.kills:
        print("killed: " + ", ".join(f"{name} {count}×" for name, count in sorted(done.kills.items())))
    for line in done.wrong:
        print(f"WRONG: {line}")
    return 1 if done.wrong else 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)  # so that everything that was started is ended


if __name__ == "__main__":
    sys.exit(main())
