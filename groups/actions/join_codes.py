"""Join codes: codes through which customers enter one of at most five chats."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from groups.actions.join_code_requests import ask_for_creation, ask_for_deletion, ask_for_update
from groups.models import GroupChat, JoinCode
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Staff

# [doc 92229]
MOST_CHATS = 5
_NAME_LENGTH, _BASE_NAME_LENGTH = 64, 40
_MOST_NUMBER = 2**31 - 1

Status = JoinCode.Status


class JoinCodeGone(DomainError):
    code = "join_code_deleted"


@dataclass(frozen=True)
class JoinCodeDraft:
    """A join code as a person or a brand writes it down."""

    name: str
    chat_ids: Sequence[str]
    is_growing: bool = True
    base_name: str = ""
    base_id: int = 1


DRAFT_FIELDS = tuple(each.name for each in fields(JoinCodeDraft))


@transaction.atomic
def create_join_code(draft: JoinCodeDraft, *, corp: Corp, actor: Actor, now: datetime) -> JoinCode:
    """Keep a code and ask the platform for it; its picture follows when the platform has it."""
    chats = _check(draft, corp=corp)
    # Opaque: the state can be read by whoever scans the code.
    code = JoinCode(
        corp=corp, state=f"g{secrets.token_hex(7)}", created_by=actor.key, created_at=now
    )
    _write(code, draft)
    code.save(force_insert=True)
    code.chats.set(chats)
    ask_for_creation(code, now=now)
    data = {"name": code.name, "chats": list(draft.chat_ids)}
    record("join_codes.created", actor=actor, corp=corp, subject=code, now=now, data=data)
    return code


@transaction.atomic
def update_join_code(
    code: JoinCode, *, changes: dict[str, Any], actor: Actor, now: datetime
) -> JoinCode:
    """Change fields of a code (names of `JoinCodeDraft`); the platform follows.

    One that the platform has refused is asked for again.
    """
    draft = JoinCodeDraft(**(_as_written(code) | changes))
    chats = _check(draft, corp=code.corp)
    locked = JoinCode.objects.select_for_update(of=["self"]).select_related("corp").get(pk=code.pk)
    if locked.status == Status.DELETED:
        raise JoinCodeGone(_("This code has been deleted: make a new one."))
    _write(locked, draft)
    locked.problem = ""
    locked.chats.set(chats)
    if locked.config_id:
        locked.status = Status.ACTIVE
        ask_for_update(locked, now=now)
    elif locked.status == Status.FAILED:
        locked.status = Status.CREATING
        ask_for_creation(locked, now=now)
    else:
        # It is being created: `note_created_code` sees that something else is wanted by now.
        locked.status = Status.CREATING
    locked.save()
    data = {name: list(v) if isinstance(v, (list, tuple)) else v for name, v in changes.items()}
    record("join_codes.changed", actor=actor, corp=code.corp, subject=locked, now=now, data=data)
    return locked


@transaction.atomic
def delete_join_code(code: JoinCode, *, actor: Actor, now: datetime) -> None:
    """Delete a code, here and on the platform; who came by it stays where she is."""
    locked = JoinCode.objects.select_for_update(of=["self"]).select_related("corp").get(pk=code.pk)
    if locked.status == Status.DELETED:
        return
    locked.status, locked.deleted_at = Status.DELETED, now
    locked.save(update_fields=["status", "deleted_at"])
    # One that is being created is deleted when its creation is reported.
    if locked.config_id:
        ask_for_deletion(locked, now=now)
    data = {"name": locked.name}
    record("join_codes.deleted", actor=actor, corp=locked.corp, subject=locked, now=now, data=data)


def _as_written(code: JoinCode) -> dict[str, Any]:
    chats = code.chats.order_by("pk").values_list("chat_id", flat=True)
    own = {name: getattr(code, name) for name in DRAFT_FIELDS if name != "chat_ids"}
    return own | {"chat_ids": list(chats)}


def _write(code: JoinCode, draft: JoinCodeDraft) -> None:
    code.name = draft.name.strip()
    code.is_growing = draft.is_growing
    code.base_name = draft.base_name.strip() or code.name[:_BASE_NAME_LENGTH]
    code.base_id = draft.base_id


def _check(draft: JoinCodeDraft, *, corp: Corp) -> list[GroupChat]:
    """The chats, locked; raises InvalidInput with every problem at once.

    Locked like their owners, so that a chat cannot be dismissed, and nobody can leave, between
    this look and the row of the code.
    """
    chats = GroupChat.objects.for_corp(corp).filter(chat_id__in=draft.chat_ids)
    found = {c.chat_id: c for c in chats.order_by("pk").select_for_update(no_key=True)}
    owners = Staff.objects.filter(pk__in={c.owner_id for c in found.values() if c.owner_id})
    locked = list(owners.order_by("pk").select_for_update(no_key=True))
    available = set(
        Staff.objects.available().filter(pk__in=[s.pk for s in locked]).values_list("pk", flat=True)
    )
    problems = (*_problems_of_form(draft), *_problems_of_chats(draft, found, available))
    if problems:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)
    return list(found.values())


def _problems_of_form(draft: JoinCodeDraft) -> Iterator[FieldProblem]:
    if not 0 < len(draft.name.strip()) <= _NAME_LENGTH:
        message = _("A name has 1 to %(limit)s characters.") % {"limit": _NAME_LENGTH}
        yield FieldProblem("/name", "required" if not draft.name.strip() else "too_long", message)
    if len(draft.base_name.strip()) > _BASE_NAME_LENGTH:
        message = _("The name of new chats has at most %(limit)s characters.") % {
            "limit": _BASE_NAME_LENGTH
        }
        yield FieldProblem("/base_name", "too_long", message)
    if not 0 <= draft.base_id <= _MOST_NUMBER:
        yield FieldProblem("/base_id", "invalid", _("The first number is 0 or more."))
    if not draft.chat_ids:
        yield FieldProblem("/chat_ids", "required", _("Choose a chat that the code leads into."))
    if len(set(draft.chat_ids)) > MOST_CHATS:
        message = _("A code leads into at most %(limit)s chats.") % {"limit": MOST_CHATS}
        yield FieldProblem("/chat_ids", "too_many", message)


def _problems_of_chats(
    draft: JoinCodeDraft, found: dict[str, GroupChat], available: set[int]
) -> Iterator[FieldProblem]:
    for position, chat_id in enumerate(draft.chat_ids):
        path, chat = f"/chat_ids/{position}", found.get(chat_id)
        if chat is None:
            message = _("There is no group chat %(id)s.") % {"id": chat_id}
            yield FieldProblem(path, "unknown", message)
        elif chat.status == GroupChat.Status.DISMISSED:
            message = _("The chat %(chat)s has been dismissed: choose another one.")
            yield FieldProblem(path, "dismissed", message % {"chat": chat})
        elif _is_orphaned(chat, available):
            message = _(
                "The owner of %(chat)s has left or is leaving: hand the chat over first,"
                " or choose another one."
            )
            yield FieldProblem(path, "owner_leaving", message % {"chat": chat})


def _is_orphaned(chat: GroupChat, available: set[int]) -> bool:
    has_left = chat.status == GroupChat.Status.OWNER_LEFT
    return has_left or (chat.owner_id is not None and chat.owner_id not in available)
