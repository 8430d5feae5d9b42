"""The API's index, and the documents that say what there is: all three are the OpenAPI document's."""

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from megatron.core import api_keys
from megatron.core.api import openapi
from megatron.core.choices import Scope
from megatron.embedded import house
from tests.api import rows
from tests.factories import NOON

INDEX = "/api/v1/"


def keyed(*scopes: Scope) -> Client:
    _, key = api_keys.issue(name=f"a reader of {scopes}", scopes=list(scopes), actor="test", now=NOON)
    return Client(headers={"Authorization": f"Api-Key {key}"})


@pytest.mark.django_db
def test_shield_02_the_index_names_every_address_once_and_each_answers() -> None:
    """Lists and documents with a link, words and parameters; with the names in braces filled in every link is there."""
    subjects, client = rows.everything(), keyed(Scope.READ)
    found = client.get(INDEX).json()
    linked = [*found["lists"], *found["documents"]]
    described = {path for path in openapi.KeptSchemaGenerator().get_schema()["paths"] if path.startswith(INDEX)}
    assert sorted(urlsplit(one["url"]).path for one in linked) == sorted(described)
    assert all(one["what"].endswith(".") for one in linked)
    for one in linked:
        reply = client.get(one["url"].format_map(subjects))
        assert reply.status_code == 200, one
        assert ("next" in reply.json()) == (one in found["lists"]), one
    assert [client.get(found[name]).status_code for name in ("schema", "docs")] == [200, 200]


@pytest.mark.django_db
def test_shield_02_the_index_is_read_as_every_other_address() -> None:
    """A key that may read or an operator; nobody else, and without a parameter."""
    refused = Client().get(INDEX)
    assert (refused.status_code, refused["Content-Type"]) == (401, "application/problem+json")
    assert keyed(Scope.METRICS).get(INDEX).status_code == 403
    reader = keyed(Scope.READ)
    assert [reader.get(INDEX).status_code, reader.get(INDEX, {"page_size": "1"}).status_code] == [200, 400]
    operator = Client()
    operator.force_login(User.objects.create_superuser("ann"))
    assert operator.get(INDEX).status_code == 200


@pytest.mark.django_db
def test_shield_02_every_address_that_a_start_prints_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever is signed in and follows what `make run` prints sees a page or JSON."""
    said: list[str] = []
    monkeypatch.setattr(house, "_answers", lambda url: True)
    house._announce(SimpleNamespace(say=said.append, is_asked=lambda: False), tmp_path, "http://127.0.0.1:8000/")  # type: ignore[arg-type]
    printed = [word for word in " ".join(said).split() if word.startswith("http://")]
    assert "/api/v1/" in {urlsplit(url).path for url in printed}
    operator = Client()
    operator.force_login(User.objects.create_superuser("ann"))
    assert [operator.get(urlsplit(url).path, follow=True).status_code for url in printed] == [200] * len(printed)


def written(folder: Path, text: str) -> Path:
    (folder / "docs").mkdir(exist_ok=True)
    document = folder / "docs" / "api.md"
    document.write_text(text)
    return document


def test_shield_02_the_document_has_every_address_and_parameter() -> None:
    """What `make check` asks: docs/api.md is what the OpenAPI document says."""
    call_command("document_api", check=True)


def test_shield_02_the_document_is_written_and_what_is_missing_is_told(settings: Any, tmp_path: Path) -> None:
    """The command writes the table and leaves the rest; an address or a parameter more or fewer is named by ``--check``."""
    whole = (Path(settings.BASE_DIR) / "docs" / "api.md").read_text()
    settings.BASE_DIR = tmp_path
    with pytest.raises(CommandError, match="checkout of the repository"):
        call_command("document_api")
    for missing in ("| `scores/` |", "`ordering`, "):
        line = next(line for line in whole.splitlines(keepends=True) if missing in line)
        document = written(tmp_path, whole.replace(line, "" if missing.startswith("|") else line.replace(missing, "")))
        told = StringIO()
        with pytest.raises(CommandError, match="make api-document"):
            call_command("document_api", check=True, stderr=told)
        assert f"+{line.strip()}" in told.getvalue().splitlines()
        call_command("document_api")
        assert document.read_text() == whole
    written(tmp_path, "# The API\n")
    with pytest.raises(CommandError, match="lost its marks"):
        call_command("document_api")
