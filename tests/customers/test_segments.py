"""Rules are read strictly, explained, described and saved."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from jsonschema import Draft202012Validator

from customers.actions.segments import (
    SegmentInUse,
    create_segment,
    customers_of,
    delete_segment,
    describe_rule,
    explain,
    preview,
    rule_schema,
    update_segment,
    validate_rule,
)
from customers.models import Customer, Segment
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.factories import (
    NOW,
    make_campaign,
    make_corp,
    make_customer,
    make_department,
    make_segment,
    make_staff,
    make_stage,
    make_tag,
)

Rule = dict[str, Any]


def leaf(field: str, op: str, value: Any = None) -> Rule:
    return {"field": field, "op": op, "value": value}


def names(corp: Corp, rule: Rule, *, now: datetime = NOW) -> list[str]:
    found = customers_of(rule, corp=corp, now=now).order_by("external_userid")
    return list(found.values_list("external_userid", flat=True))


def problems(rule: object, corp: Corp, prefix: str = "/rule") -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        validate_rule(rule, corp=corp, prefix=prefix)
    assert refusal.value.status == 422
    return {problem.path: problem.code for problem in refusal.value.errors}


def test_empty_groups_mean_everybody_nobody_everybody(corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, external_userid="a")
    make_customer(corp, external_userid="lost")

    assert names(corp, {"all": []}) == names(corp, {"none": []}) == ["a"]
    assert names(corp, {"any": []}) == []
    assert names(corp, {"none": [{"none": []}]}) == []


def test_untagged_and_unknown_count_as_not_having_a_value(corp: Corp, alice: Staff) -> None:
    vip, stage = make_tag(corp), make_stage(corp, "aware")
    make_customer(corp, staff=alice, external_userid="none")
    make_customer(corp, staff=alice, external_userid="vip", tags=[vip], stage=stage, gender=2)

    for rule in (
        leaf("tags", "none_of", [vip.pk]),
        leaf("tags", "is_empty"),
        leaf("stage", "ne", "aware"),
        leaf("stage", "not_in", ["aware"]),
        leaf("gender", "ne", 2),
        leaf("gender", "is_empty"),
        leaf("attribute.city", "ne", "x"),
        leaf("attribute.city", "is_empty"),
        {"none": [leaf("tags", "any_of", [vip.pk])]},
        {"none": [leaf("stage", "eq", "aware")]},
    ):
        assert "none" in names(corp, rule), rule
    assert names(corp, leaf("last_interaction_at", "not_within_days", 7)) == ["none", "vip"]


def test_ranges_only_over_the_corp_and_its_followed_customers(corp: Corp, alice: Staff) -> None:
    other = make_corp()
    make_customer(other, staff=make_staff(other))
    make_customer(corp)
    followed = make_customer(corp, staff=alice)

    assert list(customers_of({"all": []}, corp=corp, now=NOW)) == [followed]


def test_dates_are_days_of_the_corps_zone(corp: Corp, alice: Staff) -> None:
    # 16:00 UTC is midnight in Shanghai.
    midnight = datetime(2026, 11, 9, 16, tzinfo=UTC)
    make_customer(
        corp, staff=alice, external_userid="9th", added_at=midnight - timedelta(seconds=1)
    )
    make_customer(corp, staff=alice, external_userid="10th", added_at=midnight)

    assert names(corp, leaf("added_at", "eq", "2026-11-09")) == ["9th"]
    assert names(corp, leaf("added_at", "gte", "2026-11-10")) == ["10th"]
    assert names(corp, leaf("added_at", "gt", "2026-11-09")) == ["10th"]
    assert names(corp, leaf("added_at", "lte", "2026-11-09")) == ["9th"]
    assert names(corp, leaf("added_at", "between", ["2026-11-09", "2026-11-10"])) == ["10th", "9th"]
    assert names(corp, leaf("added_at", "gte", "2026-11-10T00:00:00")) == ["10th"]
    assert names(corp, leaf("added_at", "lt", "2026-11-09T16:00:00+00:00")) == ["9th"]


def test_the_last_days_are_times_24_hours(corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, external_userid="in", added_at=NOW - timedelta(hours=48))
    make_customer(
        corp, staff=alice, external_userid="out", added_at=NOW - timedelta(hours=48, seconds=1)
    )

    assert names(corp, leaf("added_at", "within_days", 2)) == ["in"]
    assert names(corp, leaf("added_at", "not_within_days", 2)) == ["out"]


def test_a_department_means_all_below_it(corp: Corp) -> None:
    head = make_department(corp)
    branch = make_department(corp, parent=head)
    make_customer(corp, staff=make_staff(corp, departments=[branch]), external_userid="b")
    make_customer(corp, staff=make_staff(corp, departments=[head]), external_userid="h")

    assert names(corp, leaf("department", "in", [head.department_id])) == ["b", "h"]
    assert names(corp, leaf("department", "in", [branch.department_id])) == ["b"]


def test_names_every_mistake_by_its_place(corp: Corp, alice: Staff) -> None:
    tag, foreign = make_tag(corp), make_tag(make_corp())
    deleted = make_tag(corp, deleted_at=NOW)
    rule = {
        "all": [
            leaf("tags", "any_of", [tag.pk, foreign.pk, True, "1", 10**12]),
            {
                "any": [
                    leaf("colour", "eq", 1),
                    leaf("tags", "like", 1),
                    {"field": "staff", "op": "eq"},
                ]
            },
            leaf("staff", "in", ["alice", "nobody"]),
            leaf("gender", "eq", 3),
            leaf("added_at", "between", ["2026-11-01"]),
            leaf("added_at", "gt", "yesterday"),
            leaf("added_at", "within_days", True),
            leaf("stage", "eq", "vip"),
            leaf("department", "eq", 1.0),
            leaf("tags", "none_of", [deleted.pk]),
            leaf("attribute.x", "gt", True),
            leaf("attribute.x", "between", [1, "2"]),
            leaf("attribute.x", "eq", None),
            leaf("attribute.", "eq", 1),
            leaf("tags", "is_empty", [1]),
            {"none": "x"},
            {"a/b~c": 1, "field": "gender", "op": "eq", "value": 1},
            {"all": [], "any": []},
            7,
        ]
    }

    assert problems(rule, corp) == {
        "/rule/all/0/value/1": "unknown_id",
        "/rule/all/0/value/2": "type",
        "/rule/all/0/value/3": "type",
        "/rule/all/0/value/4": "unknown_id",
        "/rule/all/1/any/0/field": "unknown_field",
        "/rule/all/1/any/1/op": "unknown_op",
        "/rule/all/1/any/2/value": "required",
        "/rule/all/2/value/1": "unknown_id",
        "/rule/all/3/value": "invalid",
        "/rule/all/4/value": "invalid",
        "/rule/all/5/value": "invalid",
        "/rule/all/6/value": "type",
        "/rule/all/7/value": "unknown_id",
        "/rule/all/8/value": "type",
        "/rule/all/9/value/0": "unknown_id",
        "/rule/all/10/value": "type",
        "/rule/all/11/value": "type",
        "/rule/all/12/value": "type",
        "/rule/all/13/field": "unknown_field",
        "/rule/all/14/value": "type",
        "/rule/all/15/none": "type",
        "/rule/all/16/a~1b~0c": "unknown_key",
        "/rule/all/17": "invalid",
        "/rule/all/18": "type",
    }


@pytest.mark.parametrize("rule", [None, [], "x", {}, {"field": None}, {"all": {}}])
def test_refuses_what_is_no_rule(corp: Corp, rule: object) -> None:
    assert problems(rule, corp)


def test_paths_begin_where_the_caller_says(corp: Corp) -> None:
    assert problems({"all": 1}, corp, prefix="/steps/0/condition") == {
        "/steps/0/condition/all": "type"
    }


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_refuses_texts_that_cannot_be_stored(corp: Corp, text: str) -> None:
    for field in ("staff", "attribute.x", "stage"):
        assert problems(leaf(field, "eq", text), corp) == {"/rule/value": "invalid"}
    assert problems(leaf(f"attribute.{text}", "eq", 1), corp) == {"/rule/field": "unknown_field"}


def test_refuses_rules_too_deep_or_too_large(corp: Corp) -> None:
    deep: Rule = leaf("gender", "eq", 1)
    for _ in range(5000):
        deep = {"all": [deep]}
    assert set(problems(deep, corp).values()) == {"too_deep"}
    wide = {"any": [leaf("gender", "eq", 1)] * 150}
    assert set(problems({"all": [wide, wide]}, corp).values()) == {"too_many"}
    assert set(problems(leaf("gender", "in", [1] * 1001), corp).values()) == {"too_many"}


def test_infinite_numbers_are_none(corp: Corp) -> None:
    assert problems(leaf("attribute.x", "eq", float("nan")), corp) == {"/rule/value": "invalid"}


def test_default_stages_are_known_before_a_corp_has_rows_of_them(corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, external_userid="a")

    assert names(corp, leaf("stage", "eq", "aware")) == []
    assert names(corp, leaf("stage", "ne", "aware")) == ["a"]


def test_is_one_statement_that_others_can_build_on(corp: Corp, alice: Staff, bob: Staff) -> None:
    vip = make_tag(corp)
    customer = make_customer(corp, staff=[alice, bob], tags=[vip], attributes={"a": 1})
    rule = {
        "all": [
            leaf("tags", "any_of", [vip.pk]),
            leaf("staff", "all_of", ["alice", "bob"]),
            leaf("attribute.a", "gte", 1),
        ]
    }
    compiled = validate_rule(rule, corp=corp)

    with CaptureQueriesContext(connection) as queries:
        inner = customers_of(compiled, corp=corp, now=NOW)
        found = list(
            Customer.objects.filter(pk__in=inner.values("pk")).values_list("pk", flat=True)
        )

    assert found == [customer.pk]
    assert len(queries) == 1
    nobody: list[Rule] = [{"any": []}, leaf("tags", "any_of", []), leaf("staff", "in", [])]
    for empty in nobody:
        sql, _ = customers_of(empty, corp=corp, now=NOW).values("pk").query.sql_with_params()
        assert sql


def test_a_rule_of_one_corp_is_not_used_for_another(corp: Corp) -> None:
    with pytest.raises(ValueError, match="another corp"):
        customers_of(validate_rule({"all": []}, corp=corp), corp=make_corp(), now=NOW)


@pytest.mark.parametrize("op", ["any_of", "all_of", "none_of"])
def test_tags_are_found_through_the_index_on_arrays(corp: Corp, op: str) -> None:
    tags = [make_tag(corp).pk for _ in range(2)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO customers_customer (corp_id, external_userid, unionid, name, avatar, type,"
            " gender, position, company, attributes, is_blocked, live_follows, added_at,"
            " created_at, updated_at)"
            " SELECT %(corp)s, 'wm' || n, '', '', '', 1, 0, '', '', '{}', false, 1, %(now)s,"
            " %(now)s, %(now)s FROM generate_series(1, 20000) n",
            {"corp": corp.pk, "now": NOW},
        )
        cursor.execute(
            "INSERT INTO customers_customertagset (customer_id, corp_id, tag_ids)"
            " SELECT id, corp_id, CASE WHEN id %% 100 = 0 THEN %(tags)s::int[] ELSE"
            " ARRAY[(1000000 + id %% 200)::int] END FROM customers_customer",
            {"tags": tags},
        )
        # What autovacuum does a little later.
        cursor.execute("SELECT gin_clean_pending_list('tag_set_by_tag'::regclass)")
        cursor.execute("ANALYZE customers_customer")
        cursor.execute("ANALYZE customers_customertagset")
    customers = customers_of(leaf("tags", op, tags), corp=corp, now=NOW)

    plan = customers.explain()

    assert customers.count() == (19_800 if op == "none_of" else 200)
    assert "Bitmap Index Scan on tag_set_by_tag" in plan
    assert "Seq Scan on customers_customertagset" not in plan


def test_previews_count_and_the_newest(corp: Corp, alice: Staff) -> None:
    for number in range(12):
        make_customer(
            corp,
            staff=alice,
            external_userid=f"wm{number:02}",
            added_at=NOW - timedelta(days=number),
        )

    found = preview({"all": []}, corp=corp, now=NOW).as_dict()

    assert found["count"] == 12
    assert [row["external_userid"] for row in found["sample"]] == [f"wm{n:02}" for n in range(10)]
    assert set(found["sample"][0]) == {"external_userid", "name"}
    assert found["took_ms"] >= 0


def test_says_a_rule_in_words(corp: Corp, alice: Staff) -> None:
    vip = make_tag(corp, "VIP")
    rule = {
        "all": [
            leaf("tags", "any_of", [vip.pk]),
            {"any": [leaf("gender", "eq", 2), leaf("staff", "eq", "alice")]},
            {"none": [leaf("added_at", "within_days", 7), leaf("attribute.city", "exists")]},
            leaf("added_at", "between", ["2026-11-01", "2026-11-30"]),
        ]
    }

    assert describe_rule(rule, corp=corp) == (
        "tags: any of «VIP» and (gender is female or followed by is «Alice») and "
        "(neither added within the last 7 days nor «city» is known) and "
        "added from 2026-11-01 to 2026-11-30"
    )
    assert describe_rule({"all": []}, corp=corp) == "everybody"


def test_explains_who_is_meant_and_who_is_not(corp: Corp, alice: Staff) -> None:
    vip, stage = make_tag(corp), make_stage(corp, "aware")
    customer = make_customer(corp, staff=alice, tags=[vip], stage=stage, gender=1)
    rule = {
        "all": [
            leaf("tags", "any_of", [vip.pk]),
            {"none": [leaf("gender", "eq", 0), leaf("stage", "eq", "aware")]},
        ]
    }

    explanation = explain(rule, customer, now=NOW)

    assert explanation["matched"] is False
    assert explanation["first_failing"] == "/rule/all/1/none/1"
    first, second = explanation["tree"]["children"]
    assert (first["matched"], first["actual"]) == (True, [vip.pk])
    assert second["children"][1] == {
        "pointer": "/rule/all/1/none/1",
        "field": "stage",
        "op": "eq",
        "value": "aware",
        "actual": "aware",
        "matched": True,
    }


def test_explains_that_nobody_follows_a_lost_customer(corp: Corp) -> None:
    explanation = explain({"all": []}, make_customer(corp), now=NOW)

    assert explanation["matched"] is False
    assert explanation["has_live_follow"] is False
    assert explanation["first_failing"] is None


def test_another_rule_is_another_version(corp: Corp) -> None:
    rule: Rule = {"all": []}
    segment = create_segment("All", corp=corp, rule=rule, actor=SYSTEM, now=NOW)

    update_segment(segment, name="Everybody", rule=rule, actor=SYSTEM, now=NOW)
    assert Segment.objects.values_list("name", "version").get() == ("Everybody", 1)
    update_segment(segment, rule={"any": []}, actor=SYSTEM, now=NOW)
    update_segment(segment, rule={"any": []}, actor=SYSTEM, now=NOW)

    assert Segment.objects.values_list("rule", "version").get() == ({"any": []}, 2)
    assert AuditEntry.objects.count() == 3


def test_saves_no_rule_that_cannot_be_read_and_no_name_twice(corp: Corp) -> None:
    make_segment(corp, name="taken")
    with pytest.raises(InvalidInput, match="/rule/all"):
        create_segment("x", corp=corp, rule={"all": 1}, actor=SYSTEM, now=NOW)
    with pytest.raises(InvalidInput, match="taken is taken"):
        create_segment("taken", corp=corp, rule={"all": []}, actor=SYSTEM, now=NOW)
    with pytest.raises(InvalidInput, match="1 to 128"):
        create_segment(" ", corp=corp, rule={"all": []}, actor=SYSTEM, now=NOW)

    assert Segment.objects.count() == 1
    assert not AuditEntry.objects.exists()


def test_keeps_a_segment_that_a_campaign_names(corp: Corp) -> None:
    segment = make_segment(corp)
    campaign = make_campaign(corp, segment=segment)

    with pytest.raises(SegmentInUse):
        delete_segment(segment, actor=SYSTEM, now=NOW)
    assert not AuditEntry.objects.exists()
    campaign.delete()
    delete_segment(segment, actor=SYSTEM, now=NOW)
    assert not Segment.objects.exists()


def test_the_schema_is_one_and_refuses_what_the_reader_refuses(corp: Corp) -> None:
    Draft202012Validator.check_schema(rule_schema())
    validator = Draft202012Validator(rule_schema())

    assert validator.is_valid({"all": [leaf("tags", "is_empty", []), leaf("gender", "in", [0])]})
    mistakes: list[Rule] = [
        leaf("colour", "eq", 1),
        leaf("tags", "any_of", "1"),
        leaf("gender", "eq", 3),
        {"all": [], "any": []},
        {"field": "staff", "op": "eq"},
    ]
    for wrong in mistakes:
        assert not validator.is_valid(wrong), wrong
