"""The operations of the door itself: everything that is asked of the platform and changes it."""

from collections.abc import Container, Iterable
from dataclasses import asdict
from typing import Any

from django.conf import settings

from scrm.channels.base import (
    AskedMessage,
    Channel,
    ItemAnswer,
    JoinCodeWish,
    MassMessage,
    StaffText,
)
from scrm.channels.kinds import OperationKind, register_kind
from scrm.channels.lost_transfers import find_lost_transfer
from scrm.channels.models import Operation
from scrm.channels.tag_operations import TAG_KINDS

TAG_CUSTOMER = "tag_customer"
ASK_MASS_MESSAGE = "ask_mass_message"
REMIND_MASS_MESSAGE = "remind_mass_message"
CANCEL_MASS_MESSAGE = "cancel_mass_message"
TRANSFER_CUSTOMERS = "transfer_customers"
TRANSFER_CHATS = "transfer_chats"
CHANGE_REMARK = "change_remark"
CREATE_JOIN_CODE = "create_join_code"
UPDATE_JOIN_CODE = "update_join_code"
DELETE_JOIN_CODE = "delete_join_code"
SEND_APP_MESSAGE = "send_app_message"


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
    for kind in (*_KINDS, *TAG_KINDS):
        register_kind(kind)


def _tag_customer(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.tags.mark(
        payload["userid"],
        payload["external_userid"],
        add=payload.get("add", []),
        remove=payload.get("remove", []),
    )
    return {}


def _ask_message(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    return _result_of(channel.messages.ask(_message_of(payload)))


def _find_message(
    channel: Channel, operation: Operation, known: Container[str]
) -> dict[str, Any] | None:
    since = operation.called_at or operation.created_at
    found = channel.messages.find(
        _message_of(operation.payload),
        since=since,
        until=since + settings.OUTBOX_LEASE,
        known=known,
    )
    return _result_of(found) if found else None


def _remind(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.messages.remind(payload["msgid"])
    return {}


def _cancel(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.messages.cancel(payload["msgid"])
    return {}


def _transfer_customers(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    answers = channel.handover.transfer_customers(
        payload["from_userid"],
        payload["to_userid"],
        payload["external_userids"],
        is_resigned=payload["is_resigned"],
        message=payload.get("message", ""),
    )
    return _answers(answers)


def _find_transfer(
    channel: Channel, operation: Operation, _known: Container[str]
) -> dict[str, Any] | None:
    found = find_lost_transfer(channel, operation.payload)
    return None if found is None else _answers(found)


def _transfer_chats(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    return _answers(
        channel.handover.transfer_chats(
            payload["chat_ids"], payload["to_userid"], is_resigned=payload["is_resigned"]
        )
    )


def _answers(answers: Iterable[ItemAnswer]) -> dict[str, Any]:
    return {"answers": [asdict(answer) for answer in answers]}


def _change_remark(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.contacts.change_remark(
        payload["userid"],
        payload["external_userid"],
        remark=payload.get("remark", ""),
        description=payload.get("description", ""),
    )
    return {}


def _create_join_code(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    return {"config_id": channel.groups.create_join_code(_join_code_of(payload))}


def _update_join_code(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.groups.update_join_code(payload["config_id"], _join_code_of(payload))
    return {}


def _delete_join_code(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    channel.groups.delete_join_code(payload["config_id"])
    return {}


def _join_code_of(payload: dict[str, Any]) -> JoinCodeWish:
    names = ("state", "remark", "is_growing", "base_name", "base_id")
    given = {name: payload[name] for name in names if name in payload}
    return JoinCodeWish(chat_ids=tuple(payload["chat_ids"]), **given)


def _send_app_message(channel: Channel, payload: dict[str, Any]) -> dict[str, Any]:
    sent = channel.staff_messages.send(payload["userids"], StaffText(payload["text"]))
    return {"unreached": list(sent.unreached)}


def _message_of(payload: dict[str, Any]) -> MassMessage:
    return MassMessage(
        sender=payload["sender"],
        external_userids=tuple(payload.get("external_userids", ())),
        content=payload.get("content", ""),
        chat_ids=tuple(payload.get("chat_ids", ())),
        attachments=tuple(payload.get("attachments", ())),
    )


def _result_of(asked: AskedMessage) -> dict[str, Any]:
    return {"msgid": asked.msgid, "refused": list(asked.refused)}


_KINDS = (
    OperationKind(
        TAG_CUSTOMER, _tag_customer, endpoints=("externalcontact/mark_tag",), in_batches=True
    ),
    OperationKind(
        ASK_MASS_MESSAGE,
        _ask_message,
        endpoints=("externalcontact/add_msg_template",),
        find=_find_message,
        identity="msgid",
    ),
    # Staff may be reminded 3 times a day: a reminder is not repeated on a guess.
    OperationKind(
        REMIND_MASS_MESSAGE,
        _remind,
        endpoints=("externalcontact/remind_groupmsg_send",),
        is_harmless_twice=False,
    ),
    OperationKind(
        CANCEL_MASS_MESSAGE, _cancel, endpoints=("externalcontact/cancel_groupmsg_send",)
    ),
    OperationKind(
        TRANSFER_CUSTOMERS,
        _transfer_customers,
        endpoints=(
            "externalcontact/transfer_customer",
            "externalcontact/resigned/transfer_customer",
        ),
        find=_find_transfer,
    ),
    # The platform says of a chat that it has the owner already (90504, 90508).
    OperationKind(
        TRANSFER_CHATS,
        _transfer_chats,
        endpoints=(
            "externalcontact/groupchat/transfer",
            "externalcontact/groupchat/onjob_transfer",
        ),
    ),
    OperationKind(
        CHANGE_REMARK, _change_remark, endpoints=("externalcontact/remark",), in_batches=True
    ),
    # Nobody can list codes: one whose answer was lost is made anew, the lost one is never shown.
    OperationKind(
        CREATE_JOIN_CODE, _create_join_code, endpoints=("externalcontact/groupchat/add_join_way",)
    ),
    OperationKind(
        UPDATE_JOIN_CODE,
        _update_join_code,
        endpoints=("externalcontact/groupchat/update_join_way",),
    ),
    OperationKind(
        DELETE_JOIN_CODE, _delete_join_code, endpoints=("externalcontact/groupchat/del_join_way",)
    ),
    # The platform drops a repetition within half an hour (enable_duplicate_check).
    OperationKind(
        SEND_APP_MESSAGE, _send_app_message, endpoints=("message/send",), in_batches=True
    ),
)
