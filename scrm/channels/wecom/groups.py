"""Chats with customers [doc 92120, 92122, 92133, 94822]."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from scrm.channels.base import (
    GroupChatPage,
    GroupChatRecord,
    GroupDay,
    GroupFigures,
    JoinCodeRecord,
    JoinCodeWish,
    OwnerFigures,
    OwnerFiguresPage,
)
from scrm.channels.wecom import join_codes, parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.checks import at_most, span_of_days

_CHATS_A_PAGE = 1000
_OWNERS_AT_ONCE = 100
_FIGURES_A_PAGE = 1000
_BY_MEMBERS = 4


class WeComGroups:
    def __init__(self, contact: Asker) -> None:
        self._contact = contact

    def chat_page(self, owners: Sequence[str], cursor: str) -> GroupChatPage:
        body: dict[str, Any] = {"status_filter": 0, "cursor": cursor, "limit": _CHATS_A_PAGE}
        if owners:
            body["owner_filter"] = {"userid_list": list(owners)}
        answer = self._contact.post("groupchat/list", body)
        rows = parsing.rows(answer, "group_chat_list")
        ids = [
            (parsing.required_text(row, "chat_id"), parsing.number(row.get("status")))
            for row in rows
        ]
        return GroupChatPage(tuple(ids), parsing.cursor_of(answer))

    def chat(self, chat_id: str) -> GroupChatRecord:
        answer = self._contact.post("groupchat/get", {"chat_id": chat_id, "need_name": 1})
        return parsing.group_chat_of({"chat_id": chat_id, **parsing.part(answer, "group_chat")})

    def chat_of_opengid(self, opengid: str) -> str:
        answer = self._contact.post("opengid_to_chatid", {"opengid": opengid})
        return parsing.required_text(answer, "chat_id")

    def figures_page(
        self, owners: Sequence[str], first: date, last: date, *, offset: int = 0
    ) -> OwnerFiguresPage:
        body = _question(owners, first, last)
        # By their members, so that the order of pages does not hang on ties of new chats.
        body |= {"order_by": _BY_MEMBERS, "offset": offset, "limit": _FIGURES_A_PAGE}
        answer = self._contact.post("groupchat/statistic", body)
        rows = tuple(
            OwnerFigures(parsing.required_text(row, "owner"), _figures_of(row))
            for row in parsing.rows(answer, "items")
        )
        total, following = (parsing.number(answer.get(name)) for name in ("total", "next_offset"))
        has_more = rows and offset < following < total
        return OwnerFiguresPage(rows, total, following if has_more else None)

    def figures_by_day(self, owners: Sequence[str], first: date, last: date) -> Sequence[GroupDay]:
        body = _question(owners, first, last)
        answer = self._contact.post("groupchat/statistic_group_by_day", body)
        return [
            GroupDay(parsing.required_day(row, "stat_time"), _figures_of(row))
            for row in parsing.rows(answer, "items")
        ]

    def create_join_code(self, wish: JoinCodeWish) -> str:
        return join_codes.create_join_code(self._contact.post, wish)

    def join_code(self, config_id: str) -> JoinCodeRecord:
        return join_codes.join_code(self._contact.post, config_id)

    def update_join_code(self, config_id: str, wish: JoinCodeWish) -> None:
        join_codes.update_join_code(self._contact.post, config_id, wish)

    def delete_join_code(self, config_id: str) -> None:
        self._contact.post("groupchat/del_join_way", {"config_id": config_id})


def _question(owners: Sequence[str], first: date, last: date) -> dict[str, Any]:
    at_most(owners, _OWNERS_AT_ONCE, "owner_filter")
    start, end = span_of_days(first, last)
    return {
        "day_begin_time": start,
        "day_end_time": end,
        "owner_filter": {"userid_list": list(owners)},
    }


def _figures_of(row: parsing.Json) -> GroupFigures:
    data = parsing.part(row, "data")
    return GroupFigures(
        new_chats=parsing.number(data.get("new_chat_cnt")),
        chats=parsing.number(data.get("chat_total")),
        talking_chats=parsing.number(data.get("chat_has_msg")),
        new_members=parsing.number(data.get("new_member_cnt")),
        members=parsing.number(data.get("member_total")),
        talking_members=parsing.number(data.get("member_has_msg")),
        messages=parsing.number(data.get("msg_total")),
    )
