"""Choosing the chats of a campaign: by name, owner or tag, one by one or all that were found."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from campaigns.actions.drafts import MAX_LISTED_CHATS
from groups.models import GroupChat, GroupTag
from scrm.tenancy.models import Corp
from scrm.tenancy.scoped_admin import rows_of

_SHOWN = 30


def found_chats(request: HttpRequest, corp: Corp) -> dict[str, Any]:
    """The answer to the picker: how many fit, the first of them, and with `all` every one."""
    chats = _wanted(request, rows_of(GroupChat, request).filter(corp=corp))
    most = MAX_LISTED_CHATS if "all" in request.GET else _SHOWN
    return {"count": chats.count(), "chats": described(chats[:most])}


def described(chats: QuerySet[GroupChat]) -> list[dict[str, Any]]:
    rows = chats.values_list("chat_id", "name", "owner__name", "member_count", "status")
    return [
        {
            "id": chat_id,
            "name": name or _("(no name)"),
            "owner": owner or "",
            "members": members,
            "dismissed": status == GroupChat.Status.DISMISSED,
        }
        for chat_id, name, owner, members, status in rows
    ]


def chosen_chats(chat_ids: Any, request: HttpRequest, corp: Corp) -> list[dict[str, Any]]:
    """What a draft names already, in its order."""
    if not isinstance(chat_ids, list):
        return []
    wanted = [chat_id for chat_id in chat_ids if isinstance(chat_id, str)]
    chats = rows_of(GroupChat, request).filter(corp=corp, chat_id__in=wanted)
    by_id = {chat["id"]: chat for chat in described(chats)}
    return [by_id[chat_id] for chat_id in wanted if chat_id in by_id]


def tag_choices(corp: Corp) -> list[dict[str, Any]]:
    tags = GroupTag.objects.for_corp(corp).order_by("name")
    return [{"id": tag.pk, "name": tag.name} for tag in tags]


def _wanted(request: HttpRequest, chats: QuerySet[GroupChat]) -> QuerySet[GroupChat]:
    found = chats.exclude(status=GroupChat.Status.DISMISSED).order_by("name", "pk")
    if words := request.GET.get("q", "").replace("\x00", "").strip():
        found = found.filter(
            Q(name__icontains=words) | Q(owner__name__icontains=words) | Q(chat_id=words)
        )
    tag = request.GET.get("tag", "")
    return found.filter(tags=int(tag)) if tag.isdecimal() and len(tag) < 19 else found
