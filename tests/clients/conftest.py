"""No waiting between repeated calls."""

from collections.abc import Iterator

import pytest
import stamina


@pytest.fixture(autouse=True)
def no_waiting() -> Iterator[None]:
    """Repeat at once, four times at most as in production."""
    with stamina.set_testing(True, attempts=4):
        yield
