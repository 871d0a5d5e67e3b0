"""Customers and who follows them [doc 92113, 92114, 92994, 92115, 92132]."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from scrm.channels.base import (
    BehaviourDay,
    CustomerPage,
    CustomerRecord,
    FollowRecord,
    IdMatch,
    Page,
    ServedContact,
    StrategyNode,
    StrategyRecord,
)
from scrm.channels.errors import Stale
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.checks import at_most, span_of_days
from scrm.channels.wecom.errcodes import NO_RELATION
from scrm.channels.wecom.paging import pages_of

_CUSTOMERS_A_PAGE = 100  # more are clamped [doc 92994]
_ROWS_A_PAGE = 1000
_NAMED_AT_ONCE = 100
_CORP, _PROVIDER = 0, 1


class WeComContacts:
    def __init__(self, contact: Asker, platform: Asker) -> None:
        self._contact = contact
        self._platform = platform

    def staff_with_customer_contact(self) -> Sequence[str]:
        return parsing.names(self._contact.get("get_follow_user_list"), "follow_user")

    def customer_page(self, userids: Sequence[str], cursor: str) -> CustomerPage:
        body = {"userid_list": list(userids), "cursor": cursor, "limit": _CUSTOMERS_A_PAGE}
        try:
            answer = self._contact.post("batch/get_by_user", body)
        except Stale as error:
            # Not printed on the page: a member without customers is answered as "no relation".
            if error.errcode != NO_RELATION:
                raise
            return CustomerPage((), "")
        rows = parsing.rows(answer, "external_contact_list")
        pairs = [_customer_and_follow(row) for row in rows]
        return CustomerPage(tuple(pairs), parsing.cursor_of(answer))

    def external_userids_of(self, userid: str) -> Sequence[str]:
        try:
            answer = self._contact.get("list", {"userid": userid})
        except Stale as error:
            if error.errcode != NO_RELATION:
                raise
            return ()
        return parsing.names(answer, "external_userid")

    def customer(self, external_userid: str) -> tuple[CustomerRecord, tuple[FollowRecord, ...]]:
        params = {"external_userid": external_userid}
        pages = list(pages_of(self._contact.get, "get", params))
        follows = [row for page in pages for row in parsing.rows(page, "follow_user")]
        record = parsing.customer_of(parsing.part(pages[0], "external_contact"))
        return record, tuple(parsing.follow_of(row) for row in follows)

    def served_page(self, cursor: str) -> Page[ServedContact]:
        answer = self._contact.post("contact_list", {"cursor": cursor, "limit": _ROWS_A_PAGE})
        rows = parsing.rows(answer, "info_list")
        return Page(tuple(map(_served_of, rows)), parsing.cursor_of(answer))

    def change_remark(
        self,
        userid: str,
        external_userid: str,
        *,
        remark: str = "",
        description: str = "",
        company: str = "",
        mobiles: Sequence[str] | None = None,
    ) -> None:
        body: dict[str, Any] = {"userid": userid, "external_userid": external_userid}
        given = {
            "remark": remark[:20],
            "description": description[:150],
            "remark_company": company[:20],
        }
        # At least one must be given; an empty text would wipe what is there.
        body |= {name: text for name, text in given.items() if text}
        if mobiles is not None:
            # One empty number takes all away.
            body["remark_mobiles"] = list(mobiles) or [""]
        self._contact.post("remark", body)

    def find_by_unionid(self, unionid: str, openid: str, *, is_of_provider: bool) -> IdMatch:
        subject = _PROVIDER if is_of_provider else _CORP
        body = {"unionid": unionid, "openid": openid, "subject_type": subject}
        answer = self._platform.post("idconvert/unionid_to_external_userid", body)
        return IdMatch(
            external_userid=parsing.text(answer.get("external_userid")),
            pending_id=parsing.text(answer.get("pending_id")),
        )

    def id_from_provider(self, external_userid: str, *, agent_id: int) -> str:
        body = {"external_userid": external_userid, "source_agentid": agent_id}
        answer = self._contact.post("from_service_external_userid", body)
        return parsing.required_text(answer, "external_userid")

    def behaviour(
        self,
        first: date,
        last: date,
        *,
        userids: Sequence[str] = (),
        department_ids: Sequence[int] = (),
    ) -> Sequence[BehaviourDay]:
        at_most(userids, _NAMED_AT_ONCE, "userid")
        at_most(department_ids, _NAMED_AT_ONCE, "partyid")
        start, end = span_of_days(first, last)
        given = {"userid": list(userids), "partyid": list(department_ids)}
        body = {name: ids for name, ids in given.items() if ids}
        body |= {"start_time": start, "end_time": end}
        answer = self._contact.post("get_user_behavior_data", body)
        return [_behaviour_of(row) for row in parsing.rows(answer, "behavior_data")]

    def strategy_page(self, cursor: str) -> Page[int]:
        body = {"cursor": cursor, "limit": _ROWS_A_PAGE}
        answer = self._contact.post("customer_strategy/list", body)
        ids = [parsing.required_number(row, "strategy_id") for row in _strategies(answer)]
        return Page(tuple(ids), parsing.cursor_of(answer))

    def strategy(self, strategy_id: int) -> StrategyRecord:
        answer = self._contact.post("customer_strategy/get", {"strategy_id": strategy_id})
        row = parsing.part(answer, "strategy")
        privileges = parsing.optional_part(row, "privilege")
        return StrategyRecord(
            strategy_id=strategy_id,
            parent_id=parsing.number(row.get("parent_id")),
            name=parsing.text(row.get("strategy_name")),
            created_at=parsing.moment(row.get("create_time")),
            admins=parsing.names(row, "admin_list"),
            privileges=frozenset(name for name, held in privileges.items() if held is True),
        )

    def strategy_range_page(self, strategy_id: int, cursor: str) -> Page[StrategyNode]:
        body = {"strategy_id": strategy_id, "cursor": cursor, "limit": _ROWS_A_PAGE}
        answer = self._contact.post("customer_strategy/get_range", body)
        nodes = [
            StrategyNode(parsing.text(row.get("userid")), parsing.number(row.get("partyid")))
            for row in parsing.rows(answer, "range")
        ]
        return Page(tuple(nodes), parsing.cursor_of(answer))


def _customer_and_follow(row: parsing.Json) -> tuple[CustomerRecord, FollowRecord]:
    customer = parsing.customer_of(parsing.part(row, "external_contact"))
    return customer, parsing.follow_of(parsing.part(row, "follow_info"))


def _strategies(answer: parsing.Json) -> list[parsing.Json]:
    return parsing.rows(answer, "strategy")


def _served_of(row: parsing.Json) -> ServedContact:
    return ServedContact(
        temporary_id=parsing.required_text(row, "tmp_openid"),
        is_customer=row.get("is_customer") is True,
        external_userid=parsing.text(row.get("external_userid")),
        name=parsing.text(row.get("name")),
        userid=parsing.text(row.get("follow_userid")),
        chat_id=parsing.text(row.get("chat_id")),
        chat_name=parsing.text(row.get("chat_name")),
        added_at=parsing.find_moment(row.get("add_time")),
    )


def _behaviour_of(row: parsing.Json) -> BehaviourDay:
    return BehaviourDay(
        day=parsing.required_day(row, "stat_time"),
        chats=parsing.number(row.get("chat_cnt")),
        messages=parsing.number(row.get("message_cnt")),
        applications=parsing.number(row.get("new_apply_cnt")),
        new_customers=parsing.number(row.get("new_contact_cnt")),
        lost=parsing.number(row.get("negative_feedback_cnt")),
        reply_percentage=parsing.find_fraction(row.get("reply_percentage")),
        reply_minutes=parsing.find_fraction(row.get("avg_reply_time")),
    )
