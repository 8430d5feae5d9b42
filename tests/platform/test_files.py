"""The one helper that writes a file under another name and renames it."""

import os
import stat
from pathlib import Path

import pytest

from megatron.embedded import files, state


def test_shield_06_a_private_file_replaces_nothing_but_a_file(tmp_path: Path) -> None:
    """Secrets and addresses go by the same rule: a FIFO or a folder of that name is refused and stays."""
    pipe, folder = tmp_path / "pipe", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path in (pipe, folder):
        with pytest.raises(OSError, match="a file must not replace"):
            state.write_private(path, "secret")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(tmp_path.iterdir()) == [folder, pipe]
    state.write_private(tmp_path / "file", "secret")
    assert (tmp_path / "file").read_text() == "secret"
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o600


def test_shield_06_an_archive_replaces_nothing_but_a_file(tmp_path: Path) -> None:
    """A finished file does not take the place of a FIFO, and is still there under its own name."""
    draft, pipe = tmp_path / "draft", tmp_path / "pipe"
    draft.touch()
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="a file must not replace"):
        files.rename(draft, to=pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert draft.exists()


def test_shield_06_a_link_laid_where_the_draft_goes_is_not_followed(tmp_path: Path) -> None:
    """Who may write into the folder cannot have another file overwritten."""
    victim, output = tmp_path / "victim", tmp_path / "out"
    victim.write_text("precious")
    (tmp_path / f".out.{os.getpid()}.part").symlink_to(victim)
    with files.whole(output) as stream:
        stream.write(b"rows")
    assert (victim.read_text(), output.read_bytes()) == ("precious", b"rows")
    assert sorted(tmp_path.iterdir()) == [output, victim]


def test_shield_06_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    """The old file stays, nothing else is left."""
    output = tmp_path / "out"
    output.write_text("old")
    with pytest.raises(ZeroDivisionError), files.whole(output) as stream:
        stream.write(b"half" * (1 // 0))
    assert output.read_text() == "old"
    assert list(tmp_path.iterdir()) == [output]


def test_shield_06_every_rename_of_the_house_goes_through_the_helper() -> None:
    """Nobody renames a file over a name by hand, but for what is a folder or a log of our own."""
    root = Path(files.__file__).parents[2]
    own = {"megatron/embedded/files.py", "megatron/embedded/state.py"}
    # Whole folders inside our own, and logs that are regular files.
    own |= {f"megatron/embedded/{name}.py" for name in ("postgres", "account", "logs")}
    found = set()
    for room in ("megatron", "tokens", "holders", "scoring", "rewards", "walltrack"):
        for path in (root / room).rglob("*.py"):
            if any(f"{name}.replace(" in path.read_text() for name in ("draft", "unfinished", "log", "path", "os")):
                found.add(str(path.relative_to(root)))
    assert found <= own, found - own
