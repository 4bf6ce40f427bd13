"""The OpenAPI 3.1 description of the REST API, made from the route table.

``python -m packager_jupyter.server.openapi`` prints it; ``docs/reference/openapi.json`` is the
committed copy, and a test holds the two equal.
"""

from __future__ import annotations

import json
import re
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

from packager_jupyter.api.models import SchemaBook
from packager_jupyter.api.shapes.common import Failed
from packager_jupyter.server.routes import routes

if TYPE_CHECKING:
    from packager_jupyter.server.rules import Operation, Query, Route, Rule

Json = dict[str, Any]

_PARAMETER_DOCS = {
    "package": "Name of the package; the `/` after a namespace may be written as %2F.",
    "source": "Name of the source.",
    "version": "A version; not `latest`.",
    "job": "Id of the job.",
    "share": "Id of the share.",
    "token_id": "Id of the token.",
    "ecosystem": "Ecosystem of the feed.",
    "feed": "Name of the feed.",
}


@cache
def document_bytes() -> bytes:
    """Return the document as indented JSON, ending in a newline."""
    return json.dumps(document(), indent=2).encode() + b"\n"


def document() -> Json:
    """Return the document."""
    book = SchemaBook()
    book.ref(Failed)
    paths: Json = {}
    for route in routes():
        described = {
            verb.lower(): _operation(route, verb, rule, rule.operation, book)
            for verb, rule in route.verbs.items()
            if rule.operation is not None
        }
        if described:
            parameters = [_path_parameter(name) for name in route.parameters]
            entry: Json = {"summary": route.summary}
            if parameters:
                entry["parameters"] = parameters
            paths["/" + route.path] = entry | described
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "packager_jupyter",
            "version": "1",
            "summary": "Data packages from Jupyter: sources, packages, versions, shares.",
            "description": "Lists are `{items, cursor}`: hand `cursor` back for the next page, "
            "null ends the list. Failures are `{code, message, remedy}`.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        # Relative to this document's own address, which is two folders below our root.
        "servers": [{"url": "../.."}],
        "security": [{"token": []}, {"session": [], "xsrf": []}],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(book.schemas.items())),
            "responses": {
                "Failure": {
                    "description": "What went wrong, and what to do about it.",
                    "content": {"application/json": {"schema": book.ref(Failed)}},
                }
            },
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Jupyter's token, the hub's, or an API token.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "username-<host>",
                    "description": "Jupyter's login cookie.",
                },
                "xsrf": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-XSRFToken",
                    "description": "The value of the _xsrf cookie, beside the login cookie.",
                },
            },
        },
    }


def _operation(
    route: Route, verb: str, rule: Rule, operation: Operation | None, book: SchemaBook
) -> Json:
    if operation is None:  # filtered by the caller; keeps the types honest
        return {}
    words = re.findall(r"[a-z]+", route.path.removeprefix("api/v1/"))
    entry: Json = {
        "summary": operation.summary,
        "operationId": "_".join([verb.lower(), *words]),
        "tags": [rule.resource.partition(":")[2]],
        "x-action": rule.action,
    }
    if operation.query:
        entry["parameters"] = [_query_parameter(spec) for spec in operation.query]
    if operation.request is not None:
        schema = book.ref(operation.request)
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    elif operation.request_media_type:
        entry["requestBody"] = {"required": True, "content": {operation.request_media_type: {}}}
    entry["responses"] = {
        str(status): _response(status, shape, operation, book)
        for status, shape in operation.responses.items()
    } | {"default": {"$ref": "#/components/responses/Failure"}}
    return entry


def _response(status: int, shape: Any, operation: Operation, book: SchemaBook) -> Json:
    meanings = {200: "Done.", 201: "Created.", 202: "Accepted: the work goes on.", 204: "Done."}
    entry: Json = {"description": meanings[status]}
    if status != 204:  # noqa: PLR2004  # No Content
        schema = {"schema": book.ref(shape)} if shape else {}
        entry["content"] = {operation.response_media_type: schema}
    return entry


def _path_parameter(name: str) -> Json:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PARAMETER_DOCS[name],
        "schema": {"type": "string"},
    }


def _query_parameter(spec: Query) -> Json:
    kinds = {str: "string", int: "integer", bool: "boolean"}
    schema: Json = {"type": kinds[spec.kind]}
    bounds = {"minimum": spec.low, "maximum": spec.high, "default": spec.default}
    schema |= {key: value for key, value in bounds.items() if value is not None}
    if spec.choices:
        schema["enum"] = list(spec.choices)
    return {
        "name": spec.name,
        "in": "query",
        "description": spec.doc,
        "required": spec.is_required,
        "schema": schema,
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(document_bytes())
