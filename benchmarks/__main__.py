"""Run the benchmarks in a database of their own and write the figures to ``benchmarks/results/`` and docs/sizing.md.

python -m benchmarks                  all of them
python -m benchmarks decode ingest    some
"""

import json
import os
import platform
import sys
from importlib import import_module

from benchmarks import table

NEEDS_DATABASE = ("ingest", "queries", "freshness", "mixed", "caching", "holdings", "rescoring", "totals")
ALL = ("decode", "inequality", *NEEDS_DATABASE, "soak")
IN_LANE = ("compression",)
"""Run by name only, inside tests/lanes/community, whose one database they use as it is."""


def main(wanted: list[str]) -> int:
    """Run the named benchmarks, or all; return the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
    unknown = [name for name in wanted if name not in (*ALL, *IN_LANE)]
    if unknown:
        print(
            f"There is no benchmark {', '.join(unknown)}; choose from {', '.join((*ALL, *IN_LANE))}.", file=sys.stderr
        )
        return 2
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
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        _measure(names)
    finally:
        if needs_database:
            connection.creation.destroy_test_db(original, verbosity=0)
    return 0


def _measure(names: list[str]) -> None:
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        for result in import_module(f"benchmarks.{name}").run():
            _keep(result)
    table.write()


def _keep(result) -> None:  # type: ignore[no-untyped-def]
    figures = {**result._asdict(), "value": round(result.value, 3), "baseline": round(result.baseline, 3)}
    figures |= {"ratio": round(result.ratio, 3), "machine": f"{platform.machine()}, {os.cpu_count()} cores"}
    (table.RESULTS / f"{result.name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    print(
        f"{result.name:28} {result.value:12,.1f} {result.unit:9} baseline {result.baseline:12,.1f}  ratio {result.ratio:6.2f}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
