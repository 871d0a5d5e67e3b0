"""`manage.py create_api_key`."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation
from rest_framework.test import APIClient

from scrm.tenancy.models import ApiKey, Corp


def run(**options: Any) -> str:
    out = StringIO()
    call_command("create_api_key", stdout=out, stderr=StringIO(), **options)
    return out.getvalue()


def test_ends_with_one_json_object(corp: Corp) -> None:
    out = run(corp=corp.corp_id, name="crm", scopes="customers:read, corp:read", json=True)

    answer = json.loads(out.splitlines()[-1])
    key = ApiKey.objects.get()
    assert answer.items() >= {"id": key.pk, "name": "crm"}.items()
    assert answer["scopes"] == ["corp:read", "customers:read"]
    headers = {"Authorization": f"Bearer {answer['key']}"}
    assert APIClient().get("/api/v1/corp/", headers=headers).status_code == 200


def test_prints_the_key_alone(corp: Corp) -> None:
    assert run(corp=corp.corp_id, name="crm", scopes="*").strip().startswith("sk_")


def test_no_scopes_are_none(corp: Corp) -> None:
    run(corp=corp.corp_id, name="crm", scopes="")

    assert ApiKey.objects.get().scopes == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"corp": "wwnobody"}, "There is no corp wwnobody"),
        ({"scopes": "customers:red"}, "customers:red"),
        ({"name": " "}, "--name"),
        ({"name": "x" * 129}, "--name"),
    ],
)
def test_says_what_to_change(corp: Corp, options: dict[str, str], words: str) -> None:
    given = {"corp": corp.corp_id, "name": "crm", "scopes": "*"} | options

    with translation.override("en"), pytest.raises(CommandError, match=words):
        run(**given)
    assert not ApiKey.objects.exists()
