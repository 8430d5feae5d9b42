"""What the cellar's tests share."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from megatron.core import nudges
from tests.core.concrete import TABLES


@pytest.fixture(scope="session")
def concrete_tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Create the tables of ``tests.core.concrete`` for the session."""
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            for table in TABLES:
                editor.create_model(table)
        yield
        with connection.schema_editor() as editor:
            for table in TABLES:
                editor.delete_model(table)


@pytest.fixture
def silent_bells() -> Iterator[None]:
    """Forget when each bell was last rung."""
    nudges._forget()
    yield
    nudges._forget()
