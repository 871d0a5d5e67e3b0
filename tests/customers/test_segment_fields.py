"""Fields that name other things: segments in segments, lists; rules that contradict themselves."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.identities import link_identity
from customers.actions.lists import change_members, create_list, read_members
from customers.actions.segments import (
    SegmentChanged,
    SegmentInUse,
    contradictions_of,
    create_segment,
    customers_of,
    delete_segment,
    describe_rule,
    explain_in_words,
    overlap_of,
    update_segment,
    validate_rule,
)
from customers.models import SegmentMember, Stage
from scrm.audit.actions.recording import SYSTEM
from scrm.common.errors import InvalidInput
from scrm.tenancy.models import Corp, Staff
from tests.customers.test_segments import leaf, names, problems
from tests.factories import NOW, make_corp, make_customer, make_segment, make_stage, make_tag

Rule = dict[str, Any]


def test_a_segment_may_name_another_and_follows_it(corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, gender=2, external_userid="w")
    make_customer(corp, staff=alice, gender=1, external_userid="m")
    women = make_segment(corp, leaf("gender", "eq", 2))
    rule = {"none": [leaf("segment", "in", [women.pk])]}

    assert names(corp, rule) == ["m"]
    update_segment(women, rule=leaf("gender", "eq", 1), actor=SYSTEM, now=NOW)
    assert names(corp, rule) == ["w"]


def test_segments_do_not_go_round_in_circles(corp: Corp) -> None:
    first = make_segment(corp)
    second = make_segment(corp, leaf("segment", "in", [first.pk]))
    third = make_segment(corp, leaf("segment", "in", [second.pk]))

    for named in (first, second, third):
        rule = {"all": [leaf("segment", "in", [named.pk])]}
        with pytest.raises(InvalidInput) as refusal:
            update_segment(first, rule=rule, actor=SYSTEM, now=NOW)
        assert [(each.path, each.code) for each in refusal.value.errors] == [
            ("/rule/all/0/value/0", "circular")
        ]


def test_segments_are_neither_too_deep_nor_too_large_together(corp: Corp) -> None:
    wide = make_segment(corp, {"any": [leaf("gender", "eq", 1)] * 150})
    assert problems({"any": [leaf("segment", "in", [wide.pk])] * 7}, corp) == {"/rule": "too_many"}
    deep = make_segment(corp)
    for _ in range(5):
        deep = make_segment(corp, leaf("segment", "in", [deep.pk]))
    assert problems(leaf("segment", "eq", deep.pk), corp) == {"/rule/value": "too_deep"}


def test_names_a_segment_that_has_lost_its_meaning_and_none_of_another_corp(corp: Corp) -> None:
    gone = make_segment(corp, leaf("tags", "any_of", [make_tag(corp, deleted_at=NOW).pk]))
    theirs = make_segment(make_corp())

    rule = leaf("segment", "in", [gone.pk, theirs.pk, 10**12])

    assert problems(rule, corp) == {
        "/rule/value/0": "unreadable",
        "/rule/value/1": "unknown_id",
        "/rule/value/2": "unknown_id",
    }


def test_a_segment_that_another_one_names_is_kept(corp: Corp) -> None:
    inner = make_segment(corp, name="Inner")
    outer = make_segment(corp, {"none": [leaf("segment", "in", [inner.pk])]}, name="Outer")

    with pytest.raises(SegmentInUse, match="«Outer»"):
        delete_segment(inner, actor=SYSTEM, now=NOW)
    delete_segment(outer, actor=SYSTEM, now=NOW)
    delete_segment(inner, actor=SYSTEM, now=NOW)


def test_windows_stand_beside_values_of_what_is_counted_only(corp: Corp) -> None:
    validate_rule({**leaf("orders.count", "gte", 1), "within_days": 30}, corp=corp)
    assert problems({**leaf("gender", "eq", 1), "within_days": 30}, corp) == {
        "/rule/within_days": "unknown_key"
    }
    for wrong in (-1, "30", True, 10**6):
        found = problems({**leaf("events.cart.count", "gte", 1), "within_days": wrong}, corp)
        assert set(found) == {"/rule/within_days"}
    for name in ("events.count", "events..count", "orders.sum", "rfm.x", "attribute."):
        assert set(problems(leaf(name, "eq", 1), corp).values()) == {"unknown_field"}
    assert problems(leaf("rfm.segment", "eq", "vip"), corp) == {"/rule/value": "invalid"}
    assert problems(leaf("orders.amount", "gt", 10**30), corp) == {"/rule/value": "invalid"}


@pytest.mark.parametrize(
    "parts",
    [
        [leaf("gender", "eq", 1), leaf("gender", "eq", 2)],
        [leaf("gender", "in", [1, 2]), {"none": [leaf("gender", "ne", 0)]}],
        [leaf("stage", "eq", "aware"), leaf("stage", "is_empty")],
        [leaf("added_at", "within_days", 7), leaf("added_at", "lt", "2026-01-01")],
        [leaf("added_at", "eq", "2026-11-01"), leaf("added_at", "eq", "2026-11-02")],
        [leaf("orders.count", "gt", 3), leaf("orders.count", "lte", 3)],
        [leaf("orders.count", "lt", 0)],
        [leaf("rfm.segment", "eq", "non_buyer"), leaf("rfm.segment", "ne", "non_buyer")],
        [leaf("live_code", "eq", "a"), {"none": [leaf("live_code", "any_of", ["a", "b"])]}],
    ],
)
def test_tells_rules_that_contradict_themselves(corp: Corp, parts: list[Rule]) -> None:
    make_stage(corp, "aware")
    rule = {"all": [{"all": parts[:1]}, *parts[1:]]}

    (found,) = contradictions_of(rule, corp=corp, now=NOW)

    assert found.is_whole
    assert found.words.startswith("Nobody can fulfil")
    assert not customers_of(rule, corp=corp, now=NOW).exists()
    with pytest.raises(InvalidInput) as refusal:
        create_segment("Nobody", corp=corp, rule=rule, actor=SYSTEM, now=NOW)
    assert {each.code for each in refusal.value.errors} == {"contradiction"}


def test_tags_that_are_wanted_and_barred_contradict_each_other(corp: Corp) -> None:
    a, b = make_tag(corp).pk, make_tag(corp).pk
    impossible = [
        [leaf("tags", "any_of", [a]), leaf("tags", "none_of", [a, b])],
        [leaf("tags", "all_of", [a, b]), leaf("tags", "none_of", [b])],
        [leaf("tags", "any_of", [a]), leaf("tags", "is_empty")],
        [leaf("tags", "exists"), {"none": [leaf("tags", "exists")]}],
    ]
    possible = [
        [leaf("tags", "any_of", [a, b]), leaf("tags", "none_of", [a])],
        [leaf("tags", "any_of", [a]), {"none": [leaf("tags", "all_of", [a, b])]}],
        [leaf("tags", "any_of", []), leaf("tags", "none_of", [a])],
        [leaf("orders.count", "eq", 0), {**leaf("orders.count", "eq", 1), "within_days": 3}],
    ]

    for parts in impossible:
        assert [each.is_whole for each in contradictions_of({"all": parts}, corp=corp, now=NOW)]
    for parts in possible:
        assert contradictions_of({"all": parts}, corp=corp, now=NOW) == []


def test_a_dead_alternative_is_told_and_may_be_saved(corp: Corp) -> None:
    rule = {
        "all": [
            leaf("gender", "eq", 1),
            {"any": [leaf("gender", "eq", 2), leaf("stage", "is_empty")]},
        ]
    }

    (found,) = contradictions_of(rule, corp=corp, now=NOW)

    assert (found.pointer, found.is_whole) == ("/rule/all/1/any/0", False)
    create_segment("Men", corp=corp, rule=rule, actor=SYSTEM, now=NOW)


def test_the_second_of_two_editors_is_told(corp: Corp) -> None:
    segment = make_segment(corp)
    update_segment(segment, rule=leaf("gender", "eq", 2), version=1, actor=SYSTEM, now=NOW)

    with pytest.raises(SegmentChanged) as refusal:
        update_segment(segment, rule=leaf("gender", "eq", 1), version=1, actor=SYSTEM, now=NOW)

    assert refusal.value.status == 409
    assert refusal.value.current.version == 2
    segment.refresh_from_db()
    assert segment.rule == leaf("gender", "eq", 2)


def test_two_segments_overlap(corp: Corp, alice: Staff) -> None:
    aware = make_stage(corp, "a")
    stages: list[tuple[int, Stage | None]] = [(2, None), (2, aware), (1, aware), (1, aware)]
    for gender, stage in stages:
        make_customer(corp, staff=alice, gender=gender, stage=stage)

    found = overlap_of(
        leaf("gender", "eq", 2), leaf("stage", "eq", "a"), corp=corp, now=NOW
    ).as_dict()

    assert found == {"only_this": 1, "both": 1, "only_other": 2}


def test_explains_in_words_line_by_line(corp: Corp, alice: Staff) -> None:
    gold = make_tag(corp, "Gold")
    customer = make_customer(corp, staff=alice, tags=[gold], gender=1)
    rule = {
        "all": [
            leaf("tags", "any_of", [gold.pk]),
            {"none": [leaf("gender", "eq", 1), leaf("staff", "is_empty")]},
            leaf("orders.amount", "gte", 10_000),
        ]
    }

    lines = explain_in_words(rule, customer, now=NOW)

    assert [(each.depth, each.text, each.is_true, each.actual) for each in lines] == [
        (0, "all of these are true", False, ""),
        (1, "tags: any of «Gold»", True, "«Gold»"),
        (1, "none of these is true", False, ""),
        (2, "gender is male", True, "male"),
        (2, "followed by is empty", False, "«Alice»"),
        (1, "amount of orders: at least ¥100.00", False, "¥0.00"),
    ]
    assert [each.text for each in lines if each.is_first_failing] == ["gender is male"]


def test_says_counts_windows_and_segments_in_words(corp: Corp) -> None:
    women = make_segment(corp, name="Women")
    rule = {
        "all": [
            {**leaf("orders.count", "gte", 2), "within_days": 30},
            leaf("events.cart.count", "between", [1, 3]),
            leaf("segment", "not_in", [women.pk]),
            leaf("rfm.segment", "eq", "non_buyer"),
        ]
    }

    assert describe_rule(rule, corp=corp) == (
        "orders within the last 30 days: at least 2 and events «cart»: from 1 to 3 and "
        "segment is none of «Women» and value class is has not bought"
    )


def test_makes_a_list_of_ids_unionids_and_phones(corp: Corp, alice: Staff) -> None:
    by_id = make_customer(corp, staff=alice, external_userid="wm-a")
    by_union = make_customer(corp, staff=alice, unionid="union-b")
    by_phone = make_customer(corp, staff=alice)
    link_identity(by_phone, kind="phone", value="13800138000", actor=SYSTEM, now=NOW)
    theirs = make_customer(make_corp(), external_userid="wm-theirs")
    named = [
        "wm-a", "union-b", "+86 138 0013 8000", "wm-a", "", "nobody", "1.38E+10",
        theirs.external_userid,
    ]  # fmt: skip

    segment, filled = create_list("VIP", corp=corp, members=named, actor=SYSTEM, now=NOW)

    assert (filled.changed, filled.unchanged, filled.unknown_count) == (3, 1, 3)
    assert [(each.line, each.text) for each in filled.unknown] == [
        (6, "nobody"),
        (7, "1.38E+10"),
        (8, "wm-theirs"),
    ]
    assert "spreadsheet" in filled.unknown[1].why
    meant = customers_of(segment.rule, corp=corp, now=NOW)
    assert set(meant) == {by_id, by_union, by_phone}
    assert names(corp, leaf("segment", "not_in", [segment.pk])) == []


def test_members_come_and_go_and_a_rule_has_none(corp: Corp, alice: Staff) -> None:
    make_customer(corp, staff=alice, external_userid="a")
    make_customer(corp, staff=alice, external_userid="b")
    segment, _ = create_list("VIP", corp=corp, members=["a"], actor=SYSTEM, now=NOW)

    added, removed = change_members(segment, add=["b"], remove=["a"], actor=SYSTEM, now=NOW)
    change_members(segment, add=["b"], actor=SYSTEM, now=NOW)

    assert (added.changed, removed.changed) == (1, 1)
    assert names(corp, segment.rule) == ["b"]
    segment.refresh_from_db()
    assert segment.version == 2
    with pytest.raises(InvalidInput):
        change_members(make_segment(corp), add=["a"], actor=SYSTEM, now=NOW)
    with pytest.raises(InvalidInput):
        update_segment(segment, rule={"all": []}, actor=SYSTEM, now=NOW)
    assert SegmentMember.objects.count() == 1


def test_a_list_takes_few_questions_however_long(corp: Corp, alice: Staff) -> None:
    for number in range(30):
        make_customer(corp, staff=alice, external_userid=f"m{number}")

    with CaptureQueriesContext(connection) as queries:
        create_list("L", corp=corp, members=[f"m{n}" for n in range(30)], actor=SYSTEM, now=NOW)

    assert len(queries) <= 14
    assert SegmentMember.objects.count() == 30


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_reads_files_in_both_encodings(encoding: str) -> None:
    text = '手机号;姓名\r\n13800138000;王芳\r\n"=""13800138001""";李\r\n;\r\n'

    assert read_members(text.encode(encoding)) == ["13800138000", "13800138001", ""]


def test_refuses_a_file_of_mixed_encodings(corp: Corp) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_members("王芳".encode() + b"\xff\xff\n" + "王芳".encode("gb18030"))

    assert refusal.value.errors[0].code == "encoding"
