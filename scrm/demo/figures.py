"""The figures of the demonstration, from both sides: ours, and what truly happened."""

from typing import Any

from django.db.models import Count

from campaigns.actions.results import results_of
from campaigns.models import Campaign
from customers.models import Customer, Follow, Tag
from groups.models import GroupChat
from scrm.channels.models import InboundEvent
from scrm.sandbox.remote import SandboxRemote
from scrm.tenancy.models import Corp, Staff

CAMPAIGN_FIGURES = (
    "planned", "asked", "confirmed", "delivered", "not_friend", "quota", "unsent", "failed",
)  # fmt: skip


def our_figures(corp: Corp, campaign: Campaign) -> dict[str, Any]:
    """What the product says, read from its tables at this moment."""
    results = results_of(campaign)
    return {
        "staff": Staff.objects.for_corp(corp).employed().count(),
        "customers": Customer.objects.for_corp(corp).live().count(),
        "follows": Follow.objects.for_corp(corp).live().count(),
        "tags": Tag.objects.for_corp(corp).current().filter(kind="wecom").count(),
        "groups": GroupChat.objects.for_corp(corp).existing().count(),
        "campaign": {word: results[word] for word in CAMPAIGN_FIGURES},
        "callbacks": _our_callbacks(corp),
    }


def true_figures(sandbox: SandboxRemote, campaign: Campaign) -> dict[str, Any]:
    """What the platform's own ledger says happened."""
    summary = sandbox.summary()
    msgids = list(campaign.tasks.asked().values_list("msgid", flat=True))
    sent = sandbox.campaign(msgids)
    return {
        **{key: summary[key] for key in ("staff", "customers", "follows", "tags", "groups")},
        # Whom we meant to reach is whom the platform was given: taken and refused together.
        "campaign": {"planned": sent["asked"] + sent["failed"]}
        | {word: sent[word] for word in CAMPAIGN_FIGURES[1:]},
        "callbacks": {
            "received": summary["callbacks"]["emitted"],
            "handled": summary["callbacks"]["emitted"],
            "failed": 0,
        },
        "asked_more_than_once": len(summary["asked_more_than_once"]),
    }


def disagreements(ours: dict[str, Any], truth: dict[str, Any]) -> list[str]:
    """One sentence for each figure in which the two sides differ."""
    found = [
        f"{name}: {_flat(ours)[name]} here, {value} on the platform"
        for name, value in _flat(truth).items()
        if name != "asked_more_than_once" and _flat(ours)[name] != value
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


def _flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in figures.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
