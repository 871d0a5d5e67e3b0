"""Which SOPs and campaigns name tags of customers."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from campaigns.models import Campaign, Sop, Step
from customers.actions.tag_usage import Use, tags_in_rule
from scrm.tenancy.models import Corp


def tags_of_journeys(corp: Corp) -> Iterator[tuple[int, Use]]:
    """By trigger, exit, condition or action of SOPs; by the rule of campaigns that are not over."""
    sops = Sop.objects.for_corp(corp).order_by("pk")
    for pk, name, trigger, exit_rule in sops.values_list("pk", "name", "trigger", "exit"):
        for tag_id in (*_named(trigger), *tags_in_rule(exit_rule)):
            yield tag_id, Use(_("SOP"), name, "campaigns.sop", pk)
    steps = Step.objects.filter(sop__corp=corp, removed_at__isnull=True).order_by("pk")
    for pk, name, action, condition in steps.values_list("sop", "sop__name", "action", "condition"):
        for tag_id in (*_named(action), *tags_in_rule(condition)):
            yield tag_id, Use(_("SOP"), name, "campaigns.sop", pk)
    open_ones = Campaign.objects.for_corp(corp).exclude(status__in=_OVER).order_by("pk")
    for pk, name, rule in open_ones.values_list("pk", "name", "rule"):
        for tag_id in tags_in_rule(rule):
            yield tag_id, Use(_("campaign"), name, "campaigns.campaign", pk)


_OVER = ("done", "cancelled", "failed")


def _named(thing: Any) -> list[int]:
    """Tags that a trigger or an action names itself."""
    if not isinstance(thing, dict):
        return []
    ids = thing.get("tags", thing.get("tag"))
    values = ids if isinstance(ids, list) else [ids]
    return [each for each in values if isinstance(each, int) and not isinstance(each, bool)]
