"""The inner XML of callbacks as typed events [doc 92130, 90970]."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from scrm.channels.events import ChannelEvent
from scrm.channels.wecom.event_forms import FORMS, Children
from scrm.channels.wecom.parsing import find_moment
from scrm.channels.wecom.xml import UnreadableXml, read_xml, text_in

# By event, the element that names what it is about and what that is; the first that is there
# counts, and "" stands for the corp as a whole. It is the smallest thing whose state the events
# tell, so that one of them that fails holds back nothing else.
_SUBJECTS: dict[str, dict[str, str]] = {
    "change_external_contact": {"ExternalUserID": "customer"},
    "change_external_chat": {"ChatId": "chat"},
    # One list for the corp: a group's deletion takes its tags along.
    "change_external_tag": {"": "tags"},
    "change_contact": {"UserID": "staff", "Id": "department", "TagId": "group"},
    # Who started to chat is a customer, with her other events.
    "customer_acquisition": {"ExternalUserID": "customer", "LinkId": "link", "": "acquisition"},
    "kf_msg_or_event": {"OpenKfId": "service"},
    "kf_account_auth_change": {"": "service"},
    "template_card_event": {"TaskId": "card"},
    "template_card_menu_event": {"TaskId": "card"},
}


@dataclass(frozen=True)
class Callback:
    """What a callback says: for the inbox's columns, and typed when we know its form.

    Without a type, `reason` says why.
    """

    event: str
    change_type: str
    order_key: str
    happened_at: datetime
    typed: ChannelEvent | None
    reason: str = ""


def read_event(content: bytes, *, received_at: datetime) -> Callback:
    """Read the inner XML; whatever it holds, the answer tells what it is."""
    try:
        children = read_xml(content)
    except UnreadableXml as error:
        return Callback("", "", "", received_at, None, str(error))
    event, change_type = text_in(children, "Event"), text_in(children, "ChangeType")
    happened_at = find_moment(text_in(children, "CreateTime")) or received_at
    typed, reason = _typed(event, change_type, happened_at, children)
    return Callback(
        event=event,
        change_type=change_type,
        order_key=_subject(event, children),
        happened_at=happened_at,
        typed=typed,
        reason=reason,
    )


def _typed(
    event: str, change_type: str, at: datetime, children: Children
) -> tuple[ChannelEvent | None, str]:
    build = FORMS.get((event, change_type))
    if build is None:
        return None, _unknown(event)
    try:
        return build(at, children), ""
    except UnreadableXml as error:
        return None, str(error)


def _unknown(event: str) -> str:
    if event:
        return _("This kind of event is not known.")
    return _("It tells of no event.")


def _subject(event: str, children: Children) -> str:
    """Whose events are handled one after the other; "" for what has no order."""
    for element, kind in _SUBJECTS.get(event, {}).items():
        name = text_in(children, element)
        if name or not element:
            # Userids are case-insensitive, and events differ in case.
            return f"{kind}:{name.lower() if element == 'UserID' else name}" if element else kind
    return ""
