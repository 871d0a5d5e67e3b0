"""What is asked of the platform for a join code; the code's row is locked by whoever asks."""

import secrets
from datetime import datetime
from typing import Any

from groups.models import JoinCode
from scrm.channels.actions.outbox import enqueue_operation
from scrm.channels.models import Operation
from scrm.channels.operations import CREATE_JOIN_CODE, DELETE_JOIN_CODE, UPDATE_JOIN_CODE

# The platform cuts longer remarks [doc 92229].
_REMARK_LENGTH = 30


def payload_of(code: JoinCode) -> dict[str, Any]:
    """The code as the platform should have it."""
    chats = code.chats.order_by("pk").values_list("chat_id", flat=True)
    return {
        "chat_ids": list(chats),
        "state": code.state,
        "remark": code.name[:_REMARK_LENGTH],
        "is_growing": code.is_growing,
        "base_name": code.base_name,
        "base_id": code.base_id,
    }


def ask_for_creation(code: JoinCode, *, now: datetime) -> None:
    _enqueue(CREATE_JOIN_CODE, code, payload_of(code), now=now)


def ask_for_update(code: JoinCode, *, now: datetime) -> None:
    payload = {"config_id": code.config_id, **payload_of(code)}
    _enqueue(UPDATE_JOIN_CODE, code, payload, now=now)


def ask_for_deletion(code: JoinCode, *, now: datetime) -> None:
    _enqueue(DELETE_JOIN_CODE, code, {"config_id": code.config_id}, now=now)


def code_id_of(operation: Operation) -> int:
    return int(operation.serial_key.removeprefix("join-code:"))


def _enqueue(kind: str, code: JoinCode, payload: dict[str, Any], *, now: datetime) -> None:
    # The lock on the code makes each wish happen once; the key only has to be new.
    enqueue_operation(
        kind,
        corp=code.corp,
        key=f"join-code:{code.pk}:{secrets.token_hex(8)}",
        payload=payload,
        now=now,
        serial_key=f"join-code:{code.pk}",
        priority=Operation.Priority.CLICK,
    )
