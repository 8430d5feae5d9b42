"""The schema of the API, and what it says about keys, sessions and problems. Loaded when the app is ready."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator

from megatron.core.access import KEYWORD
from megatron.core.api.problems import CONTENT_TYPE, TYPE_PREFIX

_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "description": "An error (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "request_id"],
    "properties": {
        "type": {
            "type": "string",
            "format": "uri",
            "example": f"{TYPE_PREFIX}not-found",
            "description": "The kind; never changes",
        },
        "title": {"type": "string", "description": "The kind in words"},
        "status": {"type": "integer", "description": "The HTTP status"},
        "detail": {"type": "string", "description": "What happened, for people"},
        "instance": {"type": "string", "description": "The path that was asked"},
        "request_id": {"type": "string", "description": "Finds the request in the operator's log"},
        "errors": {
            "type": "array",
            "description": "What is wrong, field by field",
            "items": {
                "type": "object",
                "required": ["field", "code", "detail"],
                "properties": {"field": _TEXT, "code": _TEXT, "detail": _TEXT},
            },
        },
    },
}
_RESPONSES = {
    "400": "The request is not valid",
    "401": "No key, or one that is not valid",
    "403": "The key lacks the scope",
    "404": "There is no such thing",
    "406": "Only JSON is offered",
    "429": "Too many requests: see Retry-After",
    "500": "Something went wrong here",
    "503": "The database does not answer: see Retry-After",
}


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    """How the schema tells of API keys."""

    target_class = "megatron.core.access.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme of the ``Authorization`` header."""
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": f"`{KEYWORD} mgt_…`"}


class OperatorSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # registers itself, untyped
    """How the schema tells of an operator who is signed in to the console."""

    target_class = "megatron.core.access.OperatorSession"
    name = "operatorSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Return the scheme of the console's cookie."""
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "An operator signed in to the console",
        }


class KeptSchemaGenerator(SchemaGenerator):
    """Makes the schema once a process: anybody may ask for it, it is the same for all, and it takes about a second."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        """Return the schema of every operation, whoever asks."""
        return _schema()


@cache
def _schema() -> Any:
    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One operation of the schema."""

    path: str
    """With the names of its parts in braces: ``/api/v1/tokens/{mint}/``."""
    method: str
    what: str
    """Its first paragraph, in one line."""
    parameters: Sequence[str]
    """Names of what it understands after the question mark, in the schema's order."""
    is_list: bool
    """It answers with rows and ``next``, where they go on."""


def addresses() -> Sequence[Address]:
    """Return every operation of the schema, by path and method."""
    schema = _schema()
    return [
        Address(
            path=path,
            method=method.upper(),
            what=" ".join(operation["description"].split("\n\n", 1)[0].split()),
            parameters=[it["name"] for it in operation.get("parameters", ()) if it["in"] == "query"],
            is_list="next" in _answer(schema, operation).get("properties", {}),
        )
        for path, operations in sorted(schema["paths"].items())
        for method, operation in sorted(operations.items())
    ]


def _answer(schema: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an operation's body."""
    body: dict[str, Any] = operation["responses"]["200"]["content"]["application/json"]["schema"]
    if "$ref" in body:
        body = schema["components"]["schemas"][body["$ref"].rsplit("/", 1)[1]]
    return body


def document_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add the problems that any operation may answer with to the schema ``result``, and return it."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _PROBLEM
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in result["paths"].values():
        for operation in operations.values():
            for status, description in _RESPONSES.items():
                operation["responses"].setdefault(status, {"description": description, "content": content})
    return result
