"""Messages to staff through the app [doc 90236, 94888, 94867]."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.base import (
    SentStaffMessage,
    StaffButtonCard,
    StaffCard,
    StaffMarkdown,
    StaffMessage,
    StaffText,
)
from scrm.channels.errors import ChannelError, Misconfigured
from scrm.channels.wecom import parsing
from scrm.channels.wecom.asking import Asker
from scrm.channels.wecom.checks import at_most, within_bytes
from scrm.channels.wecom.errcodes import NO_RECEIVER

_CONTENT_BYTES = 2048
_RECEIVERS = 1000
_BUTTONS, _FACTS = 6, 6
_TITLE, _DESCRIPTION, _BUTTON = 128, 512, 4
_HALF_AN_HOUR = 1800
_OPENS_AN_ADDRESS = 1


class WeComStaffMessages:
    def __init__(self, platform: Asker, *, agent_id: str) -> None:
        self._platform = platform
        self._agent_id = agent_id

    def send(self, userids: Sequence[str], message: StaffMessage) -> SentStaffMessage:
        at_most(userids, _RECEIVERS, "touser")
        body = {
            "touser": "|".join(userids),
            "agentid": self._agent(),
            # What was sent and whose answer was lost is not shown twice within half an hour.
            "enable_duplicate_check": 1,
            "duplicate_check_interval": _HALF_AN_HOUR,
        } | spelled(message)
        try:
            answer = self._platform.post("message/send", body)
        except ChannelError as error:
            if error.errcode != NO_RECEIVER:
                raise
            return SentStaffMessage("", tuple(userids))
        return SentStaffMessage(
            msgid=parsing.text(answer.get("msgid")),
            unreached=_unreached(userids, parsing.text(answer.get("invaliduser")).split("|")),
            card_code=parsing.text(answer.get("response_code")),
        )

    def update_card(self, userids: Sequence[str], card_code: str, *, button: str) -> Sequence[str]:
        body = {
            "userids": list(userids),
            "agentid": self._agent(),
            "response_code": card_code,
            "button": {"replace_name": button},
        }
        answer = self._platform.post("message/update_template_card", body)
        return _unreached(userids, parsing.names(answer, "invaliduser"))

    def recall(self, msgid: str) -> None:
        self._platform.post("message/recall", {"msgid": msgid})

    def _agent(self) -> int:
        if not self._agent_id.isdecimal():
            raise Misconfigured(_("The corp has no agent id: copy it from the app's page."))
        return int(self._agent_id)


def spelled(message: StaffMessage) -> dict[str, Any]:
    """The part of a request that says what is said, as the platform spells it."""
    match message:
        case StaffText():
            return _text(message)
        case StaffMarkdown():
            return _markdown(message)
        case StaffCard():
            return _card(message)
        case StaffButtonCard():
            return _button_card(message)


def _text(message: StaffText) -> dict[str, Any]:
    within_bytes(message.content, _CONTENT_BYTES, "text")
    return {"msgtype": "text", "text": {"content": message.content}}


def _markdown(message: StaffMarkdown) -> dict[str, Any]:
    within_bytes(message.content, _CONTENT_BYTES, "markdown")
    return {"msgtype": "markdown", "markdown": {"content": message.content}}


def _card(message: StaffCard) -> dict[str, Any]:
    at_most(message.title, _TITLE, "title")
    at_most(message.description, _DESCRIPTION, "description")
    at_most(message.button, _BUTTON, "btntxt")
    card = {"title": message.title, "description": message.description, "url": message.url}
    if message.button:
        card["btntxt"] = message.button
    return {"msgtype": "textcard", "textcard": card}


def _button_card(message: StaffButtonCard) -> dict[str, Any]:
    at_most(message.buttons, _BUTTONS, "button_list")
    at_most(message.facts, _FACTS, "horizontal_content_list")
    buttons = [{"text": b.text, "key": b.key, "style": b.style} for b in message.buttons]
    facts = [{"keyname": name, "value": value} for name, value in message.facts]
    card: dict[str, Any] = {
        "card_type": "button_interaction",
        "main_title": {"title": message.title, "desc": message.description},
        "task_id": message.task_id,
        "button_list": buttons,
    }
    if facts:
        card["horizontal_content_list"] = facts
    if message.url:
        card["card_action"] = {"type": _OPENS_AN_ADDRESS, "url": message.url}
    return {"msgtype": "template_card", "template_card": card}


def _unreached(userids: Sequence[str], invalid: Sequence[str]) -> tuple[str, ...]:
    # Ids come back in lower case.
    missed = {each.lower() for each in invalid}
    return tuple(userid for userid in userids if userid.lower() in missed)
