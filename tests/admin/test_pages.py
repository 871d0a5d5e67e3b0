"""Every page answers in both languages, loads nothing from outside and helps when it is empty."""

import re

import pytest
from django.contrib.admin import site
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from scrm.tenancy.models import Corp
from tests.admin.conftest import speak
from tests.admin.rows import rows_of_every_kind
from tests.admin.test_scope import REGISTERED, page

LANGUAGES = ("zh-hans", "en")
# What a browser fetches by itself; links that people click may lead anywhere.
FETCHED = re.compile(
    r"<(?:script|img|link|iframe|source)\b[^>]*?\b(?:src|href)=[\"']([^\"']+)", re.IGNORECASE
)
IN_STYLES = re.compile(r"url\(([^)]*)\)|@import\s+([^;]+);")


def fetched_from_outside(html: str) -> list[str]:
    addresses = FETCHED.findall(html)
    return [address for address in addresses if re.match(r"(https?:)?//", address)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_lists_and_forms_answer(lin: Client, corp: Corp, model: type[Model], language: str) -> None:
    rows = rows_of_every_kind(corp)
    speak(lin, language)
    addresses = [page(model, "changelist")]
    if model in rows:
        addresses.append(page(model, "change", rows[model].pk))
    answers = [lin.get(address) for address in addresses]
    form = lin.get(page(model, "add"))

    assert {answer.status_code for answer in answers} == {200}
    assert form.status_code in {200, 403}
    for answer in [*answers, form]:
        assert answer.headers["Content-Language"] == language
        assert fetched_from_outside(answer.content.decode()) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "address", ["/admin/", "/admin/password_change/", "/admin/customers/customer/export/"]
)
def test_other_pages_answer(lin: Client, corp: Corp, language: str, address: str) -> None:
    answer = speak(lin, language).get(address)

    assert answer.status_code == 200
    assert fetched_from_outside(answer.content.decode()) == []


def test_the_log_in_page_can_be_switched_to_english(client: Client, db: None) -> None:
    page_in_chinese = client.get("/admin/login/")
    client.post("/i18n/setlang/", {"language": "en", "next": "/admin/login/"})
    page_in_english = client.get("/admin/login/")

    assert page_in_chinese.headers["Content-Language"] == "zh-hans"
    assert page_in_english.headers["Content-Language"] == "en"


def test_the_language_stays_chinese_when_only_the_browser_is_english(lin: Client) -> None:
    answer = lin.get("/admin/", headers={"Accept-Language": "en-GB,en"})

    assert answer.headers["Content-Language"] == "zh-hans"


@pytest.mark.parametrize("model", REGISTERED, ids=lambda model: model._meta.label)
def test_an_empty_list_says_what_fills_it(lin: Client, model: type[Model]) -> None:
    if list(model.objects.all()[:1]):  # type: ignore[attr-defined]
        return
    hint = getattr(site.get_model_admin(model), "empty_hint", "")

    text = speak(lin, "en").get(page(model, "changelist")).content.decode()

    assert hint
    assert "Nothing here yet" in text


def test_what_a_filter_hides_can_be_shown_again(lin: Client, corp: Corp) -> None:
    text = speak(lin, "en").get(page(Corp, "changelist"), {"q": "nobody"}).content.decode()

    assert "Nothing matches" in text
    assert 'href="?"' in text


def test_a_page_that_is_not_there_speaks_the_language(lin: Client, corp: Corp) -> None:
    answer = speak(lin, "en").get(page(Corp, "change", corp.pk + 1))

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_adding_asks_for_the_corp_when_there_are_several(lin: Client, corp: Corp) -> None:
    other = Corp.objects.get(pk=corp.pk)
    other.pk, other.corp_id, other.name = None, "wwother", "Other brand"
    other.save()
    address = reverse("admin:customers_segment_add")

    choice = lin.get(address).content.decode()

    assert f"?corp={corp.pk}" in choice
    assert f"?corp={other.pk}" in choice
    assert lin.get(address, {"corp": other.pk}).context["adminform"].form.corp == other


def test_adding_without_a_corp_leads_to_the_first_step(lin: Client) -> None:
    assert lin.get(reverse("admin:customers_segment_add")).headers["Location"] == "/admin/"
