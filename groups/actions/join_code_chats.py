"""Chats that a code must not lead into any more."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from groups.actions.join_code_requests import ask_for_update
from groups.models import GroupChat, JoinCode
from scrm.common.badges import listed
from scrm.tenancy.models import Corp, Staff


def leave_out_chats_of(staff: Staff, now: datetime) -> None:
    """Nobody new is led to somebody who is leaving or gone."""
    chats = GroupChat.objects.for_corp(staff.corp).existing().filter(owner=staff)
    leave_out_chats(chats.values_list("pk", flat=True), corp=staff.corp, now=now)


@transaction.atomic
def leave_out_chats(chat_pks: Collection[int], *, corp: Corp, now: datetime) -> int:
    """Take chats out of every code; return how many codes had one of them.

    A code that keeps a chat is changed on the platform. One that keeps none stays there as it is,
    because the platform has no code without a chat: it is marked as empty until somebody gives it
    another one.
    """
    pks = list(chat_pks)
    if not pks:
        return 0
    through = JoinCode.chats.through.objects.filter(groupchat__in=pks)
    codes = JoinCode.objects.for_corp(corp).current().filter(pk__in=through.values("joincode"))
    # In one order, so that two who leave at once do not wait for each other.
    locked = list(codes.select_related("corp").order_by("pk").select_for_update(of=["self"]))
    for code in locked:
        _leave_out(code, pks, now=now)
    return len(locked)


def _leave_out(code: JoinCode, pks: list[int], *, now: datetime) -> None:
    gone = list(code.chats.filter(pk__in=pks).order_by("pk"))
    code.chats.remove(*gone)
    names = listed(str(chat) for chat in gone)
    if code.chats.exists():
        message = _("Taken out, because dismissed or of somebody who is leaving: %(chats)s.")
        if code.config_id:
            ask_for_update(code, now=now)
    else:
        message = _(
            "The last chat was dismissed or belongs to somebody who is leaving: %(chats)s."
            " Choose another chat."
        )
        code.status = JoinCode.Status.EMPTY
    code.problem = message % {"chats": names}
    code.save(update_fields=["status", "problem"])
