"""docs/schema.md and the database's catalogue say the same."""

import re
from pathlib import Path

import pytest
from django.apps import apps

from megatron.core.timescale.fields import HypertableTimeField

pytestmark = [pytest.mark.django_db, pytest.mark.community]

DOCUMENT = (Path(__file__).parents[2] / "docs" / "schema.md").read_text()
STAGES = set(re.search(r"^Stages built so far: (.+)$", DOCUMENT, re.MULTILINE)[1].split(", "))
FOREIGN = re.compile(r"(auth|django)_|_pgtrigger|pgtrigger_")
"""What Django and the libraries make for themselves."""


def section(title: str) -> list[list[str]]:
    """Return the rows of one of the document's tables, without the header."""
    text = DOCUMENT.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return rows[2:]


def built(title: str, stage_column: int) -> list[list[str]]:
    """Return the rows of stages that are built."""
    return [row for row in section(title) if row[stage_column].split(",")[0] in STAGES]


@pytest.fixture
def own(sql):
    """Return the names that a catalogue query finds, without those of extensions and libraries."""

    def names(query: str) -> set[str]:
        return {name for (name,) in sql(query) if not FOREIGN.match(name)}

    return names


RELATIONS = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ({kinds})"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')"
)


def test_tables_are_the_documents(own):
    """Each table of a built stage exists, and each table that exists is in the document."""
    assert own(RELATIONS.format(kinds="'r', 'p'")) == {row[0] for row in built("Tables", 3)}


@pytest.mark.parametrize("row", built("Tables", 3), ids=lambda row: row[0])
def test_a_table_has_its_model_and_kind(row):
    """Each table belongs to the model that the document names, and is a hypertable exactly when it says so."""
    room, name = row[2].split(" · ")
    model = apps.get_model(room, name)
    timed = any(isinstance(field, HypertableTimeField) for field in model._meta.local_fields)
    assert (model._meta.db_table, "hypertable" if timed else "table") == (row[0], row[1])


def test_views_are_the_documents(own):
    """Each view of a built stage exists, and each view that exists is in the document."""
    assert own(RELATIONS.format(kinds="'v', 'm'")) == {row[0] for row in built("Views", 3)}


def test_aggregates_are_continuous_where_the_server_can(sql, level):
    """On TimescaleDB community the document's continuous aggregates are that, elsewhere they are plain views."""
    aggregates = {row[0] for row in built("Views", 3) if row[1] == "continuous aggregate"}
    if level == "community":
        found = sql("SELECT view_name FROM timescaledb_information.continuous_aggregates")
    else:
        found = sql("SELECT relname FROM pg_class WHERE relname = ANY (%s) AND relkind = 'v'", sorted(aggregates))
    assert {name for (name,) in found} == aggregates


def test_functions_are_the_documents(own):
    """Each function of a built stage exists, and each of ours that exists is in the document."""
    found = own(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
        " AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')"
    )
    assert found == {row[0] for row in built("Functions", 2)}


def test_triggers_are_the_documents(sql):
    """Each trigger of a built stage is on its table, and each of ours that exists is in the document."""
    rows = sql(
        "SELECT regexp_replace(tgname, '^pgtrigger_(.*)_[0-9a-f]{5}$', '\\1'), relname FROM pg_trigger"
        " JOIN pg_class ON pg_class.oid = tgrelid"
        " WHERE NOT tgisinternal AND relnamespace = 'public'::regnamespace AND tgname NOT LIKE 'ts\\_%'"
    )
    assert set(rows) == {(row[0], row[1]) for row in built("Triggers", 2)}


def test_indexes_are_the_documents(sql, level):
    """Each index of a built stage is on its table, and each that we named is in the document; keys need no row."""
    rows = sql(
        "SELECT indexname, tablename FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename !~ '^(auth|django)_' AND indexname !~ '(_pkey|_key|_like|_[0-9a-f]{8})$'"
        " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
    )
    documented = {
        (row[0], row[1]) for row in built("Indexes", 2) if level == "none" or "plain PostgreSQL" not in row[2]
    }
    assert set(rows) == documented


@pytest.mark.parametrize("title", ["Tables", "Views", "Functions", "Triggers", "Indexes"])
def test_every_row_names_a_known_stage(title):
    """No row has a stage that is not one of the project's six."""
    column = {"Tables": 3, "Views": 3, "Functions": 2, "Triggers": 2, "Indexes": 2}[title]
    stages = {row[column].split(",")[0] for row in section(title)}
    assert stages <= {"House", "Live", "Scores", "Signals", "Rewards", "Walltrack"}
