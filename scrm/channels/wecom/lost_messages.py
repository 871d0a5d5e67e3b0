"""Finding out whether a mass message exists whose answer was lost.

`add_msg_template` takes no key of ours, so the message is recognised by its sender, its content
and its customers.
"""

from collections.abc import Container, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

from django.utils.translation import gettext as _

from scrm.channels.base import AskedMessage, MassMessage
from scrm.channels.errors import NotReady, Stale
from scrm.channels.wecom import parsing
from scrm.channels.wecom.paging import Ask, pages_of

# Where a message is nearly always found; and where it is when the two clocks disagree by days.
# Believing it absent would ask people twice, so the second look is worth its pages. The platform
# lists one month at most [doc 93338].
_SKEWS = (timedelta(minutes=2), timedelta(days=13))
_MADE_BY_CORP = 0
_MESSAGES_A_PAGE = 100  # more fall back to 50
_RESULTS_A_PAGE = 1000


def find_lost_message(
    ask: Ask, message: MassMessage, *, since: datetime, until: datetime, known: Container[str]
) -> AskedMessage | None:
    """The message on the platform that is `message`; None when there is none."""
    for skew in _SKEWS:
        for row in _messages_between(ask, _chat_type(message), since - skew, until + skew):
            msgid = parsing.text(row.get("msgid"))
            if not _has_same_content(row, message) or msgid in known:
                continue
            found = _find_behind(ask, msgid, message)
            if found:
                return found
            if found is not None and skew == _SKEWS[0]:
                raise NotReady(_("The platform has not said yet whom the message reaches."))
    return None


def _messages_between(
    ask: Ask, chat_type: str, start: datetime, end: datetime
) -> Iterator[parsing.Json]:
    question = {
        "chat_type": chat_type,
        "start_time": int(start.timestamp()),
        "end_time": int(end.timestamp()) + 1,
        "filter_type": _MADE_BY_CORP,
        "limit": _MESSAGES_A_PAGE,
    }
    return _rows(ask, "get_groupmsg_list_v2", question, "group_msg_list")


def _has_same_content(row: parsing.Json, message: MassMessage) -> bool:
    said = row.get("text")
    content = parsing.text(said.get("content")) if isinstance(said, dict) else ""
    # Only what a person makes in the console has a creator.
    is_from_api = not parsing.text(row.get("creator"))
    kinds = [parsing.text(one.get("msgtype")) for one in parsing.objects(row.get("attachments"))]
    # The platform keeps other fields of an attachment than it was given (media turn into links).
    wanted = [one["kind"] for one in message.attachments]
    return is_from_api and _plain(content) == _plain(message.content) and kinds == wanted


def _plain(content: str) -> str:
    return content.replace("\r\n", "\n").strip()


def _chat_type(message: MassMessage) -> str:
    return "group" if message.chat_ids else "single"


def _find_behind(
    ask: Ask, msgid: str, message: MassMessage
) -> AskedMessage | Literal[False] | None:
    """The answer to `message` if `msgid` is it; None when it is not, False when nobody knows yet."""
    senders = _senders_of(ask, msgid)
    if senders is None or any(sender.lower() != message.sender.lower() for sender in senders):
        return None
    if message.chat_ids:
        # Chats are listed once they were sent to; until then content and sender must do.
        return AskedMessage(msgid, ()) if senders else False
    reached = _customers_asked(ask, msgid, senders)
    if reached is None or not reached <= set(message.external_userids):
        return None
    if not reached:
        return False
    refused = [one for one in message.external_userids if one not in reached]
    return AskedMessage(msgid, tuple(refused))


def _senders_of(ask: Ask, msgid: str) -> set[str] | None:
    try:
        tasks = list(_rows(ask, "get_groupmsg_task", {"msgid": msgid}, "task_list"))
    except Stale:
        return None
    return {parsing.text(task.get("userid")) for task in tasks}


def _customers_asked(ask: Ask, msgid: str, senders: set[str]) -> set[str] | None:
    """Whom the message reaches, as far as is known; None when it is gone."""
    questions = [{"msgid": msgid, "userid": sender} for sender in senders]
    path = "get_groupmsg_send_result"
    try:
        rows = [row for one in questions for row in _rows(ask, path, one, "send_list")]
    except Stale:
        return None
    return {parsing.text(row.get("external_userid")) for row in rows}


def _rows(ask: Ask, path: str, question: dict[str, Any], name: str) -> Iterator[parsing.Json]:
    for page in pages_of(ask, path, {"limit": _RESULTS_A_PAGE} | question):
        yield from parsing.rows(page, name)
