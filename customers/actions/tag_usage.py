"""Where tags are named: what would mean something else, or nothing, without them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from customers.models import ChannelRule, Segment, StageRule, TagRule
from scrm.tenancy.models import Corp


@dataclass(frozen=True)
class Use:
    """One thing that names a tag; `label` and `pk` lead to its page in the admin."""

    kind: str
    name: str
    label: str
    pk: int


# (id of the tag, what names it)
Finder = Callable[[Corp], Iterable[tuple[int, Use]]]
_finders: list[Finder] = []


def register_tag_usage(find: Finder) -> None:
    """Have upper apps tell which of their things name tags of a corp."""
    if find not in _finders:
        _finders.append(find)


def usage_of_tags(corp: Corp) -> dict[int, list[Use]]:
    """What names each tag of the corp; one query for each kind of thing."""
    found: dict[int, list[Use]] = defaultdict(list)
    for find in (_in_segments, _in_stage_rules, _in_tag_rules, _in_channel_rules, *_finders):
        for tag_id, use in find(corp):
            if use not in found[tag_id]:
                found[tag_id].append(use)
    return dict(found)


def tags_in_rule(rule: Any) -> Iterator[int]:
    """The ids of the tags that a rule names, wherever they are nested."""
    if isinstance(rule, dict):
        if str(rule.get("field", "")).startswith("tag"):
            yield from _numbers(rule.get("value"))
        for value in rule.values():
            yield from tags_in_rule(value)
    elif isinstance(rule, list):
        for each in rule:
            yield from tags_in_rule(each)


def _numbers(value: Any) -> Iterator[int]:
    values = value if isinstance(value, list) else [value]
    yield from (each for each in values if isinstance(each, int) and not isinstance(each, bool))


def _in_segments(corp: Corp) -> Iterator[tuple[int, Use]]:
    rows = Segment.objects.for_corp(corp).order_by("pk").values_list("pk", "name", "rule")
    for pk, name, rule in rows:
        for tag_id in tags_in_rule(rule):
            yield tag_id, Use(_("segment"), name, "customers.segment", pk)


def _in_stage_rules(corp: Corp) -> Iterator[tuple[int, Use]]:
    rows = StageRule.objects.for_corp(corp).order_by("pk")
    for pk, name, rule in rows.values_list("pk", "stage__name", "rule"):
        for tag_id in tags_in_rule(rule):
            yield tag_id, Use(_("stage rule"), name, "customers.stagerule", pk)


def _in_tag_rules(corp: Corp) -> Iterator[tuple[int, Use]]:
    rows = TagRule.objects.for_corp(corp).order_by("pk")
    for pk, own_tag, name, rule in rows.values_list("pk", "tag", "tag__name", "rule"):
        for tag_id in (own_tag, *tags_in_rule(rule)):
            yield tag_id, Use(_("tag rule"), name, "customers.tagrule", pk)


def _in_channel_rules(corp: Corp) -> Iterator[tuple[int, Use]]:
    rows = ChannelRule.objects.for_corp(corp).filter(tags__isnull=False).order_by("pk")
    for pk, name, tag_id in rows.values_list("pk", "name", "tags"):
        yield tag_id, Use(_("channel rule"), name, "customers.channelrule", pk)
