"""Segments in the admin: built by clicking, counted while they are, refused beside the place."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from customers.admin.rule_fields import fields_for_builder
from customers.models import Customer, Segment, SegmentMember, SegmentSnapshot
from customers.segments.fields import fields
from scrm.audit.models import AuditEntry
from scrm.tenancy.models import Corp, Staff
from tests.admin.conftest import speak
from tests.admin.test_scope import page
from tests.factories import make_campaign, make_corp, make_customer, make_segment, make_tag


def told(client: Client, corp: Corp, rule: Any) -> dict[str, Any]:
    address = f"{reverse('admin:customers_segment_preview')}?corp={corp.pk}"
    answer = client.post(address, {"rule": rule}, content_type="application/json")
    assert answer.status_code == 200
    result: dict[str, Any] = answer.json()
    return result


def test_the_builder_offers_all_that_the_grammar_knows_each_thing_once() -> None:
    offered = fields_for_builder()

    assert set(offered) == set(fields())
    for name, field in fields().items():
        assert set(offered[name]["ops"]) | set(offered[name]["same"]) == set(field.ops)
        assert set(offered[name]["same"].values()) <= set(offered[name]["ops"])


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


def test_two_operators_at_one_segment_lose_nothing(lin: Client, corp: Corp, alice: Staff) -> None:
    segment = make_segment(corp, {"all": []}, name="All")
    seen = segment.updated_at.isoformat()
    women = '{"all": [{"field": "gender", "op": "in", "value": [2]}]}'
    men = '{"all": [{"field": "gender", "op": "in", "value": [1]}]}'
    address = page(Segment, "change", segment.pk)
    speak(lin, "en")

    lin.post(address, {"name": "Women", "rule": women, "seen": seen})
    second = lin.post(address, {"name": "Men", "rule": men, "seen": seen})

    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("Women", json.loads(women))
    text = second.content.decode()
    # Both versions are there to be compared: the other in words, the own one in the form.
    assert "gender is one of female" in text
    assert second.context["adminform"].form["rule"].value() == men
    again = second.context["adminform"].form.seen_now()
    lin.post(address, {"name": "Men", "rule": men, "seen": again})
    segment.refresh_from_db()
    assert (segment.name, segment.version) == ("Men", 3)


def test_contradictions_are_pointed_out_and_not_saved(lin: Client, corp: Corp) -> None:
    rule = {
        "all": [
            {"field": "gender", "op": "eq", "value": 1},
            {"field": "gender", "op": "eq", "value": 2},
        ]
    }

    answer = told(lin, corp, rule)
    lin.post(page(Segment, "add"), {"name": "Nobody", "rule": json.dumps(rule)})

    assert [warning["path"] for warning in answer["warnings"]] == ["/rule/all/1"]
    assert not Segment.objects.exists()


def test_options_are_found_by_typing_and_named_by_value(lin: Client, corp: Corp) -> None:
    gold, silver = make_tag(corp, "Gold"), make_tag(corp, "Silver")
    make_tag(make_corp(), "Gold too")
    address = f"{reverse('admin:customers_segment_options')}?corp={corp.pk}&field=tags"

    typed = lin.get(f"{address}&typed=gol").json()["options"]
    named = lin.get(f"{address}&value={silver.pk}").json()["options"]

    assert [option["value"] for option in typed] == [gold.pk]
    assert [option["label"] for option in named] == ["Silver"]


def test_a_list_is_uploaded_and_changed(lin: Client, corp: Corp, alice: Staff) -> None:
    first = make_customer(corp, staff=alice, unionid="u1")
    second = make_customer(corp, staff=alice)
    file = SimpleUploadedFile("list.csv", f"external_userid\n{second.external_userid}\n".encode())

    lin.post(
        page(Segment, "add") + "?kind=list", {"name": "VIP", "add": "u1\nnobody", "file": file}
    )

    segment = Segment.objects.get()
    on_it = SegmentMember.objects.filter(segment=segment).order_by("customer")
    assert [each.customer_id for each in on_it] == [first.pk, second.pk]
    changed = {"name": "VIPs", "remove": "u1", "add": ""}
    lin.post(page(Segment, "change", segment.pk), changed)
    segment.refresh_from_db()
    assert (segment.name, on_it.get().customer_id) == ("VIPs", second.pk)


def test_the_pages_of_a_segment(lin: Client, corp: Corp, alice: Staff) -> None:
    speak(lin, "en")
    woman = make_customer(corp, staff=alice, gender=2, name="Mei")
    make_customer(corp, staff=alice, gender=1)
    women = make_segment(corp, {"all": [{"field": "gender", "op": "eq", "value": 2}]})
    everybody = make_segment(corp)
    history = reverse("admin:customers_segment_snapshots", args=[women.pk])
    overlap = reverse("admin:customers_segment_overlap", args=[women.pk])
    why = reverse("admin:customers_segment_why", args=[women.pk])

    lin.post(history, {"as_of": ""})
    Customer.objects.filter(pk=woman.pk).update(gender=0)
    lin.post(history, {"as_of": ""})
    before, after = SegmentSnapshot.objects.order_by("pk")
    compared = lin.get(f"{history}?from={before.pk}&to={after.pk}&which=lost")
    shared = lin.get(f"{overlap}?with={everybody.pk}")
    told_why = lin.get(f"{why}?customer={woman.external_userid}")

    assert (before.count, after.count) == (1, 0)
    assert compared.context["difference"].lost == 1
    assert "Mei" in compared.content.decode()
    assert shared.context["overlap"].as_dict() == {"only_this": 0, "both": 0, "only_other": 2}
    text = told_why.content.decode()
    assert "is not in the segment" in text
    assert "in fact: unknown" in " ".join(text.split())


def test_the_past_of_what_is_not_kept_is_refused_on_the_page(lin: Client, corp: Corp) -> None:
    women = make_segment(corp, {"all": [{"field": "gender", "op": "eq", "value": 2}]})
    history = reverse("admin:customers_segment_snapshots", args=[women.pk])

    answer = lin.post(history, {"as_of": "2026-01-01"}, follow=True)

    assert not SegmentSnapshot.objects.exists()
    assert len(list(answer.context["messages"])) == 1
