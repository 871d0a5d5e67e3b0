"""The sidebar, in the order of an operator's day; only what the person may see."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Item:
    title: Any
    icon: str
    model: str  # "app_label.model_name"
    for_superusers: bool = False

    def is_shown_to(self, request: HttpRequest) -> bool:
        app_label, model_name = self.model.split(".")
        if self.for_superusers:
            return request.user.is_active and bool(getattr(request.user, "is_superuser", False))
        rights = (f"{app_label}.{right}_{model_name}" for right in ("view", "change"))
        return any(request.user.has_perm(right) for right in rights)

    def as_link(self) -> dict[str, Any]:
        link = reverse(f"admin:{self.model.replace('.', '_')}_changelist")
        return {"title": self.title, "icon": self.icon, "link": link}


SECTIONS: tuple[tuple[Any, tuple[Item, ...]], ...] = (
    (
        _("Customers"),
        (
            Item(_("Customers"), "group", "customers.customer"),
            Item(_("Segments"), "filter_alt", "customers.segment"),
            Item(_("Customer value"), "diamond", "customers.customervalue"),
            Item(_("Orders"), "receipt_long", "customers.order"),
            Item(_("Events"), "bolt", "customers.brandevent"),
            Item(_("Event types"), "schema", "customers.eventtype"),
            Item(_("Phones and numbers"), "badge", "customers.identity"),
            Item(_("Tags"), "sell", "customers.tag"),
            Item(_("Tag groups"), "style", "customers.taggroup"),
            Item(_("Tag rules"), "auto_awesome", "customers.tagrule"),
            Item(_("Tags in advance"), "schedule", "customers.pretag"),
            Item(_("Stages"), "timeline", "customers.stage"),
            Item(_("Stage rules"), "rule", "customers.stagerule"),
            Item(_("Channel rules"), "qr_code_2", "customers.channelrule"),
        ),
    ),
    (
        _("Groups"),
        (
            Item(_("Group chats"), "forum", "groups.groupchat"),
            Item(_("Join codes"), "qr_code_scanner", "groups.joincode"),
            Item(_("Group tags"), "label", "groups.grouptag"),
        ),
    ),
    (
        _("Reach"),
        (
            Item(_("Campaigns"), "campaign", "campaigns.campaign"),
            Item(_("SOPs"), "route", "campaigns.sop"),
            Item(_("Materials"), "perm_media", "campaigns.material"),
            Item(_("Media files"), "image", "channels.mediafile"),
        ),
    ),
    (
        _("Risk"),
        (
            Item(_("Incidents"), "report", "risk.incident"),
            Item(_("Lexicons"), "menu_book", "risk.lexicon"),
            Item(_("Risk rules"), "gavel", "risk.riskrule"),
            Item(_("Archived messages"), "chat", "risk.archivedmessage"),
            Item(_("Agreements to archiving"), "handshake", "risk.agreement"),
        ),
    ),
    (
        _("Handover"),
        (
            Item(_("Waiting customers"), "person_alert", "customers.waitingcustomer"),
            Item(_("Handovers"), "swap_horiz", "customers.handoverplan"),
        ),
    ),
    (
        _("Organisation"),
        (
            Item(_("Staff"), "badge", "tenancy.staff"),
            Item(_("Departments"), "account_tree", "tenancy.department"),
        ),
    ),
    (
        _("Connections"),
        (
            Item(_("Corps"), "domain", "tenancy.corp"),
            Item(_("Message archive"), "inventory_2", "risk.archivecursor"),
            Item(_("API keys"), "key", "tenancy.apikey"),
        ),
    ),
    (
        _("Records"),
        (
            Item(_("Jobs"), "pending_actions", "jobs.job"),
            Item(_("Inbox"), "inbox", "channels.inboundevent"),
            Item(_("Outbox"), "outbox", "channels.operation"),
            Item(_("Audit log"), "history_edu", "audit.auditentry"),
        ),
    ),
    (
        _("Administration"),
        (
            Item(_("Users"), "person", "auth.user", for_superusers=True),
            Item(_("Roles"), "shield_person", "auth.group", for_superusers=True),
            Item(_("Access to corps"), "lock_person", "tenancy.corpaccess", for_superusers=True),
            Item(_("Heartbeat"), "monitor_heart", "jobs.tick", for_superusers=True),
            Item(_("Schedule"), "schedule", "django_celery_beat.periodictask", for_superusers=True),
            Item(_("To be read again"), "autorenew", "channels.refresh", for_superusers=True),
            Item(_("Pauses"), "pause_circle", "channels.endpointpause", for_superusers=True),
        ),
    ),
)


def sections(request: HttpRequest) -> list[dict[str, Any]]:
    home = {"title": _("Home"), "icon": "home", "link": reverse("admin:index")}
    return [{"items": [home]}, *_shown(request)]


def _shown(request: HttpRequest) -> Iterator[dict[str, Any]]:
    for title, items in SECTIONS:
        links = [item.as_link() for item in items if item.is_shown_to(request)]
        if links:
            yield {"title": title, "items": links, "separator": True}
