"""Run the benchmarks in a database of their own and write the figures to ``benchmarks/results/`` and docs/sizing.md.

python -m benchmarks                  all of them
python -m benchmarks decode ingest    some
python -m benchmarks --smoke          all of them with next to nothing to do: they work; no figure is written

Each runs in a process of its own, so that nothing which an earlier one left (connections to its broker, caches, bells
that are set) reaches the next; what they share is the database.
"""

import argparse
import json
import multiprocessing
import os
import platform
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from benchmarks import sizes, table
from benchmarks.results import Result

NEEDS_DATABASE = ("ingest", "queries", "freshness", "mixed", "caching", "holdings", "rescoring", "totals", "growth")
ALL = ("decode", "inequality", *NEEDS_DATABASE, "soak")
IN_LANE = ("compression", "chunks")
"""Run by name only, inside tests/lanes/community, whose one database they use as it is."""


def main(arguments: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the named benchmarks, or all.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join((*ALL, *IN_LANE)))
    parser.add_argument("--smoke", action="store_true", help="as little work as possible: no figure is written")
    told = parser.parse_args(arguments)
    wanted: list[str] = told.names
    unknown = [name for name in wanted if name not in (*ALL, *IN_LANE)]
    if unknown:
        print(
            f"There is no benchmark {', '.join(unknown)}; choose from {', '.join((*ALL, *IN_LANE))}.", file=sys.stderr
        )
        return 2
    if told.smoke:
        os.environ[sizes.VARIABLE] = "1"
    import django

    django.setup()
    if wanted and set(wanted) <= set(IN_LANE):
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _measure(wanted)
        return 0
    names = [name for name in ALL if not wanted or name in wanted or (name == "ingest" and "queries" in wanted)]
    from django.db import connection

    needs_database = any(name in NEEDS_DATABASE for name in names)
    original = connection.settings_dict["NAME"]
    if needs_database:
        connection.settings_dict["TEST"]["NAME"] = "megatron_bench"
        # A migrated database to copy, where tests/lanes/none.py has made one.
        connection.settings_dict["TEST"]["TEMPLATE"] = os.environ.get("TEST_TEMPLATE")
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        _measure(names)
    finally:
        if needs_database:
            connection.creation.destroy_test_db(original, verbosity=0)
    return 0


def _measure(names: list[str]) -> None:
    from django.db import connections

    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        connections.close_all()  # a child must not speak on its parent's connection
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
            for result in process.submit(_results, name).result():
                _keep(result)
    if not sizes.smoking():
        table.write()


def _results(name: str) -> list[Result]:
    return list(import_module(f"benchmarks.{name}").run())


def _keep(result: Result) -> None:
    """Print a figure, and write it where it counts."""
    figures = {**result._asdict(), "value": round(result.value, 3), "baseline": round(result.baseline, 3)}
    figures |= {"ratio": round(result.ratio, 3), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    if not sizes.smoking():
        (table.RESULTS / f"{result.name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(
        f"{result.name:28} {result.value:12,.1f} {result.unit:9} baseline {result.baseline:12,.1f}  ratio {result.ratio:6.2f}",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
