"""Handing customers and chats over [doc 92125, 94081, 92127]."""

from collections.abc import Sequence
from typing import Any

from scrm.channels.base import (
    ItemAnswer,
    TransferState,
    TransferStatePage,
    UnassignedCustomer,
    UnassignedPage,
)
from scrm.channels.wecom import parsing
from scrm.channels.wecom.errcodes import error_of
from scrm.channels.wecom.paging import Ask

_UNASSIGNED_A_PAGE = 1000


def transfer_customers(
    ask: Ask, from_userid: str, to_userid: str, external_userids: Sequence[str], **how: Any
) -> tuple[ItemAnswer, ...]:
    """Ask for at most 100 customers; `how` is `is_resigned` and, in service, `message`."""
    body: dict[str, Any] = {
        "handover_userid": from_userid,
        "takeover_userid": to_userid,
        "external_userid": list(external_userids),
    }
    if how.get("message") and not how["is_resigned"]:
        body["transfer_success_msg"] = how["message"]
    path = _path("transfer_customer", is_resigned=how["is_resigned"])
    answer = ask(path, body)
    said = {
        parsing.text(row.get("external_userid")): _item_answer(row, "external_userid", path)
        for row in parsing.rows(answer, "customer")
    }
    # An accepted call that does not mention somebody took her: the errors are what it lists.
    return tuple(said.get(one) or ItemAnswer(one, 0) for one in external_userids)


def transfer_states(
    ask: Ask, from_userid: str, to_userid: str, cursor: str, *, is_resigned: bool
) -> TransferStatePage:
    body = {"handover_userid": from_userid, "takeover_userid": to_userid, "cursor": cursor}
    answer = ask(_path("transfer_result", is_resigned=is_resigned), body)
    rows = tuple(_state_of(row) for row in parsing.rows(answer, "customer"))
    return TransferStatePage(rows, parsing.cursor_of(answer))


def unassigned_page(ask: Ask, cursor: str) -> UnassignedPage:
    body: dict[str, Any] = {"page_size": _UNASSIGNED_A_PAGE}
    if cursor:
        body["cursor"] = cursor
    answer = ask("get_unassigned_list", body)
    rows = tuple(
        UnassignedCustomer(
            handover_userid=parsing.required_text(row, "handover_userid"),
            external_userid=parsing.required_text(row, "external_userid"),
            left_at=parsing.moment(row.get("dimission_time")),
        )
        for row in parsing.rows(answer, "info")
    )
    following = "" if answer.get("is_last") is True else parsing.cursor_of(answer)
    return UnassignedPage(rows, following)


def transfer_chats(
    ask: Ask, chat_ids: Sequence[str], to_userid: str, *, is_resigned: bool
) -> tuple[ItemAnswer, ...]:
    path = "groupchat/transfer" if is_resigned else "groupchat/onjob_transfer"
    answer = ask(path, {"chat_id_list": list(chat_ids), "new_owner": to_userid})
    failed = {
        parsing.text(row.get("chat_id")): _item_answer(row, "chat_id", path)
        for row in parsing.rows(answer, "failed_chat_list")
    }
    return tuple(failed.get(chat_id) or ItemAnswer(chat_id, 0) for chat_id in chat_ids)


def _path(name: str, *, is_resigned: bool) -> str:
    return f"resigned/{name}" if is_resigned else name


def _item_answer(row: parsing.Json, id_name: str, path: str) -> ItemAnswer:
    errcode = parsing.required_number(row, "errcode")
    said = parsing.text(row.get("errmsg"))
    error = error_of(errcode, said, path).detail if errcode else ""
    return ItemAnswer(parsing.text(row.get(id_name)), errcode, error)


def _state_of(row: parsing.Json) -> TransferState:
    return TransferState(
        external_userid=parsing.required_text(row, "external_userid"),
        status=parsing.required_number(row, "status"),
        takeover_at=parsing.find_moment(row.get("takeover_time")),
    )
