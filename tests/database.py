"""The test database on every kind of server: pytest fixtures, loaded by tests/conftest.py."""

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

LANE = os.environ.get("LANE", "")
"""Which of tests/lanes runs this, if one does."""

IN_PLACE = LANE == "community"
"""The lane's server has one session and one database, so the tests use that one as it is."""

_OFFERED = """
    SELECT current_setting('server_version'), default_version, current_setting('timescaledb.license', true)
    FROM (SELECT) AS one LEFT JOIN pg_available_extensions ON name = 'timescaledb'
"""
_LEVEL = pytest.StashKey[str]()


def pytest_report_header() -> str:
    """Return which server the tests run on, with the level that it offers."""
    try:
        with psycopg.connect(settings.DATABASE_URL, autocommit=True, connect_timeout=5) as server:
            version, timescale, license_ = server.execute(_OFFERED).fetchone() or ("?", None, None)
            if timescale and not license_:
                with suppress(psycopg.Error):  # only a superuser may; then the end of the run says the level
                    server.execute(f"LOAD 'timescaledb-{timescale}'")
                    _, _, license_ = server.execute(_OFFERED).fetchone() or ("?", None, None)
    except psycopg.Error as error:
        return f"database: none answers ({error})"
    lane = f"lane {LANE}, " if LANE else ""
    level = ("apache" if license_ == "apache" else "community" if license_ else "unknown") if timescale else "none"
    return f"database: {lane}PostgreSQL {version}, TimescaleDB {timescale or 'not offered'}, level {level}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say the level that the test database had."""
    if level := terminalreporter.config.stash.get(_LEVEL, ""):
        terminalreporter.write_line(f"database: level {level}")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Name the database itself as the test database where no other can be connected to, and the migrated database that
    tests/lanes/none.py made as the one which it is copied from: then there is nothing left to migrate."""
    if IN_PLACE:
        connection.settings_dict["TEST"]["NAME"] = connection.settings_dict["NAME"]
    if template := os.environ.get("TEST_TEMPLATE"):
        connection.settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_keepdb(request: pytest.FixtureRequest) -> bool:
    """Keep a database that was not made for the tests."""
    return IN_PLACE or bool(request.config.getvalue("reuse_db"))


@pytest.fixture(scope="session")
def django_db_setup(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Note the level for the report and stop TimescaleDB's background jobs: a test drives them with ``CALL run_job``,
    or they must not run at all. At the end no session of a test's thread keeps the database from being dropped."""
    with django_db_blocker.unblock():
        request.config.stash[_LEVEL] = connection.timescale_level
        if connection.timescale_level == "community":
            stop_jobs()
            from tests import history  # models can be imported only after Django is set up

            history.make()
    yield
    if not IN_PLACE:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
            )


def stop_jobs() -> None:
    """End the background workers of this database where we may, and unschedule its jobs in any case."""
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                cursor.execute("SELECT _timescaledb_functions.stop_background_workers()")
        except DatabaseError:
            pass  # only a superuser may; an unscheduled job is not started either
        cursor.execute(
            "SELECT alter_job(job_id, scheduled => false) FROM timescaledb_information.jobs WHERE job_id >= 1000"
        )


@pytest.fixture(autouse=True)
def _first_score_policy(request: pytest.FixtureRequest) -> None:
    """Put back the score policy of the migrations, which a test that commits takes away with all other rows."""
    if request.node.get_closest_marker("django_db"):
        request.getfixturevalue("_django_db_helper")
        from scoring.domain.policy import DEFAULT_TERMS
        from scoring.models import ScorePolicy

        if not ScorePolicy.objects.exists():
            ScorePolicy.objects.create(version=1, active=True, terms=DEFAULT_TERMS, reason="Tests", created_by="tests")


@pytest.fixture
def level(db: None) -> str:
    """What the server can do: none, apache or community."""
    return str(connection.timescale_level)


@pytest.fixture
def sql(db: None) -> Any:
    """Run one statement and return its rows, or an empty list when it has none."""

    def run(statement: str, *params: Any) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, params or None)
            return list(cursor.fetchall()) if cursor.description else []

    return run


@pytest.fixture
def catalogue_names(db: None) -> frozenset[str]:
    """The names of all tables and views of the project's schema."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r','v','m','p')"
        )
        return frozenset(name for (name,) in cursor.fetchall())
