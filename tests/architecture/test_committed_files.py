"""What must never be committed is not."""

import re

import pytest

from tests import sources

SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|api-key=[0-9a-f]{8}-[0-9a-f]{4}|\b(AKIA|ghp_|glpat-|xox[bp]-)[A-Za-z0-9]{12,}"
)
REGISTRIES = re.compile(r"files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|--(extra-)?index-url")
MACHINES = re.compile(r"(?<![\w.{}$~/-])/(home/(?!djangoprojects)|Users/|root/|work/|mnt/)[a-z]")
QUOTES_THEM = {
    "tests/architecture/test_committed_files.py",
    "tests/architecture/test_dependencies.py",
    ".ci/lock",
    "tests/core/test_logging.py",
    "tests/platform/test_front.py",
}
"""Files that must name what they look for."""


@pytest.mark.parametrize("pattern", [SECRETS, REGISTRIES, MACHINES], ids=["secrets", "registries", "machines"])
def test_no_committed_file_has(pattern: re.Pattern[str]) -> None:
    """No key, no package registry's address and no path of somebody's machine is committed."""
    found = []
    for path in sources.committed():
        if (name := str(path.relative_to(sources.ROOT))) in QUOTES_THEM or path.suffix in (".gz", ".png", ".parquet"):
            continue
        if hit := pattern.search(path.read_text(errors="replace")):
            found.append(f"{name}: {hit[0]}")
    assert found == []
