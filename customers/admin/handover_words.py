"""The words and colours of handovers."""

from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.actions.handover.reasons import sentence_of
from customers.models import HandoverItem
from scrm.common.badges import badge, status_badge

PLAN_TONES = {"draft": "grey", "executing": "blue", "done": "green", "cancelled": "grey"}
ITEM_TONES = {
    "planned": "grey",
    "blocked": "amber",
    "asked": "blue",
    "waiting": "blue",
    "succeeded": "green",
    "rejected": "red",
    "over_capacity": "amber",
    "failed": "red",
    "cancelled": "grey",
}
# How an item ended without being handed over, the commonest first.
LOSSES = ("rejected", "over_capacity", "failed", "blocked", "cancelled")


def item_badge(item: HandoverItem) -> SafeString:
    return status_badge(item, ITEM_TONES)


def why(item: HandoverItem) -> str:
    """The reason as a sentence; of a parked request, what has to be corrected."""
    operation = item.operation
    if item.status == HandoverItem.Status.ASKED and operation and operation.status == "parked":
        return operation.error
    return sentence_of(item.reason)


def obstacle_badge(reason: str, *, ready: object) -> SafeString:
    """Whether somebody can be handed over now; if not, why."""
    if not reason:
        return badge(ready, "green")
    tone = "blue" if reason == "in_transfer" else "amber"
    return format_html(
        '<span class="scrm-badge scrm-{}" style="white-space:normal">{}</span>',
        tone,
        sentence_of(reason),
    )
