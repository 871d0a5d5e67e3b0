"""Contact ways (联系我) and acquisition links (获客链接) [doc 92228, 97297, 97298, 97375, 100130]."""

from datetime import date, datetime
from typing import Any

from scrm.channels.base import (
    ContactCodeRecord,
    ContactCodeWish,
    LinkChat,
    LinkCustomer,
    LinkFigures,
    LinkQuota,
    LinkQuotaLot,
    LinkRecord,
    LinkWish,
    MadeContactCode,
    Page,
    TemporaryChat,
)
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.checks import at_most, span_of_days

_SINGLE, _SEVERAL = 1, 2
_MINI_PROGRAM, _QR_CODE = 1, 2
_CHARACTERS = 30
_CODES_A_PAGE, _LINKS_A_PAGE, _CUSTOMERS_A_PAGE = 1000, 100, 1000
_LISTED = 2
_TALKED = {0: False, 1: True}


class WeComCodes:
    def __init__(self, contact: Asker) -> None:
        self._contact = contact

    def create_contact_code(self, wish: ContactCodeWish) -> MadeContactCode:
        body = _code_body(wish) | {
            "type": _SINGLE if wish.is_single else _SEVERAL,
            "scene": _MINI_PROGRAM if wish.is_for_mini_program else _QR_CODE,
            "is_exclusive": wish.is_exclusive,
        }
        if wish.temporary:
            body["is_temp"] = True
        answer = self._contact.post("add_contact_way", body)
        config_id = parsing.required_text(answer, "config_id")
        return MadeContactCode(config_id, parsing.text(answer.get("qr_code")))

    def contact_code(self, config_id: str) -> ContactCodeRecord:
        answer = self._contact.post("get_contact_way", {"config_id": config_id})
        row = parsing.part(answer, "contact_way")
        return ContactCodeRecord(
            config_id=config_id,
            userids=parsing.names(row, "user"),
            department_ids=parsing.numbers(row, "party"),
            state=parsing.text(row.get("state")),
            remark=parsing.text(row.get("remark")),
            skip_verify=row.get("skip_verify") is not False,
            is_single=parsing.number(row.get("type")) == _SINGLE,
            is_temporary=row.get("is_temp") is True,
            qr_url=parsing.text(row.get("qr_code")),
        )

    def contact_code_page(self, since: datetime, until: datetime, cursor: str) -> Page[str]:
        body = {
            "start_time": int(since.timestamp()),
            "end_time": int(until.timestamp()),
            "cursor": cursor,
            "limit": _CODES_A_PAGE,
        }
        answer = self._contact.post("list_contact_way", body)
        rows = parsing.rows(answer, "contact_way")
        ids = [parsing.required_text(row, "config_id") for row in rows]
        return Page(tuple(ids), parsing.cursor_of(answer))

    def update_contact_code(self, config_id: str, wish: ContactCodeWish) -> None:
        self._contact.post("update_contact_way", _code_body(wish) | {"config_id": config_id})

    def delete_contact_code(self, config_id: str) -> None:
        self._contact.post("del_contact_way", {"config_id": config_id})

    def close_temporary_chat(self, userid: str, external_userid: str) -> None:
        body = {"userid": userid, "external_userid": external_userid}
        self._contact.post("close_temp_chat", body)

    def create_link(self, wish: LinkWish) -> LinkRecord:
        answer = self._contact.post("customer_acquisition/create_link", _link_body(wish))
        return _link_of(parsing.part(answer, "link"))

    def link(self, link_id: str) -> LinkRecord:
        answer = self._contact.post("customer_acquisition/get", {"link_id": link_id})
        row = {"link_id": link_id, **parsing.part(answer, "link")}
        return _link_of(row, parsing.optional_part(answer, "range"))

    def link_page(self, cursor: str) -> Page[str]:
        body = {"limit": _LINKS_A_PAGE, "cursor": cursor}
        answer = self._contact.post("customer_acquisition/list_link", body)
        return Page(parsing.names(answer, "link_id_list"), parsing.cursor_of(answer))

    def update_link(self, link_id: str, wish: LinkWish) -> None:
        body = _link_body(wish) | {"link_id": link_id}
        self._contact.post("customer_acquisition/update_link", body)

    def delete_link(self, link_id: str) -> None:
        self._contact.post("customer_acquisition/delete_link", {"link_id": link_id})

    def link_customer_page(self, link_id: str, cursor: str) -> Page[LinkCustomer]:
        body = {"link_id": link_id, "limit": _CUSTOMERS_A_PAGE, "cursor": cursor}
        answer = self._contact.post("customer_acquisition/customer", body)
        rows = parsing.rows(answer, "customer_list")
        return Page(tuple(map(_link_customer_of, rows)), parsing.cursor_of(answer))

    def link_figures(self, link_id: str, first: date, last: date) -> LinkFigures:
        start, end = span_of_days(first, last)
        body = {"link_id": link_id, "start_time": start, "end_time": end}
        answer = self._contact.post("customer_acquisition/statistic", body)
        return LinkFigures(
            clicked=parsing.required_number(answer, "click_link_customer_cnt"),
            added=parsing.required_number(answer, "new_customer_cnt"),
        )

    def link_quota(self) -> LinkQuota:
        answer = self._contact.get("customer_acquisition_quota")
        lots = [
            LinkQuotaLot(
                parsing.required_moment(row, "expire_date"), parsing.number(row.get("balance"))
            )
            for row in parsing.rows(answer, "quota_list")
        ]
        used, balance = (parsing.required_number(answer, name) for name in ("total", "balance"))
        return LinkQuota(used, balance, tuple(lots))

    def link_chat(self, chat_key: str) -> LinkChat:
        answer = self._contact.post("customer_acquisition/get_chat_info", {"chat_key": chat_key})
        row = parsing.optional_part(answer, "chat_info")
        return LinkChat(
            userid=parsing.required_text(answer, "userid"),
            external_userid=parsing.required_text(answer, "external_userid"),
            messages=parsing.number(row.get("recv_msg_cnt")),
            link_id=parsing.text(row.get("link_id")),
            state=parsing.text(row.get("state")),
        )


def _code_body(wish: ContactCodeWish) -> dict[str, Any]:
    at_most(wish.state, _CHARACTERS, "state")
    body: dict[str, Any] = {
        "remark": wish.remark[:_CHARACTERS],
        "skip_verify": wish.skip_verify,
        "state": wish.state,
        "user": list(wish.userids),
    }
    if not wish.is_single:
        body["party"] = list(wish.department_ids)
    if wish.is_for_mini_program:
        body["style"] = 1
    return body | (_temporary_body(wish.temporary) if wish.temporary else {})


def _temporary_body(temporary: TemporaryChat) -> dict[str, Any]:
    body: dict[str, Any] = {
        "expires_in": int(temporary.code_lives.total_seconds()),
        "chat_expires_in": int(temporary.chat_lives.total_seconds()),
    }
    return body | ({"unionid": temporary.unionid} if temporary.unionid else {})


def _link_body(wish: LinkWish) -> dict[str, Any]:
    at_most(wish.name, _CHARACTERS, "link_name")
    body: dict[str, Any] = {
        "link_name": wish.name,
        "range": {"user_list": list(wish.userids), "department_list": list(wish.department_ids)},
        "skip_verify": wish.skip_verify,
    }
    if wish.preferred_userids:
        preferred = list(wish.preferred_userids)
        body["priority_option"] = {"priority_type": _LISTED, "priority_userid_list": preferred}
    return body


def _link_of(row: parsing.Json, reach: parsing.Json | None = None) -> LinkRecord:
    reach = reach or {}
    return LinkRecord(
        link_id=parsing.required_text(row, "link_id"),
        name=parsing.text(row.get("link_name")),
        url=parsing.required_text(row, "url"),
        created_at=parsing.moment(row.get("create_time")),
        skip_verify=row.get("skip_verify") is not False,
        userids=parsing.names(reach, "user_list"),
        department_ids=parsing.numbers(reach, "department_list"),
    )


def _link_customer_of(row: parsing.Json) -> LinkCustomer:
    return LinkCustomer(
        external_userid=parsing.required_text(row, "external_userid"),
        userid=parsing.text(row.get("userid")),
        has_talked=_TALKED.get(parsing.number(row.get("chat_status"), -1)),
        state=parsing.text(row.get("state")),
    )
