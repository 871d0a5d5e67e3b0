"""What happened to a customer, as far as no other row tells it."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp


class TimelineEntry(CorpModel):
    """One fact of a customer's life with the brand (客户轨迹).

    Written in the transaction of the fact itself. Facts that have rows of their own elsewhere (a
    delivered campaign, a step of a SOP, an incident) are not repeated here: the timeline reads
    them from there (customers/actions/timeline.py).
    """

    class Type(models.TextChoices):
        FOLLOW_ADDED = "follow.added", _("added by a member of staff")
        FOLLOW_ENDED = "follow.ended", _("follow ended")
        TAG_ADDED = "tag.added", _("tag added")
        TAG_REMOVED = "tag.removed", _("tag removed")
        STAGE_CHANGED = "stage.changed", _("stage changed")
        GROUP_JOINED = "group.joined", _("joined a group")
        GROUP_LEFT = "group.left", _("left a group")
        NOTE = "note", _("note")

    # What may start a SOP; only these are born fresh.
    TRIGGERS = (Type.FOLLOW_ADDED, Type.TAG_ADDED, Type.GROUP_JOINED)

    class Source(models.TextChoices):
        """Who says so."""

        EVENT = "event", _("callback")
        SYNC = "sync", _("reading the platform")
        PERSON = "person", _("person")
        API = "api", _("API")
        RULE = "rule", _("rule")
        SOP = "sop", _("SOP")
        SYSTEM = "system", _("system")

    # No indexes of their own: those below lead with them.
    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="timeline", db_index=False
    )
    type = models.CharField(_("type"), max_length=16, choices=Type)
    # On the platform's clock, where it tells.
    at = models.DateTimeField(_("at"))
    # The ids: {"staff": userid}, {"tag": id}, {"chat": chat_id}, {"from": key, "to": key} …
    data = models.JSONField(_("data"), default=dict)
    source = models.CharField(_("source"), max_length=8, choices=Source)
    recorded_at = models.DateTimeField(_("recorded"))
    # Still to be looked at by whatever is triggered by facts (campaigns/actions/triggers.py).
    is_fresh = models.BooleanField(default=False)

    objects = CorpQuerySet["TimelineEntry"].as_manager()

    class Meta:
        verbose_name = _("timeline entry")
        verbose_name_plural = _("timeline")
        indexes = [
            # One customer's timeline, newest first.
            models.Index(fields=["customer", "-at", "-id"], name="timeline_by_customer"),
            # The queue of whatever is triggered by facts.
            models.Index(fields=["id"], name="timeline_fresh", condition=Q(is_fresh=True)),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.type} {self.at}"
