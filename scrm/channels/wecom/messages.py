"""Mass messages and welcomes [doc 92135, 93338, 97610, 97611, 92137, 92366]."""

from collections.abc import Callable, Container
from datetime import datetime
from typing import Any

from scrm.channels.base import (
    AskedMessage,
    DeliveryPage,
    GroupWelcomeRecord,
    GroupWelcomeWish,
    MassMessage,
    SenderStatePage,
    Welcome,
)
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker, Json
from scrm.channels.wecom.attachments import asked_with_media
from scrm.channels.wecom.checks import at_most, within_bytes
from scrm.channels.wecom.lost_messages import find_lost_message
from scrm.channels.wecom.media import MediaDesk

_RESULTS_A_PAGE = 1000  # more fall back to 500 [doc 93338]
_WELCOME_BYTES, _GROUP_WELCOME_BYTES = 4000, 3000
_ATTACHMENTS = 9
_KINDS = ("image", "link", "miniprogram", "file", "video")

Request = Callable[[Json], Json]


class WeComMessages:
    def __init__(self, contact: Asker, desk: MediaDesk) -> None:
        self._contact = contact
        self._desk = desk

    def ask(self, message: MassMessage) -> AskedMessage:
        body: dict[str, Any] = {"chat_type": "single", "sender": message.sender}
        if message.chat_ids:
            body |= {"chat_type": "group", "chat_id_list": list(message.chat_ids)}
        else:
            body["external_userid"] = list(message.external_userids)
        body |= _said(message.content)

        def request(ready: list[Json]) -> Json:
            return self._contact.post("add_msg_template", body | _attached(ready))

        answer = asked_with_media(self._desk, message.attachments, request)
        msgid = parsing.required_text(answer, "msgid")
        return AskedMessage(msgid, parsing.names(answer, "fail_list"))

    def find(
        self, message: MassMessage, *, since: datetime, until: datetime, known: Container[str]
    ) -> AskedMessage | None:
        return find_lost_message(self._contact.post, message, since=since, until=until, known=known)

    def sender_states(self, msgid: str, cursor: str) -> SenderStatePage:
        body = {"msgid": msgid, "limit": _RESULTS_A_PAGE, "cursor": cursor}
        answer = self._contact.post("get_groupmsg_task", body)
        rows = [parsing.sender_state_of(row) for row in parsing.rows(answer, "task_list")]
        return SenderStatePage(tuple(rows), parsing.cursor_of(answer))

    def deliveries(self, msgid: str, userid: str, cursor: str) -> DeliveryPage:
        body = {"msgid": msgid, "userid": userid, "limit": _RESULTS_A_PAGE, "cursor": cursor}
        answer = self._contact.post("get_groupmsg_send_result", body)
        rows = [parsing.delivery_of(row) for row in parsing.rows(answer, "send_list")]
        return DeliveryPage(tuple(rows), parsing.cursor_of(answer))

    def remind(self, msgid: str) -> None:
        self._contact.post("remind_groupmsg_send", {"msgid": msgid})

    def cancel(self, msgid: str) -> None:
        self._contact.post("cancel_groupmsg_send", {"msgid": msgid})

    def send_welcome(self, code: str, welcome: Welcome) -> None:
        within_bytes(welcome.content, _WELCOME_BYTES, "text")
        at_most(welcome.attachments, _ATTACHMENTS, "attachments")
        body = {"welcome_code": code} | _said(welcome.content)

        def request(ready: list[Json]) -> Json:
            return self._contact.post("send_welcome_msg", body | _attached(ready))

        asked_with_media(self._desk, welcome.attachments, request)

    def create_group_welcome(self, wish: GroupWelcomeWish) -> str:
        body = {"notify": int(wish.is_announced)}

        def request(template: Json) -> Json:
            return self._contact.post("group_welcome_template/add", body | template)

        return parsing.required_text(self._with_template(wish, request), "template_id")

    def group_welcome(self, template_id: str) -> GroupWelcomeRecord:
        body = {"template_id": template_id}
        answer = self._contact.post("group_welcome_template/get", body)
        kinds = (kind for kind in _KINDS if answer.get(kind))
        said = parsing.optional_part(answer, "text")
        return GroupWelcomeRecord(template_id, parsing.text(said.get("content")), next(kinds, ""))

    def update_group_welcome(self, template_id: str, wish: GroupWelcomeWish) -> None:
        body = {"template_id": template_id}

        def request(template: Json) -> Json:
            return self._contact.post("group_welcome_template/edit", body | template)

        self._with_template(wish, request)

    def delete_group_welcome(self, template_id: str) -> None:
        self._contact.post("group_welcome_template/del", {"template_id": template_id})

    def _with_template(self, wish: GroupWelcomeWish, request: Request) -> Json:
        within_bytes(wish.content, _GROUP_WELCOME_BYTES, "text")
        attachments = [wish.attachment] if wish.attachment else []

        def with_attachment(ready: list[Json]) -> Json:
            # Here an attachment lies beside the text, not in a list.
            fields = {one["msgtype"]: one[one["msgtype"]] for one in ready}
            return request(_said(wish.content) | fields)

        return asked_with_media(self._desk, attachments, with_attachment)


def _said(content: str) -> Json:
    return {"text": {"content": content}} if content else {}


def _attached(ready: list[Json]) -> Json:
    return {"attachments": ready} if ready else {}
