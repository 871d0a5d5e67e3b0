"""What somebody has to look at, and what was decided."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Case, F, OrderBy, Q, Value, When
from django.db.models.functions import Cast, Extract
from django.utils.translation import gettext_lazy as _

from risk.models.archive import ArchivedMessage
from risk.models.rules import Severity
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp, Scope, Staff


class IncidentQuerySet(CorpQuerySet["Incident"]):
    def waiting(self) -> Self:
        return self.filter(status=Incident.Status.OPEN)

    def by_urgency(self, now: datetime) -> Self:
        return self.order_by(*Incident.urgency(now))

    def overdue(self, now: datetime) -> Self:
        late = Q()
        for severity, time in Incident.DECIDE_WITHIN.items():
            late |= Q(severity=severity, opened_at__lt=now - time)
        return self.waiting().filter(late)

    def of_customer(self, corp: Corp, external_userid: str) -> Self:
        """What concerns a customer, newest first."""
        if not external_userid:
            return self.none()
        return self.for_corp(corp).filter(external_userid=external_userid).order_by("-id")

    def related_to(self, incident: "Incident") -> Self:
        """Other incidents of the same member of staff or customer, newest first."""
        same = Q()
        if incident.staff_id:
            same |= Q(staff_id=incident.staff_id)
        if incident.external_userid:
            same |= Q(external_userid=incident.external_userid)
        if not same:
            return self.none()
        others = self.filter(same, corp_id=incident.corp_id).exclude(pk=incident.pk)
        return others.order_by("-id")

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        staff = Staff.objects.in_departments(scope.department_ids).values("pk")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(staff__in=staff))


class Incident(CorpModel):
    """Something said or done that a person should judge (风险事件)."""

    class Kind(models.TextChoices):
        MESSAGE = "message", _("message")
        DELETION = "deletion", _("a member of staff deleted a customer")
        STOPPED_SEND = "stopped_send", _("something was stopped before it was sent")

    class Status(models.TextChoices):
        """`low` passes and is recorded: nobody has to look at it."""

        OPEN = "open", _("to be looked at")
        DECIDED = "decided", _("decided")
        RECORDED = "recorded", _("recorded only")

    class Decision(models.TextChoices):
        FALSE_ALARM = "false_alarm", _("false alarm")
        REMINDED = "reminded", _("reminded")
        MINOR = "minor", _("minor violation")
        SERIOUS = "serious", _("serious violation")
        ESCALATED = "escalated", _("escalated")
        CARE = "care", _("the customer needs help")

    # How long an open incident may wait.
    DECIDE_WITHIN: ClassVar[dict[str, timedelta]] = {
        Severity.HIGH: timedelta(hours=4),
        Severity.MEDIUM: timedelta(hours=24),
        Severity.LOW: timedelta(hours=72),
    }

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    # Names the occasion once and for all: a message is one incident however often it is screened.
    key = models.CharField(max_length=160)
    category = models.CharField(_("category"), max_length=64, blank=True)
    severity = models.CharField(_("severity"), max_length=6, choices=Severity)
    staff = models.ForeignKey(
        Staff,
        on_delete=models.SET_NULL,
        null=True,
        related_name="+",
        verbose_name=_("staff member"),
    )
    external_userid = models.CharField(_("external id"), max_length=64, blank=True)
    chat_id = models.CharField(_("chat id"), max_length=64, blank=True)
    message = models.ForeignKey(
        ArchivedMessage, on_delete=models.SET_NULL, null=True, related_name="incidents"
    )
    # [{rule, category, severity, start, end, text}]; where the text may not be kept, without it.
    hits = models.JSONField(_("found"), default=list)
    # What else tells what it is about: {"campaign": 12}, {"sop_step": 3} …
    data = models.JSONField(default=dict)
    happened_at = models.DateTimeField(_("happened"))
    opened_at = models.DateTimeField(_("opened"))
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.OPEN)
    decision = models.CharField(_("decision"), max_length=12, choices=Decision, blank=True)
    note = models.TextField(_("reason"), blank=True)
    decided_by = models.CharField(_("decided by"), max_length=80, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        constraints = [
            models.UniqueConstraint(fields=["corp", "key"], name="incident_once_per_occasion")
        ]
        indexes = [
            # The queue.
            models.Index(
                fields=["corp", "severity", "opened_at"],
                name="incident_queue",
                condition=Q(status="open"),
            ),
            models.Index(fields=["corp", "-id"], name="incident_by_corp"),
            models.Index(
                fields=["corp", "external_userid", "-id"],
                name="incident_by_customer",
                condition=~Q(external_userid=""),
            ),
            # What was decided about the same member of staff.
            models.Index(
                fields=["staff", "-id"],
                name="incident_by_staff",
                condition=Q(staff__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} #{self.pk}"

    @classmethod
    def urgency(cls, now: datetime) -> list[OrderBy]:
        """What has used up most of the time it may wait comes first, what needs nobody last."""
        age = Extract(Value(now, models.DateTimeField()) - F("opened_at"), "epoch")
        allowed = Case(
            *(
                When(severity=severity, then=Value(time.total_seconds()))
                for severity, time in cls.DECIDE_WITHIN.items()
            ),
            output_field=models.FloatField(),
        )
        used = Cast(age, models.FloatField()) / allowed
        is_open = Case(When(status=cls.Status.OPEN, then=1), default=0)
        return [is_open.desc(), used.desc(), F("pk").desc()]

    @property
    def is_open(self) -> bool:
        return self.status == Incident.Status.OPEN

    @property
    def decide_by(self) -> datetime:
        return self.opened_at + self.DECIDE_WITHIN[self.severity]
