"""The timeline's own facts in words: ids become names, reasons become sentences."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from customers.models import ChannelRule, Follow, Stage, Tag, TimelineEntry
from scrm.tenancy.models import Corp, Staff

# (what kind of id, id) → name
Names = dict[tuple[str, str], str]
Find = Callable[[Corp, Collection[str]], dict[str, str]]

# Which ids a fact's data hold, by the kind of their names.
_KINDS = {
    "staff": "staff",
    "inviter": "staff",
    "tag": "tag",
    "from": "stage",
    "to": "stage",
    "chat": "chat",
    "rule": "rule",
}
_finders: dict[str, Find] = {}


def register_names(kind: str, find: Find) -> None:
    """Name ids that upper apps know: `find(corp, ids)` returns the names it has."""
    _finders[kind] = find


def find_names(rows: Iterable[TimelineEntry], *, corp: Corp) -> Names:
    """The names behind the ids of these facts: one query for each kind."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for key, kind in _KINDS.items():
            if (value := row.data.get(key)) not in {None, ""}:
                wanted[kind].add(str(value))
    return {
        (kind, key): name
        for kind, ids in wanted.items()
        if kind in _finders
        for key, name in _finders[kind](corp, ids).items()
        if name
    }


def tell_entry(row: TimelineEntry, names: Names) -> tuple[str, str]:
    """The title of a fact, and why it is so, if that is known."""
    words = {
        key: names.get((kind, str(row.data.get(key))), str(row.data.get(key) or ""))
        for key, kind in _KINDS.items()
    }
    words |= {"state": str(row.data.get("state") or "")}
    return _TITLES[row.type](row.data, words), _why(row, words)


def _follow_added(data: dict[str, Any], words: dict[str, str]) -> str:
    if data.get("handover"):
        return _("Was taken over by %(staff)s") % words
    if words["state"]:
        return _("Became a friend of %(staff)s through the channel %(state)s") % words
    return _("Became a friend of %(staff)s") % words


def _follow_ended(data: dict[str, Any], words: dict[str, str]) -> str:
    match data.get("status"):
        case Follow.Status.DELETED_BY_CUSTOMER:
            return _("Deleted %(staff)s") % words
        case Follow.Status.DELETED_BY_STAFF:
            return _("Was deleted by %(staff)s") % words
        case Follow.Status.TRANSFERRED:
            return _("Was handed over by %(staff)s") % words
    return _("No longer found among the customers of %(staff)s") % words


def _tag_added(data: dict[str, Any], words: dict[str, str]) -> str:
    if words["staff"]:
        return _("Tag «%(tag)s» given on the relation with %(staff)s") % words
    return _("Tag «%(tag)s» given") % words


def _tag_removed(data: dict[str, Any], words: dict[str, str]) -> str:
    if words["staff"]:
        return _("Tag «%(tag)s» taken from the relation with %(staff)s") % words
    return _("Tag «%(tag)s» taken") % words


def _stage_changed(data: dict[str, Any], words: dict[str, str]) -> str:
    if not words["to"]:
        return _("Left the stage «%(from)s»") % words
    if not words["from"]:
        return _("Came to the stage «%(to)s»") % words
    return _("Moved from the stage «%(from)s» to «%(to)s»") % words


def _group_joined(data: dict[str, Any], words: dict[str, str]) -> str:
    if words["inviter"]:
        return _("Joined the group «%(chat)s», invited by %(inviter)s") % words
    return _("Joined the group «%(chat)s»") % words


def _group_left(data: dict[str, Any], words: dict[str, str]) -> str:
    return _("Left the group «%(chat)s»") % words


def _note(data: dict[str, Any], words: dict[str, str]) -> str:
    return str(data.get("text", ""))


_TITLES: dict[str, Callable[[dict[str, Any], dict[str, str]], str]] = {
    TimelineEntry.Type.FOLLOW_ADDED: _follow_added,
    TimelineEntry.Type.FOLLOW_ENDED: _follow_ended,
    TimelineEntry.Type.TAG_ADDED: _tag_added,
    TimelineEntry.Type.TAG_REMOVED: _tag_removed,
    TimelineEntry.Type.STAGE_CHANGED: _stage_changed,
    TimelineEntry.Type.GROUP_JOINED: _group_joined,
    TimelineEntry.Type.GROUP_LEFT: _group_left,
    TimelineEntry.Type.NOTE: _note,
}


def _why(row: TimelineEntry, words: dict[str, str]) -> str:
    """Who or what made it so; empty when the title says all."""
    words = words | {
        "name": str(row.data.get("by") or ""),
        "version": str(row.data.get("version") or ""),
    }
    key = row.data.get("reason") or row.source
    named, nameless = _REASONS.get(key, ("", ""))
    return str(named if words["name"] else nameless) % words


# With the name of who did it, and without.
_REASONS: dict[str, tuple[Any, Any]] = {
    "by_hand": (_l("by %(name)s"), _l("by hand")),
    TimelineEntry.Source.PERSON: (_l("by %(name)s"), _l("by hand")),
    "api": (_l("through the API, by %(name)s"), _l("through the API")),
    TimelineEntry.Source.API: (_l("through the API, by %(name)s"), _l("through the API")),
    "channel_rule": ("", _l("channel rule «%(rule)s»")),
    "stage_rule": ("", _l("stage rule")),
    "tag_rule": ("", _l("tag rule, version %(version)s")),
    "tag_rule_deleted": ("", _l("the tag rule was deleted")),
    "tag_deleted": ("", _l("the tag was deleted")),
    "expired": ("", _l("its time was over")),
    "exclusive": (
        _l("another tag of its group was given by %(name)s"),
        _l("another tag of its group was given"),
    ),
    "pretag": (_l("given in advance by %(name)s"), _l("given in advance")),
    "tag_merged": (_l("tags were merged by %(name)s"), _l("tags were merged")),
    "handover": ("", _l("taken over by a colleague who had given it, too")),
    TimelineEntry.Source.SYNC: ("", _l("found when reading the platform")),
    TimelineEntry.Source.SOP: ("", _l("SOP")),
}


def _staff(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    return dict(Staff.objects.for_corp(corp).filter(userid__in=ids).values_list("userid", "name"))


def _tags(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    rows = Tag.objects.for_corp(corp).filter(pk__in=_numbers(ids)).values_list("pk", "name")
    return {str(pk): name for pk, name in rows}


def _stages(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    return dict(Stage.objects.for_corp(corp).filter(key__in=ids).values_list("key", "name"))


def _rules(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    rows = ChannelRule.objects.for_corp(corp).filter(pk__in=_numbers(ids))
    return {str(pk): name for pk, name in rows.values_list("pk", "name")}


def _numbers(ids: Collection[str]) -> list[int]:
    return [int(each) for each in ids if each.isdecimal()]


register_names("staff", _staff)
register_names("tag", _tags)
register_names("stage", _stages)
register_names("rule", _rules)
