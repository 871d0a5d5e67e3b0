"""Customer moments [doc 95094, 93333, 97612]."""

from datetime import datetime
from typing import Any

from scrm.channels.base import (
    MomentOutcome,
    MomentReaction,
    MomentReactions,
    MomentRecord,
    MomentTask,
    MomentWish,
    Page,
)
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.attachments import spelled
from scrm.channels.wecom.checks import within_bytes
from scrm.channels.wecom.errcodes import error_of

_CONTENT_BYTES = 4000
_ALL_MOMENTS = 2
_MOMENTS_A_PAGE = 20
_ROWS_A_PAGE, _VIEWERS_A_PAGE = 1000, 5000
_OVER = 3
_PUBLISHED = _PERSONAL = _PUBLIC = 1
_KINDS = ("image", "video", "link", "location")


class WeComMoments:
    def __init__(self, contact: Asker) -> None:
        self._contact = contact

    def publish(self, wish: MomentWish) -> str:
        within_bytes(wish.content, _CONTENT_BYTES, "text")
        body: dict[str, Any] = {}
        if wish.content:
            body["text"] = {"content": wish.content}
        if wish.attachments:
            body["attachments"] = [spelled(each) for each in wish.attachments]
        if reach := _range_of(wish):
            body["visible_range"] = reach
        answer = self._contact.post("add_moment_task", body)
        return parsing.required_text(answer, "jobid")

    def outcome(self, job_id: str) -> MomentOutcome:
        path = "get_moment_task_result"
        answer = self._contact.get(path, {"jobid": job_id})
        if parsing.required_number(answer, "status") != _OVER:
            return MomentOutcome(is_over=False)
        result = parsing.part(answer, "result")
        errcode = parsing.required_number(result, "errcode")
        said = parsing.text(result.get("errmsg"))
        senders = parsing.optional_part(result, "invalid_sender_list")
        tags = parsing.optional_part(result, "invalid_external_contact_list")
        return MomentOutcome(
            is_over=True,
            moment_id="" if errcode else parsing.required_text(result, "moment_id"),
            errcode=errcode,
            error=error_of(errcode, said, path).detail if errcode else "",
            invalid_userids=parsing.names(senders, "user_list"),
            invalid_department_ids=parsing.numbers(senders, "department_list"),
            invalid_tag_ids=parsing.names(tags, "tag_list"),
        )

    def cancel(self, moment_id: str) -> None:
        self._contact.post("cancel_moment_task", {"moment_id": moment_id})

    def page(self, since: datetime, until: datetime, cursor: str) -> Page[MomentRecord]:
        body = {
            "start_time": int(since.timestamp()),
            "end_time": int(until.timestamp()),
            "filter_type": _ALL_MOMENTS,
            "cursor": cursor,
            "limit": _MOMENTS_A_PAGE,
        }
        answer = self._contact.post("get_moment_list", body)
        rows = parsing.rows(answer, "moment_list")
        return Page(tuple(map(_moment_of, rows)), parsing.cursor_of(answer))

    def task_page(self, moment_id: str, cursor: str) -> Page[MomentTask]:
        body = {"moment_id": moment_id, "cursor": cursor, "limit": _ROWS_A_PAGE}
        answer = self._contact.post("get_moment_task", body)
        tasks = [
            MomentTask(
                parsing.required_text(row, "userid"),
                parsing.number(row.get("publish_status")) == _PUBLISHED,
            )
            for row in parsing.rows(answer, "task_list")
        ]
        return Page(tuple(tasks), parsing.cursor_of(answer))

    def audience_page(self, moment_id: str, userid: str, cursor: str) -> Page[str]:
        body = _of_member(moment_id, userid) | {"cursor": cursor, "limit": _ROWS_A_PAGE}
        return _customers_in(self._contact.post("get_moment_customer_list", body))

    def viewer_page(self, moment_id: str, userid: str, cursor: str) -> Page[str]:
        body = _of_member(moment_id, userid) | {"cursor": cursor, "limit": _VIEWERS_A_PAGE}
        return _customers_in(self._contact.post("get_moment_send_result", body))

    def reactions(self, moment_id: str, userid: str) -> MomentReactions:
        answer = self._contact.post("get_moment_comments", _of_member(moment_id, userid))
        comments, likes = (
            tuple(map(_reaction_of, parsing.rows(answer, name)))
            for name in ("comment_list", "like_list")
        )
        return MomentReactions(comments, likes)


def _range_of(wish: MomentWish) -> dict[str, Any]:
    senders = {"user_list": list(wish.userids), "department_list": list(wish.department_ids)}
    named = {name: ids for name, ids in senders.items() if ids}
    reach: dict[str, Any] = {"sender_list": named} if named else {}
    if wish.tag_ids:
        reach["external_contact_list"] = {"tag_list": list(wish.tag_ids)}
    return reach


def _of_member(moment_id: str, userid: str) -> dict[str, Any]:
    return {"moment_id": moment_id, "userid": userid}


def _moment_of(row: parsing.Json) -> MomentRecord:
    said = parsing.optional_part(row, "text")
    return MomentRecord(
        moment_id=parsing.required_text(row, "moment_id"),
        creator=parsing.text(row.get("creator")),
        created_at=parsing.moment(row.get("create_time")),
        is_personal=parsing.number(row.get("create_type")) == _PERSONAL,
        is_public=parsing.number(row.get("visible_type")) == _PUBLIC,
        content=parsing.text(said.get("content")),
        kinds=tuple(kind for kind in _KINDS if row.get(kind)),
    )


def _customers_in(answer: parsing.Json) -> Page[str]:
    rows = parsing.rows(answer, "customer_list")
    ids = [parsing.required_text(row, "external_userid") for row in rows]
    return Page(tuple(ids), parsing.cursor_of(answer))


def _reaction_of(row: parsing.Json) -> MomentReaction:
    return MomentReaction(
        external_userid=parsing.text(row.get("external_userid")),
        userid=parsing.text(row.get("userid")),
        made_at=parsing.moment(row.get("create_time")),
    )
