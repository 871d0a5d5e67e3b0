"""Whatever goes wrong is problem+json of one shape."""

import json
from typing import Any

import pytest
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from scrm.common.api import errors
from scrm.tenancy.api.views import CorpView
from scrm.tenancy.models import Corp
from tests.api.conftest import client_of

MEMBERS = {"type", "title", "status", "code", "detail", "errors", "request_id"}


def assert_problem(response: Any, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["code"]) == (status, code)
    assert response["Content-Type"] == "application/problem+json"
    assert set(body) == MEMBERS
    assert body["status"] == status
    assert body["request_id"] == response["X-Request-Id"]
    assert body["detail"]
    return body


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
@pytest.mark.parametrize("path", ["/api/", "/api/v1/", "/api/v1/nothing/", "/api/v1/customers"])
def test_answers_an_unknown_address(client: Client, db: None, method: str, path: str) -> None:
    assert_problem(getattr(client, method)(path), 404, "not_found")


def test_answers_a_method_there_is_not(brand: APIClient) -> None:
    response = brand.delete("/api/v1/corp/")

    assert_problem(response, 405, "method_not_allowed")
    assert response["Allow"] == "GET, HEAD"


def test_asks_for_a_key_before_it_talks_about_methods(client: Client, db: None) -> None:
    assert_problem(client.delete("/api/v1/corp/"), 401, "not_authenticated")


def test_answers_another_content_type(brand: APIClient) -> None:
    response = brand.post("/api/v1/segments/preview/", "rule=1", content_type="text/plain")

    assert_problem(response, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "body",
    [
        "{",
        '{"rule": NaN}',
        '{"rule": 1e999}',
        '{"rule": ' + "[" * 100 + "]" * 100 + "}",
        "[" * 100_000,
        b'{"rule": "\xff"}',
    ],
    ids=["cut off", "not a number", "infinite", "deep", "abyss", "not utf-8"],
)
def test_answers_what_is_not_json(brand: APIClient, body: str | bytes) -> None:
    response = brand.post("/api/v1/segments/preview/", body, content_type="application/json")

    assert_problem(response, 400, "parse_error")


def test_answers_a_body_that_is_too_large(brand: APIClient, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = {"rule": "x" * 100}

    assert_problem(brand.post("/api/v1/segments/preview/", body), 413, "too_large")
    keyed = brand.post("/api/v1/segments/preview/", body, headers={"Idempotency-Key": "k"})
    assert_problem(keyed, 413, "too_large")


@pytest.mark.parametrize("text", ["\\u0000", "\\ud800"], ids=["nul", "lone surrogate"])
def test_names_text_that_cannot_be_stored(brand: APIClient, text: str) -> None:
    body = f'{{"name": "n", "rule": {{"all": [{{"field": "{text}"}}]}}}}'

    response = brand.post("/api/v1/segments/", body, content_type="application/json")

    problem = assert_problem(response, 422, "invalid")
    assert [error["path"] for error in problem["errors"]] == ["/rule/all/0/field"]


def test_names_every_field_it_does_not_know(brand: APIClient) -> None:
    response = brand.post("/api/v1/tags/batch/", {"item": [], "a/b": 1})

    problem = assert_problem(response, 422, "invalid")
    found = {(error["path"], error["code"]) for error in problem["errors"]}
    assert found == {("/item", "unknown"), ("/a~1b", "unknown"), ("/items", "required")}


def test_names_fields_deep_inside(brand: APIClient) -> None:
    body = {"items": [{"external_userid": "a"}, {"external_userid": "b", "add": [1, "x"], "y": 1}]}

    response = brand.post("/api/v1/tags/batch/", body)

    problem = assert_problem(response, 422, "invalid")
    paths = {error["path"] for error in problem["errors"]}
    assert paths == {"/items/1/add/1", "/items/1/y"}


def test_refuses_a_body_that_is_no_object(brand: APIClient) -> None:
    response = brand.post("/api/v1/segments/preview/", [1])

    problem = assert_problem(response, 422, "invalid")
    assert [error["path"] for error in problem["errors"]] == [""]


def test_refuses_a_parameter_it_does_not_know(brand: APIClient) -> None:
    problem = assert_problem(brand.get("/api/v1/customers/?stages=a"), 400, "invalid")

    assert problem["errors"][0]["path"] == "/stages"
    assert problem["errors"][0]["code"] == "unknown_parameter"


def test_refuses_a_parameter_without_a_value(brand: APIClient) -> None:
    assert_problem(brand.get("/api/v1/customers/?segment="), 400, "invalid")


def test_refuses_a_dry_run_of_what_has_none(brand: APIClient) -> None:
    response = brand.post("/api/v1/tag-groups/?dry_run=true", {"name": "n"})

    assert_problem(response, 400, "invalid")


@pytest.mark.parametrize(
    ("accept", "detail"),
    [
        ("en", 'Method "DELETE" not allowed.'),
        ("zh-Hans", "方法 “DELETE” 不被允许。"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "方法 “DELETE” 不被允许。"),
        ("", "方法 “DELETE” 不被允许。"),
    ],
)
def test_speaks_the_language_that_is_asked_for(brand: APIClient, accept: str, detail: str) -> None:
    response = brand.delete("/api/v1/corp/", headers={"Accept-Language": accept})

    assert response.json()["detail"] == detail


def test_tells_nothing_of_an_unexpected_failure(
    corp: Corp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(CorpView, "show", fail)
    client = client_of(corp)
    client.raise_request_exception = False

    response = client.get("/api/v1/corp/")

    assert_problem(response, 500, "server_error")
    assert "hunter2" not in response.content.decode()
    assert response["RateLimit-Remaining"] == "599"


def test_answers_json_whatever_is_accepted(brand: APIClient) -> None:
    response = brand.get("/api/v1/corp/?", headers={"Accept": "text/html"})

    assert response["Content-Type"] == "application/json"


def test_answers_a_host_that_is_none_of_ours(brand: APIClient) -> None:
    response = brand.get("/api/v1/corp/", headers={"Host": "evil.example"})

    assert_problem(response, 400, "bad_request")


def test_answers_for_what_fails_outside_the_views(rf: RequestFactory) -> None:
    api = errors.server_error(rf.get("/api/v1/corp/"))
    page = errors.server_error(rf.get("/admin/"))

    assert json.loads(api.content)["code"] == "server_error"
    assert api["Content-Type"] == "application/problem+json"
    assert page["Content-Type"].startswith("text/html")
    assert api.status_code == page.status_code == 500


def test_answers_are_kept_by_no_cache(brand: APIClient) -> None:
    assert brand.get("/api/v1/corp/")["Cache-Control"] == "no-store"


def test_answers_head_like_get(brand: APIClient) -> None:
    response = brand.head("/api/v1/customers/")

    assert (response.status_code, response.content) == (200, b"")


def test_echoes_the_request_id(brand: APIClient) -> None:
    response = brand.get("/api/v1/nothing/", headers={"X-Request-Id": "my-id.1"})

    assert response.json()["request_id"] == response["X-Request-Id"] == "my-id.1"


def test_leaves_the_pages_of_the_admin_alone(client: Client, db: None) -> None:
    response = client.get("/nothing/")

    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")
