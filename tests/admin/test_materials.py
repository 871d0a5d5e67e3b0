"""Materials in the admin: kept, shown where they are used, archived and brought back."""

import json
from typing import Any

import pytest
from django.test import Client

from campaigns.models import Material
from scrm.tenancy.models import Corp
from tests.admin.conftest import speak
from tests.admin.test_scope import page
from tests.factories import make_campaign, make_lexicon, make_material

LINK = {"title": "Sale", "url": "https://brand.example/sale"}


def form(**changes: Any) -> dict[str, Any]:
    return {"kind": "link", "title": "Spring", "content": json.dumps(LINK)} | changes


def press(client: Client, material: Material, button: str) -> None:
    address = f"{page(Material, 'changelist')}{material.pk}/{button}/"
    client.post(address, {"_form_submitted": "True"}, follow=True)
    material.refresh_from_db()


def test_a_material_is_kept_and_changed(lin: Client, corp: Corp) -> None:
    lin.post(page(Material, "add"), form())
    material = Material.objects.get()
    lin.post(page(Material, "change", material.pk), form(title="Summer"))

    material.refresh_from_db()
    assert (material.title, material.content, material.status) == ("Summer", LINK, "ready")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title": " "}, "title"),
        ({"content": json.dumps({"title": "x"})}, "content"),
        ({"content": "["}, "content"),
        ({"content": "[]"}, "content"),
        ({"kind": "song"}, "kind"),
    ],
)
def test_what_is_wrong_is_shown_beside_the_field(
    lin: Client, corp: Corp, changes: dict[str, str], field: str
) -> None:
    answer = lin.post(page(Material, "add"), form() | changes)

    assert answer.status_code == 200
    assert field in answer.context["adminform"].form.errors
    assert not Material.objects.exists()


def test_what_must_not_be_said_is_marked(lin: Client, corp: Corp) -> None:
    make_lexicon(corp, ["根治"])
    content = json.dumps({"text": "保证<b>根治</b>"})
    lin.post(page(Material, "add"), form(kind="text", content=content))
    material = Material.objects.get()

    text = lin.get(page(Material, "change", material.pk)).content.decode()

    assert material.status == "blocked"
    assert "保证&lt;b&gt;<mark>根治</mark>&lt;/b&gt;" in text


def test_the_list_says_where_each_is_used_and_hides_the_archived(lin: Client, corp: Corp) -> None:
    used, unused = make_material(corp), make_material(corp)
    make_material(corp, status="archived")
    make_campaign(corp, attachments=[{"material": used.pk}, {"material": used.pk}])
    make_campaign(corp, attachments=[{"material": used.pk, "kind": "link", **LINK}])

    rows = lin.get(page(Material, "changelist")).context["cl"].result_list

    assert {row.pk: row.uses for row in rows} == {used.pk: 2, unused.pk: 0}


def test_a_text_is_found_by_what_it_says(lin: Client, corp: Corp) -> None:
    text = make_material(corp, kind="text", content={"text": "湿疹护理要点"})
    make_material(corp)

    found = lin.get(page(Material, "changelist"), {"q": "湿疹"}).context["cl"].result_list

    assert [row.pk for row in found] == [text.pk]


def test_it_is_archived_and_brought_back(lin: Client, corp: Corp) -> None:
    material = make_material(corp)

    press(lin, material, "archive")
    archived = material.status
    shown = speak(lin, "en").get(page(Material, "change", material.pk))
    press(lin, material, "restore")

    assert (archived, material.status) == ("archived", "ready")
    assert shown.status_code == 200
    assert [each["path"].rstrip("/").rpartition("/")[2] for each in shown.context["actions_detail"]] == ["restore"]  # fmt: skip
