"""SOPs: what is done for a customer, step by step, counted from a day of her own."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from campaigns.models.campaigns import Campaign
from customers.models import Customer, TimelineEntry
from scrm.channels.models import Operation
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp, Scope, Staff


class SopQuerySet(CorpQuerySet["Sop"]):
    def active(self) -> Self:
        return self.filter(status=Sop.Status.ACTIVE)

    def triggered_by(self, *words: str) -> Self:
        return self.filter(trigger__type__in=words)

    def in_scope(self, scope: Scope) -> Self:
        """A SOP speaks for the whole brand: who works in a part of it sees it as well."""
        if scope.everything:
            return self
        corps = Corp.objects.in_scope(scope).values("pk")
        return self.filter(corp__in=corps)


class Sop(CorpModel):
    """A sequence of steps and what starts it; the grammar is in campaigns/actions/sops/grammar.py."""

    class Trigger(models.TextChoices):
        MANUAL = "manual", _("by hand")
        CUSTOMER_ADDED = "customer_added", _("a customer was added")
        TAG_ADDED = "tag_added", _("a tag was given")
        ATTRIBUTE_DATE = "attribute_date", _("a date among the attributes")
        GROUP_JOINED = "group_joined", _("a group was joined")
        API = "api", _("through the API")

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        ACTIVE = "active", _("running")
        PAUSED = "paused", _("paused")

    class LatePolicy(models.TextChoices):
        SKIP = "skip", _("leave out what is too late")
        CATCH_UP = "catch_up", _("do it all the same")

    name = models.CharField(_("name"), max_length=128)
    # {"type": "tag_added", "tag": 12} and so on (api.md, exact meanings 11).
    trigger = models.JSONField(_("trigger"))
    # A segment rule: who it comes to apply to leaves the SOP.
    exit = models.JSONField(_("exit"), null=True, blank=True)
    # {"start": "21:00", "end": "09:00"}, local time of the corp.
    quiet_hours = models.JSONField(_("quiet hours"), null=True, blank=True)
    late_policy = models.CharField(
        _("after a delay"), max_length=8, choices=LatePolicy, default=LatePolicy.SKIP
    )
    grace_minutes = models.PositiveIntegerField(_("minutes of grace"), default=60)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.DRAFT)
    version = models.PositiveIntegerField(_("version"), default=1)
    # What happened before is nobody's trigger.
    activated_at = models.DateTimeField(_("started"), null=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))

    objects = SopQuerySet.as_manager()

    class Meta:
        verbose_name = _("SOP")
        verbose_name_plural = _("SOPs")
        constraints = [models.UniqueConstraint(fields=["corp", "name"], name="sop_once_per_name")]

    def __str__(self) -> str:
        return self.name


class StepQuerySet(models.QuerySet["Step"]):
    def current(self) -> Self:
        return self.filter(removed_at__isnull=True)


class Step(models.Model):
    """One thing to do at one time; a step keeps its id when the SOP is edited."""

    class Action(models.TextChoices):
        MESSAGE = "message", _("have the member of staff send a message")
        TASK = "task", _("tell the member of staff what to do")
        TAG = "tag", _("give tags")
        UNTAG = "untag", _("take tags")
        STAGE = "stage", _("move to a stage")

    sop = models.ForeignKey(Sop, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(_("position"))
    offset_days = models.IntegerField(_("days"), default=0)
    offset_minutes = models.IntegerField(_("minutes"), default=0)
    # With it: the local date of the anchor plus the days, at this time.
    at = models.TimeField(_("at"), null=True, blank=True)
    # {"kind": "message", "content": …, "attachments": […]} and so on.
    action = models.JSONField(_("action"))
    condition = models.JSONField(_("condition"), null=True, blank=True)
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return f"{self.sop_id}/{self.position}"


class EnrolmentQuerySet(CorpQuerySet["Enrolment"]):
    def active(self) -> Self:
        return self.filter(status=Enrolment.Status.ACTIVE)

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        customers = Customer.objects.in_scope(scope).filter(pk=OuterRef("customer"))
        return self.filter(Q(corp_id__in=scope.corp_ids) | Exists(customers))


class Enrolment(CorpModel):
    """A customer on her way through a SOP."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("under way")
        FINISHED = "finished", _("went to the end")
        EXITED = "exited", _("left early")
        CANCELLED = "cancelled", _("taken out")

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    sop = models.ForeignKey(
        Sop, on_delete=models.CASCADE, related_name="enrolments", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="enrolments", db_index=False
    )
    # Who acts; null: whoever follows the customer when a step is due. Moves with a handover.
    staff = models.ForeignKey(
        Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    anchor = models.DateTimeField(_("counted from"))
    trigger = models.CharField(_("entered by"), max_length=16, choices=Sop.Trigger)
    entry = models.ForeignKey(
        TimelineEntry, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    status = models.CharField(_("status"), max_length=9, choices=Status, default=Status.ACTIVE)
    reason = models.CharField(_("reason"), max_length=64, blank=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("entered"))
    ended_at = models.DateTimeField(_("ended"), null=True)

    objects = EnrolmentQuerySet.as_manager()

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        constraints = [
            # Once per customer: who has been through a SOP is taken in again by a person only.
            models.UniqueConstraint(
                fields=["sop", "customer"],
                name="enrolment_once_at_a_time",
                condition=Q(status="active"),
            )
        ]
        indexes = [
            models.Index(fields=["sop", "customer"], name="enrolment_by_sop"),
            models.Index(fields=["sop", "-id"], name="enrolment_list"),
            models.Index(fields=["customer"], name="enrolment_by_customer"),
        ]

    def __str__(self) -> str:
        return f"{self.sop_id}: {self.customer_id} {self.status}"


class StepRunQuerySet(CorpQuerySet["StepRun"]):
    def due(self, now: datetime) -> Self:
        """Not yet taken up, and the time to look at them has come."""
        return self.untaken().filter(look_at__lte=now).order_by("look_at", "id")

    def untaken(self) -> Self:
        """Still to be done, and nobody has been asked yet."""
        return self.filter(status=StepRun.Status.PENDING, taken_at__isnull=True)


class StepRun(CorpModel):
    """One step for one customer, from the plan to what became of it."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        DONE = "done", _("done")
        SKIPPED = "skipped", _("skipped")
        MISSED = "missed", _("missed")
        FAILED = "failed", _("failed")

    class Reason(models.TextChoices):
        """Why a step was not done, in words of the timeline."""

        CONDITION = "condition", _("the condition does not apply")
        NO_LIVE_FOLLOW = "no_live_follow", _("nobody follows the customer any more")
        STAFF_UNAVAILABLE = "staff_unavailable", _("the member of staff is not available")
        BLOCKED = "blocked", _("marked never to be written to")
        IN_HANDOVER = "in_handover", _("being handed over")
        RISK = "risk", _("stopped by the risk check")
        REPEATED = "repeated", _("done for this customer before")
        EXITED = "exited", _("the customer left the SOP")
        REMOVED = "removed", _("the step was taken out of the SOP")
        TOO_LATE = "too_late", _("it was too late")
        REFUSED = "refused", _("the platform refused it")
        CANCELLED = "cancelled", _("cancelled by a person")
        INVALID = "invalid", _("the step has lost its meaning")
        STAGE_HELD = "stage_held", _("somebody set the stage by hand")

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    enrolment = models.ForeignKey(
        Enrolment, on_delete=models.CASCADE, related_name="runs", db_index=False
    )
    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="runs", db_index=False)
    due_at = models.DateTimeField(_("due"))
    # When the tick looks at it: the due time, later when it has to wait (quiet hours, a handover),
    # empty while the SOP is paused. What is due stays what was promised.
    look_at = models.DateTimeField(null=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.PENDING)
    reason = models.CharField(_("reason"), max_length=32, blank=True)
    detail = models.TextField(_("detail"), blank=True)
    # Handed to a campaign or an operation; pending until the platform has answered.
    taken_at = models.DateTimeField(null=True)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.SET_NULL, null=True, related_name="step_runs"
    )
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, null=True, related_name="+")
    staff = models.ForeignKey(
        Staff, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    settled_at = models.DateTimeField(_("settled"), null=True)

    objects = StepRunQuerySet.as_manager()

    class Meta:
        verbose_name = _("step run")
        verbose_name_plural = _("step runs")
        constraints = [models.UniqueConstraint(fields=["enrolment", "step"], name="step_run_once")]
        indexes = [
            # The tick that takes up what is due.
            models.Index(
                fields=["look_at", "id"],
                name="step_run_look_queue",
                condition=Q(status="pending", taken_at__isnull=True),
            ),
            models.Index(fields=["step", "status", "id"], name="step_run_by_step"),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment_id}/{self.step_id} {self.status}"
