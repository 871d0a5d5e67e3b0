"""What is asked for a handover, what its answers mean, and what a lost one must have been."""

from typing import Any

import pytest

from scrm.channels.base import ItemAnswer, TransferState
from scrm.channels.lost_transfers import NOT_TAKEN_UP, answers_behind
from scrm.channels.wecom.transfers import (
    transfer_chats,
    transfer_customers,
    transfer_states,
    unassigned_page,
)
from tests.factories import NOW


class Asked:
    """Notes what was asked and answers as it is told to."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.path = ""
        self.body: dict[str, Any] = {}

    def __call__(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.path, self.body = path, body
        return self.answer


def waiting(external_userid: str) -> TransferState:
    return TransferState(external_userid, 2, NOW)


def done(external_userid: str) -> TransferState:
    return TransferState(external_userid, 1, NOW)


def refused(external_userid: str) -> TransferState:
    return TransferState(external_userid, 3, None)


def test_gives_each_customer_an_answer_of_her_own() -> None:
    rows = [{"external_userid": "wm1", "errcode": 0}, {"external_userid": "wm2", "errcode": 40099}]
    ask = Asked({"customer": rows})

    first, second, unmentioned = transfer_customers(
        ask, "gone", "taker", ["wm1", "wm2", "wm3"], is_resigned=True, message="ignored"
    )

    assert ask.path == "resigned/transfer_customer"
    assert "transfer_success_msg" not in ask.body
    assert (first, unmentioned) == (ItemAnswer("wm1", 0), ItemAnswer("wm3", 0))
    assert second.errcode == 40099
    assert second.error


def test_tells_customers_of_a_colleague_who_stays() -> None:
    ask = Asked({})

    transfer_customers(ask, "a", "b", ["wm1"], is_resigned=False, message="Hello")

    assert (ask.path, ask.body["transfer_success_msg"]) == ("transfer_customer", "Hello")


def test_reads_where_a_transfer_stands() -> None:
    rows = [
        {"external_userid": "wm1", "status": 1, "takeover_time": int(NOW.timestamp())},
        {"external_userid": "wm2", "status": 3, "takeover_time": 0},
    ]
    page = transfer_states(
        Asked({"customer": rows, "next_cursor": "more"}), "a", "b", "", is_resigned=True
    )

    assert page.rows == (done("wm1"), TransferState("wm2", 3, None))
    assert page.next_cursor == "more"


@pytest.mark.parametrize(
    ("answer", "following"),
    [({"next_cursor": "c", "is_last": False}, "c"), ({"next_cursor": "c", "is_last": True}, "")],
)
def test_reads_who_waits_until_the_last_page(answer: dict[str, Any], following: str) -> None:
    row = {"handover_userid": "gone", "external_userid": "wm1"}
    row |= {"dimission_time": int(NOW.timestamp())}  # type: ignore[dict-item]

    page = unassigned_page(Asked({"info": [row], **answer}), "")

    assert page.next_cursor == following
    assert [one.left_at for one in page.rows] == [NOW]


def test_gives_each_chat_an_answer_of_its_own() -> None:
    ask = Asked({"failed_chat_list": [{"chat_id": "wr2", "errcode": 90503}]})

    first, second = transfer_chats(ask, ["wr1", "wr2"], "taker", is_resigned=False)

    assert ask.path == "groupchat/onjob_transfer"
    assert (first.errcode, second.errcode) == (0, 90503)


def test_believes_that_a_request_never_arrived_when_nobody_is_in_transfer() -> None:
    assert answers_behind([waiting("wm9")], ["wm1", "wm2"], earlier=()) is None


def test_finds_who_was_taken_up_and_who_was_not() -> None:
    found = answers_behind([waiting("wm1"), done("wm2")], ["wm1", "wm2", "wm3"], earlier=())

    assert found == (
        ItemAnswer("wm1", 0),
        ItemAnswer("wm2", 0),
        ItemAnswer("wm3", NOT_TAKEN_UP),
    )


# A list is what requests of older versions carry.
@pytest.mark.parametrize("earlier", [{"wm1": 1}, ["wm1"]])
def test_does_not_take_an_old_result_for_a_new_one(earlier: dict[str, int] | list[str]) -> None:
    arrived = (ItemAnswer("wm1", 0),)

    assert answers_behind([done("wm1")], ["wm1"], earlier=earlier) is None
    assert answers_behind([waiting("wm1")], ["wm1"], earlier=earlier) == arrived
    # She was asked again, and said no before anybody looked.
    assert answers_behind([done("wm1"), refused("wm1")], ["wm1"], earlier=earlier) == arrived


def test_counts_how_often_she_was_asked_for_before() -> None:
    rows = [refused("wm1"), refused("wm1")]

    assert answers_behind(rows, ["wm1"], earlier={"wm1": 2}) is None
    assert answers_behind([*rows, refused("wm1")], ["wm1"], earlier={"wm1": 2}) is not None
