"""The operations of the door itself: tags, and mass messages from asking to cancelling."""

from collections.abc import Container
from typing import Any

from django.conf import settings

from scrm.channels.base import AskedMessage, Channel, MassMessage
from scrm.channels.kinds import OperationKind, register_kind
from scrm.channels.models import Operation

TAG_CUSTOMER = "tag_customer"
ASK_MASS_MESSAGE = "ask_mass_message"
REMIND_MASS_MESSAGE = "remind_mass_message"
CANCEL_MASS_MESSAGE = "cancel_mass_message"


def tag_serial_key(userid: str, external_userid: str) -> str:
    """Changes of one relation are asked one after the other (45035) and in their order."""
    return f"tags:{userid}:{external_userid}"


def payload_of(message: MassMessage) -> dict[str, Any]:
    return {
        "sender": message.sender,
        "external_userids": list(message.external_userids),
        "content": message.content,
        "attachments": list(message.attachments),
    }


def register_operations() -> None:
    register_kind(OperationKind(TAG_CUSTOMER, _tag_customer))
    register_kind(
        OperationKind(ASK_MASS_MESSAGE, _ask_message, find=_find_message, identity="msgid")
    )
    # Staff may be reminded 3 times a day: a reminder is not repeated on a guess.
    register_kind(OperationKind(REMIND_MASS_MESSAGE, _remind, is_harmless_twice=False))
    register_kind(OperationKind(CANCEL_MASS_MESSAGE, _cancel))


def _tag_customer(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.mark_tags(
        payload["userid"],
        payload["external_userid"],
        add=payload.get("add", []),
        remove=payload.get("remove", []),
    )
    return {}


def _ask_message(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    return _result_of(channel.ask_mass_message(_message_of(payload)))


def _find_message(
    channel: Channel, operation: Operation, known: Container[str]
) -> dict[str, Any] | None:
    since = operation.called_at or operation.created_at
    found = channel.find_mass_message(
        _message_of(operation.payload),
        since=since,
        until=since + settings.OUTBOX_LEASE,
        known=known,
    )
    return _result_of(found) if found else None


def _remind(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.remind(payload["msgid"])
    return {}


def _cancel(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.cancel(payload["msgid"])
    return {}


def _message_of(payload: dict[str, Any]) -> MassMessage:
    return MassMessage(
        sender=payload["sender"],
        external_userids=tuple(payload["external_userids"]),
        content=payload.get("content", ""),
        attachments=tuple(payload.get("attachments", ())),
    )


def _result_of(asked: AskedMessage) -> dict[str, Any]:
    return {"msgid": asked.msgid, "refused": list(asked.refused)}
