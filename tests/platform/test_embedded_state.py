"""The small file that tells where a service listens."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from megatron.embedded import state


def test_nothing_runs_in_a_fresh_checkout(tmp_path: Path) -> None:
    """A checkout without any state has no addresses, and asking makes no folder."""
    assert state.service_urls(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_published_address_counts_while_its_file_stays_open(tmp_path: Path) -> None:
    """The address is returned under its environment variable until the keeper ends, whatever is left on the disk."""
    published = state.publish(tmp_path, "postgres", "postgresql://a:b@127.0.0.1:1/c")
    assert state.service_urls(tmp_path) == {"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c"}
    published.close()
    assert (state.services_dir(tmp_path) / "postgres.json").exists()
    assert state.service_urls(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"pid": 1}', "\x00"])
def test_a_broken_file_counts_as_absent(tmp_path: Path, text: str) -> None:
    """A half-written or foreign file never breaks the settings."""
    file = state.write_private(state.services_dir(tmp_path) / "postgres.json", text, lock=True)
    assert state.service_urls(tmp_path) == {}
    file.close()


def test_only_the_owner_reads_what_is_private(tmp_path: Path) -> None:
    """A private file has mode 0600 from its first byte on, and writing it again replaces it in one step."""
    secret = tmp_path / "folder" / "secret"
    state.write_private(secret, "one")
    state.write_private(secret, "two")
    assert (secret.read_text(), stat.S_IMODE(secret.stat().st_mode)) == ("two", 0o600)
    assert list(secret.parent.iterdir()) == [secret]


def test_settings_may_read_the_state_first_of_all() -> None:
    """The module needs nothing but the standard library, so that settings can load it before anything else."""
    code = (
        "import importlib.util, sys; before = set(sys.modules);"
        f"spec = importlib.util.spec_from_file_location('state', {state.__file__!r});"
        "spec.loader.exec_module(importlib.util.module_from_spec(spec));"
        "print(sorted({name.partition('.')[0] for name in set(sys.modules) - before} - sys.stdlib_module_names - {'megatron'}))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
