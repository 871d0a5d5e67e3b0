"""No value in any field, parameter or filter makes the server fail."""

import json
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from scrm.tenancy.models import Corp
from tests.api.endpoints import Endpoint, endpoints, make_subject

ODD: list[Any] = [
    None,
    True,
    -1,
    0.5,
    10**30,
    "",
    " ",
    "x" * 5000,
    "%_\\'\"",
    "👩‍👧",
    [],
    [None],
    [[]],
    [10**30],
    {},
    {"a": None},
    {"all": [{"field": "tags", "op": "any_of", "value": [10**30]}]},
    {"all": [{"field": "attribute.x", "op": "gt", "value": 10**400}]},
]


@cache
def described() -> dict[str, Any]:
    schema: dict[str, Any] = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return schema


def fields_of(endpoint: Endpoint, schema: dict[str, Any]) -> list[str]:
    operation = operation_of(endpoint, schema)
    if "requestBody" not in operation:
        return ["x"]
    (content,) = operation["requestBody"]["content"].values()
    reference = content["schema"]["$ref"]
    return list(schema["components"]["schemas"][reference.rsplit("/", 1)[1]]["properties"])


def operation_of(endpoint: Endpoint, schema: dict[str, Any]) -> dict[str, Any]:
    path = endpoint.path.replace("{id}", f"{{{endpoint.lookup.replace('pk', 'id')}}}")
    operation: dict[str, Any] = schema["paths"][path][endpoint.method]
    return operation


@pytest.mark.parametrize("endpoint", [e for e in endpoints() if e.takes_body], ids=str)
def test_no_body_makes_it_fail(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    url = endpoint.url(make_subject(endpoint, corp)) if endpoint.lookup else endpoint.path

    # The client raises what an endpoint did not expect.
    for name in fields_of(endpoint, described()):
        for value in ODD:
            body = json.dumps({"name": "n", "rule": {"all": []}} | {name: value})
            brand.generic(endpoint.method.upper(), url, body, content_type="application/json")


@pytest.mark.parametrize("endpoint", [e for e in endpoints() if e.method == "get"], ids=str)
def test_no_parameter_makes_it_fail(endpoint: Endpoint, corp: Corp, brand: APIClient) -> None:
    url = endpoint.url(make_subject(endpoint, corp)) if endpoint.lookup else endpoint.path
    operation = operation_of(endpoint, described())
    names = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]

    for name in names:
        for value in ("", "x", "\x00", "1", "-1", "9" * 30, "1.5", "NaN", "1,2,", "'\"%", "👩‍👧"):
            brand.get(f"{url}?{name}={quote(value)}")
