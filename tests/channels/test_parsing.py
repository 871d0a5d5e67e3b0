from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scrm.channels.errors import AnswerLost
from scrm.channels.wecom import parsing

EPOCH = datetime.fromtimestamp(0, UTC)
READERS: list[Callable[[dict[str, Any]], object]] = [
    parsing.department_of,
    parsing.staff_of,
    parsing.tag_group_of,
    parsing.customer_of,
    parsing.follow_of,
    parsing.group_chat_of,
    parsing.member_of,
    parsing.sender_state_of,
    parsing.delivery_of,
]
NAMES = ["id", "userid", "name", "department", "tag", "tags", "tag_id", "createtime", "status"]
NAMES += ["member_list", "invitor", "join_time", "send_time", "external_userid", "group_id"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=st.dictionaries(st.sampled_from(NAMES), JSON))
def test_makes_a_record_of_whatever_is_sent_or_names_what_it_lacks(row: dict[str, Any]) -> None:
    for read in READERS:
        with suppress(AnswerLost):
            read(row)


@pytest.mark.parametrize("read", READERS)
def test_nothing_is_known_by_no_id(read: Callable[[dict[str, Any]], object]) -> None:
    with pytest.raises(AnswerLost, match="“"):
        read({"name": "Nobody", "status": 1})


@pytest.mark.parametrize("value", ["many", 5, True, [1], ["a"], [None]])
def test_what_is_no_list_of_objects_is_not_an_empty_one(value: object) -> None:
    with pytest.raises(AnswerLost, match="rows"):
        parsing.rows({"rows": value}, "rows")


@pytest.mark.parametrize("value", [None, "", [], ...])
def test_a_list_may_be_missing(value: object) -> None:
    answer = {} if value is ... else {"rows": value}

    assert parsing.rows(answer, "rows") == []
    assert parsing.names(answer, "rows") == ()
    assert parsing.numbers(answer, "rows") == ()


@pytest.mark.parametrize("cursor", [{}, [], 1.5, ["x"]])
def test_a_cursor_that_cannot_be_read_is_not_the_end(cursor: object) -> None:
    with pytest.raises(AnswerLost, match="next_cursor"):
        parsing.cursor_of({"next_cursor": cursor})


def test_a_day_is_the_one_that_begins_in_china() -> None:
    assert parsing.required_day({"stat_time": 1536508800}, "stat_time") == date(2018, 9, 10)


@pytest.mark.parametrize("value", [None, "x", "nan", float("inf"), {}, 10**400])
def test_what_is_no_fraction_is_none(value: object) -> None:
    assert parsing.find_fraction(value) is None
    assert parsing.find_fraction("60.25") == 60.25


def test_takes_one_item_for_a_list_of_one() -> None:
    assert parsing.staff_of({"userid": "alice", "department": 3}).department_ids == (3,)


def test_reads_numbers_in_texts() -> None:
    sender = parsing.sender_state_of({"userid": "alice", "status": "2", "send_time": "1552536375"})

    assert sender.is_confirmed
    assert sender.confirmed_at == datetime.fromtimestamp(1552536375, UTC)


def test_has_no_time_where_the_platform_has_none() -> None:
    assert parsing.delivery_of({"external_userid": "wm1", "status": 2}).sent_at is None
    assert parsing.follow_of({"userid": "alice"}).added_at == EPOCH


def test_drops_what_the_database_cannot_hold() -> None:
    assert parsing.customer_of({"external_userid": "wm1", "name": "a\x00b\ud83d"}).name == "ab?"


def test_reads_the_tags_of_both_shapes_of_a_follow() -> None:
    whole = {
        "userid": "rocky",
        "tags": [
            {"group_name": "Level", "tag_name": "Core", "tag_id": "et1", "type": 1},
            {"group_name": "Mine", "tag_name": "Old", "type": 2},
            {"group_name": "South", "tag_name": "Shop A", "tag_id": "st1", "type": 3},
        ],
    }

    assert parsing.follow_of(whole).tag_ids == ("et1", "st1")
    assert parsing.follow_of(whole).tag_names == {"st1": ("South", "Shop A")}
    assert parsing.follow_of({"userid": "rocky", "tag_id": ["et1", "st1"]}).tag_ids == (
        "et1",
        "st1",
    )


def test_leaves_out_deleted_tags() -> None:
    group = {
        "group_id": "g1",
        "group_name": "Level",
        "tag": [{"id": "et1", "name": "Core", "order": 2}, {"id": "et2", "deleted": True}],
    }

    assert [tag.wecom_id for tag in parsing.tag_group_of(group).tags] == ["et1"]
