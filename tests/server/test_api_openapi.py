"""The OpenAPI document: valid, complete, and the committed copy equal to the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from packager_jupyter.server.openapi import document, document_bytes
from packager_jupyter.server.routes import routes

COPY = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
API = [route for route in routes() if route.path.startswith("api/") and "{rest}" not in route.path]


@pytest.fixture(scope="module")
def spec():
    return document()


def test_the_document_is_valid_openapi(spec):
    errors = list(OpenAPIV31SpecValidator(spec).iter_errors())
    assert errors == []


def test_an_invalid_document_would_be_noticed(spec):
    broken = json.loads(json.dumps(spec))
    del broken["paths"]["/api/v1/sources/{source}"]["parameters"]
    assert list(OpenAPIV31SpecValidator(broken).iter_errors())


def test_the_committed_copy_is_the_code(spec):
    assert COPY.read_bytes() == document_bytes(), (
        "write it anew: python -m packager_jupyter.server.openapi > docs/reference/openapi.json"
    )


@pytest.mark.parametrize("route", API, ids=lambda route: route.path)
def test_every_verb_of_the_api_is_described(route, spec):
    entry = spec["paths"]["/" + route.path]
    for verb, rule in route.verbs.items():
        operation = entry[verb.lower()]
        assert operation["summary"]
        assert operation["x-action"] == rule.action
        assert operation["responses"]["default"] == {"$ref": "#/components/responses/Failure"}
        if verb in {"POST", "PUT", "PATCH"} and not route.path.endswith(("/test", "/rotate")):
            assert operation["requestBody"]["required"]


def test_only_the_api_is_described(spec):
    assert set(spec["paths"]) == {"/" + route.path for route in API}


def test_operation_ids_are_unique(spec):
    verbs = {"get", "put", "post", "patch", "delete"}
    ids = [
        operation["operationId"]
        for entry in spec["paths"].values()
        for verb, operation in entry.items()
        if verb in verbs
    ]
    assert len(ids) == len(set(ids))


async def test_it_is_served(host, spec):
    response = await host.fetch("GET", "api/v1/openapi.json")
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.body) == spec
