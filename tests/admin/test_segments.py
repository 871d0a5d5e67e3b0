"""Segments in the admin: built by clicking, counted while they are, refused beside the place."""

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from customers.admin.rule_fields import FIELDS
from customers.models import Segment
from customers.segments.fields import KINDS
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import speak
from tests.admin.test_scope import page
from tests.factories import make_campaign, make_customer, make_segment, make_tag


def told(client: Client, corp: Corp, rule: Any) -> dict[str, Any]:
    address = f"{reverse('admin:customers_segment_preview')}?corp={corp.pk}"
    answer = client.post(address, {"rule": rule}, content_type="application/json")
    assert answer.status_code == 200
    result: dict[str, Any] = answer.json()
    return result


def test_the_builder_offers_only_what_the_grammar_knows() -> None:
    for field, (_words, ops) in FIELDS.items():
        assert set(ops) <= set(KINDS[field].ops)


def test_a_rule_is_counted_told_in_words_and_shown_by_example(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    tag = make_tag(corp, "Gold")
    make_customer(corp, staff=alice, tags=[tag], name="Zhang")
    make_customer(corp, staff=alice)

    answer = told(
        speak(lin, "en"), corp, {"all": [{"field": "tags", "op": "any_of", "value": [tag.pk]}]}
    )

    assert (answer["count"], answer["sample"]) == (1, ["Zhang"])
    assert "Gold" in answer["words"]


def test_a_wrong_rule_is_told_with_the_place(lin: Client, corp: Corp) -> None:
    rule = {"all": [{"any": [{"field": "tags", "op": "any_of", "value": [1, "x"]}]}]}

    errors = told(lin, corp, rule)["errors"]

    assert {error["path"] for error in errors} >= {"/rule/all/0/any/0/value/1"}


def test_what_is_no_json_is_told_so(lin: Client, corp: Corp) -> None:
    address = f"{reverse('admin:customers_segment_preview')}?corp={corp.pk}"

    answer = lin.post(address, "{", content_type="application/json")

    assert answer.json()["errors"][0]["path"] == "/rule"


def test_a_segment_is_saved_and_changed_through_the_form(lin: Client, corp: Corp) -> None:
    lin.post(page(Segment, "add"), {"name": "All", "rule": '{"all": []}'})
    segment = Segment.objects.get()

    changed = {"name": "Women", "rule": '{"all": [{"field": "gender", "op": "in", "value": [2]}]}'}
    lin.post(page(Segment, "change", segment.pk), changed)

    segment.refresh_from_db()
    assert (segment.name, segment.version) == ("Women", 2)
    assert AuditEntry.objects.count() == 2


@pytest.mark.parametrize(
    "rule", ["{", '{"all": [{"field": "nonsense", "op": "eq", "value": 1}]}', "[]"]
)
def test_a_rule_that_cannot_be_is_not_saved(lin: Client, corp: Corp, rule: str) -> None:
    answer = lin.post(page(Segment, "add"), {"name": "Wrong", "rule": rule})

    assert "rule" in answer.context["adminform"].form.errors
    # What was typed is still there to be mended.
    assert "nonsense" not in rule or "nonsense" in answer.content.decode()
    assert not Segment.objects.exists()


def test_the_places_of_a_refused_rule_reach_the_builder(lin: Client, corp: Corp) -> None:
    rule = {"all": [{"field": "tags", "op": "any_of", "value": [987]}]}

    answer = lin.post(page(Segment, "add"), {"name": "Wrong", "rule": json.dumps(rule)})

    problems = answer.context["adminform"].form.builder()["problems"]
    assert [problem["path"] for problem in problems] == ["/rule/all/0/value/0"]


def test_a_name_that_is_taken_is_refused(lin: Client, corp: Corp) -> None:
    make_segment(corp, name="All")

    answer = lin.post(page(Segment, "add"), {"name": "All", "rule": '{"all": []}'})

    assert "name" in answer.context["adminform"].form.errors


def test_a_segment_in_use_is_not_deleted(lin: Client, corp: Corp) -> None:
    segment = make_segment(corp)
    make_campaign(corp, segment=segment)
    address = f"{page(Segment, 'changelist')}{segment.pk}/remove/"

    answer = lin.post(address, {"_form_submitted": "True"}, follow=True)

    assert Segment.objects.filter(pk=segment.pk).exists()
    assert len(list(answer.context["messages"])) == 1


def test_a_row_of_the_list_tells_the_rule_and_its_count(
    lin: Client, corp: Corp, alice: Staff
) -> None:
    make_customer(corp, staff=alice)
    segment = make_segment(corp)

    text = lin.get(reverse("admin:customers_segment_told", args=[segment.pk])).content.decode()

    assert ">1<" in text
