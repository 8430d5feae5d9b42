"""Run many plans in a database of their own: ``python -m tests.faults --plans 1000``."""

import argparse
import logging
import os
import sys
import time

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 25
"""Plans a line of progress, where no bar can be drawn."""


def main() -> int:
    """Return 1 if a plan ended with other rows, or a loss was not noticed, or one was invented."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--plans", type=int, default=100, help="how many seeds (default 100)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--keep", action="store_true", help="use the database of an earlier run, and leave it")
    parser.add_argument("--log", action="store_true", help="let the system say what it does")
    wanted = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    import django

    django.setup()
    if not wanted.log:
        logging.disable(logging.CRITICAL)
    from django.db import connection

    original = connection.settings_dict["NAME"]
    connection.settings_dict["TEST"]["NAME"] = "megatron_faults" if wanted.keep else f"megatron_faults_{os.getpid()}"
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False, keepdb=wanted.keep)
    try:
        return _run(range(wanted.first, wanted.first + wanted.plans))
    finally:
        if not wanted.keep:
            connection.creation.destroy_test_db(original, verbosity=0)


def _run(seeds: range) -> int:
    from tests.faults.run import run_plan

    console, failed, began = Console(stderr=True), [], time.monotonic()
    trades = losses = dropped = 0
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("plans", total=len(seeds))
        for seed in seeds:
            try:
                verdict = run_plan(seed)
                wrong = verdict.wrong
                trades, losses, dropped = trades + verdict.trades, losses + verdict.losses, dropped + verdict.dropped
            except Exception as error:  # noqa: BLE001  # the plan failed; the others go on
                wrong = [f"{type(error).__name__}: {error}"]
            if wrong:
                failed.append(seed)
                console.print(f"[red]plan {seed}[/red]")
                for line in wrong:
                    console.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
            progress.update(task, advance=1, description=f"{losses} losses healed, {dropped} dropped by forks")
            if not console.is_terminal and seed % LINE_EVERY == 0:
                console.print(
                    f"plan {seed}: {losses} losses healed, {dropped} dropped by forks, {len(failed)} plans failed"
                )
    seconds = time.monotonic() - began
    print(f"{len(seeds)} plans in {seconds:.0f} s: {trades} trades, {losses} losses, {dropped} dropped by forks.")
    if failed:
        print(f"{len(failed)} failed: {' '.join(map(str, failed))}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
