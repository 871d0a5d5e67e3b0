"""Materials over REST."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from campaigns.models import Material
from scrm.tenancy.models import Corp
from tests.factories import make_lexicon, make_material

URL = "/api/v1/materials/"
LINK = {"title": "Sale", "url": "https://brand.example/sale"}


def test_keeps_shows_and_changes_a_material(brand: APIClient) -> None:
    created = brand.post(URL, {"kind": "link", "title": "Spring", "content": LINK})

    assert created.status_code == 201, created.content
    shown = created.json()
    assert (
        shown.items()
        >= {"kind": "link", "title": "Spring", "content": LINK, "status": "ready"}.items()
    )
    url = f"{URL}{shown['id']}/"
    assert brand.get(url).json() == shown
    changed = brand.patch(url, {"title": "Summer"}).json()
    assert (changed["title"], changed["content"]) == ("Summer", LINK)


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"kind": "song"}, "/kind"),
        ({"title": ""}, "/title"),
        ({"content": {"title": "x"}}, "/content/url"),
        ({"content": LINK | {"colour": "red"}}, "/content/colour"),
        ({"content": "x"}, "/content"),
        ({"kind": "text", "content": {}}, "/content/text"),
        ({"kind": "image", "content": {}}, "/content/file"),
        ({"status": "ready"}, "/status"),
    ],
)
def test_names_what_is_wrong_with_it(brand: APIClient, fields: dict[str, Any], path: str) -> None:
    response = brand.post(URL, {"kind": "link", "title": "Spring", "content": LINK} | fields)

    assert response.status_code == 422
    assert path in [error["path"] for error in response.json()["errors"]]
    assert not Material.objects.exists()


def test_says_what_must_not_be_said_and_where(brand: APIClient, corp: Corp) -> None:
    make_lexicon(corp, ["根治"])

    shown = brand.post(URL, {"kind": "text", "title": "t", "content": {"text": "保证根治"}}).json()

    assert shown["status"] == "blocked"
    (hit,) = shown["hits"]
    assert (hit["path"], hit["start"], hit["end"]) == ("/content/text", 2, 4)


def test_archives_instead_of_deleting(brand: APIClient, corp: Corp) -> None:
    material = make_material(corp)
    url = f"{URL}{material.pk}/"

    gone = brand.delete(url)
    again = brand.delete(url)

    assert (gone.status_code, again.status_code) == (204, 204)
    assert brand.get(URL).json()["results"] == []
    archived = brand.get(f"{URL}?status=archived").json()["results"]
    assert [row["id"] for row in archived] == [material.pk]
    refused = brand.patch(url, {"nonsense": 1})
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_status")


def test_lists_by_kind(brand: APIClient, corp: Corp) -> None:
    make_material(corp)
    text = make_material(corp, kind="text", content={"text": "x"})

    found = brand.get(f"{URL}?kind=text").json()["results"]

    assert [row["id"] for row in found] == [text.pk]


def test_a_campaign_takes_it_by_its_id(brand: APIClient, corp: Corp) -> None:
    material = make_material(corp)
    blocked = make_material(corp, status="blocked")
    body = {"name": "n", "content": "c", "kind": "groups", "chat_ids": []}

    def problems(*numbers: int) -> list[str]:
        attachments = [{"material": number} for number in numbers]
        response = brand.post("/api/v1/campaigns/", body | {"attachments": attachments})
        return [error["path"] for error in response.json()["errors"]]

    assert problems(material.pk) == ["/chat_ids"]
    assert problems(material.pk, blocked.pk, 4711) == [
        "/attachments/1/material", "/attachments/2/material", "/chat_ids"
    ]  # fmt: skip
