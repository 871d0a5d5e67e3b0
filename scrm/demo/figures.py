"""The figures of the demonstration, from both sides: ours, and what truly happened."""

from typing import Any

from django.db.models import Count

from customers.models import Customer, Follow, Tag
from scrm.channels.models import InboundEvent
from scrm.demo.story import Story
from scrm.tenancy.models import Corp, Staff

WHOLE = ("staff", "customers", "follows", "tags")


def our_figures(story: Story) -> dict[str, Any]:
    """What the product says, read from its tables at this moment."""
    corp = story.scene.corp
    return {
        "staff": Staff.objects.for_corp(corp).employed().count(),
        "customers": Customer.objects.for_corp(corp).live().count(),
        "follows": Follow.objects.for_corp(corp).live().count(),
        "tags": Tag.objects.for_corp(corp).current().filter(kind="wecom").count(),
        **{chapter.name: chapter.ours(story.scene) for chapter in story.chapters},
        "callbacks": _our_callbacks(corp),
    }


def true_figures(story: Story) -> dict[str, Any]:
    """What the platform's own ledger says happened."""
    summary = story.scene.sandbox.summary()
    emitted = summary["callbacks"]["emitted"]
    return {
        **{key: summary[key] for key in WHOLE},
        **{chapter.name: chapter.truth(story.scene) for chapter in story.chapters},
        "callbacks": {"received": emitted, "handled": emitted, "failed": 0},
        "asked_more_than_once": len(summary["asked_more_than_once"]),
    }


def disagreements(ours: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    """One sentence for each figure in which the two sides differ."""
    found = [
        f"{name}: {flat(ours)[name]} here, {value} on the platform"
        for name, value in flat(truth).items()
        if name != "asked_more_than_once" and flat(ours)[name] != value
    ]
    if repeated := truth["asked_more_than_once"]:
        found.append(f"{repeated} customers were asked more than once")
    return found


def _our_callbacks(corp: Corp) -> dict[str, int]:
    events = InboundEvent.objects.for_corp(corp).values_list("status").annotate(Count("pk"))
    counts = dict(events.order_by())
    return {
        "received": sum(counts.values()),
        "handled": counts.get("handled", 0),
        "failed": counts.get("failed", 0),
    }


def flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The same figures without levels: `campaign.asked`."""
    found: dict[str, Any] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[f"{prefix}{key}"] = value
    return found
