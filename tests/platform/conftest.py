"""A checkout of its own for each test that starts something."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from megatron.embedded.services import await_stop, unpin
from megatron.embedded.state import VARIABLES


@pytest.fixture
def checkout() -> Iterator[Path]:
    """Return an empty folder that every account can enter; what still runs from it afterwards fails the test."""
    root = Path(tempfile.mkdtemp(prefix="megatron-checkout-"))
    root.chmod(0o755)
    yield root
    for name in VARIABLES:
        unpin(root, name)
    left = await_stop(root, VARIABLES, seconds=15)
    shutil.rmtree(root)
    assert left == []
