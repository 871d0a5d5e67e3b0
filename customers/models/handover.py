"""Handing customers and chats of a colleague over to others (离职继承, 在职继承)."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer, Follow, FollowQuerySet
from scrm.channels.models import Operation
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp, Scope, Staff


class WaitingCustomerQuerySet(FollowQuerySet):
    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        staff = Staff.objects.in_departments(scope.department_ids).values("pk")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(staff__in=staff))


class WaitingCustomer(Follow):
    """A follow whose member of staff has left or is leaving; a list of its own in the admin."""

    objects = WaitingCustomerQuerySet.as_manager()  # type: ignore[misc]  # narrower than Follow's

    class Meta:
        proxy = True
        verbose_name = _("waiting customer")
        verbose_name_plural = _("waiting customers")


class HandoverKind(models.TextChoices):
    RESIGNED = "resigned", _("of a colleague who has left")
    IN_SERVICE = "in_service", _("of a colleague who stays")


class HandoverPlanQuerySet(CorpQuerySet["HandoverPlan"]):
    def executing(self) -> Self:
        return self.filter(status=HandoverPlan.Status.EXECUTING)

    def with_page(self) -> Self:
        return self.select_related("corp", "from_staff").prefetch_related("takers")

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        staff = Staff.objects.in_departments(scope.department_ids).values("pk")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(from_staff__in=staff))


class HandoverPlan(CorpModel):
    """Who gets whose customers and chats; edited until it is executed."""

    class Rule(models.TextChoices):
        BALANCED = "balanced", _("whom they know first, else who has the least")

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        EXECUTING = "executing", _("being carried out")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")

    kind = models.CharField(_("kind"), max_length=12, choices=HandoverKind)
    from_staff = models.ForeignKey(
        Staff, on_delete=models.RESTRICT, related_name="+", verbose_name=_("from")
    )
    takers = models.ManyToManyField(Staff, related_name="+", verbose_name=_("takers"))
    rule = models.CharField(_("rule"), max_length=12, choices=Rule, default=Rule.BALANCED)
    include_groups = models.BooleanField(_("with groups"), default=True)
    # What an in-service customer reads once taken over (≤ 200 characters) [doc 92125].
    message = models.CharField(_("message to the customer"), max_length=200, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.DRAFT)
    created_by = models.CharField(max_length=80, blank=True)
    executed_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))
    executed_at = models.DateTimeField(_("executed"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = HandoverPlanQuerySet.as_manager()

    class Meta:
        verbose_name = _("handover plan")
        verbose_name_plural = _("handover plans")
        indexes = [models.Index(fields=["corp", "-id"], name="handover_plan_by_corp")]

    def __str__(self) -> str:
        return f"{self.from_staff} #{self.pk}"

    @property
    def is_resigned(self) -> bool:
        return self.kind == HandoverKind.RESIGNED


class HandoverItemQuerySet(CorpQuerySet["HandoverItem"]):
    def under_way(self) -> Self:
        """Asked of the platform, and not known how it ended."""
        return self.filter(status__in=HandoverItem.UNDER_WAY)

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        return self.filter(plan__in=HandoverPlan.objects.in_scope(scope).values("pk"))

    def open(self) -> Self:
        """Not settled: still to be asked, or asked and not known how it ended."""
        return self.filter(status__in=HandoverItem.OPEN)

    def asked_between(self, giver_id: int, taker_id: int | None) -> Self:
        """Whatever was ever asked for from one member of staff to the other."""
        there = Q(to_staff=taker_id) | Q(tried__contains=[taker_id])
        return self.filter(there, from_staff=giver_id, asked_at__isnull=False)

    def of_customers(self) -> Self:
        return self.filter(customer__isnull=False)

    def of_chats(self) -> Self:
        return self.exclude(chat_id="")

    def facts_of(self, customer: Customer) -> Self:
        """What a customer's timeline tells of handovers: those that ended, newest first."""
        told = (
            HandoverItem.Status.SUCCEEDED,
            HandoverItem.Status.REJECTED,
            HandoverItem.Status.OVER_CAPACITY,
        )
        ended = self.filter(customer=customer, status__in=told, settled_at__isnull=False)
        return ended.select_related("from_staff", "to_staff", "plan").order_by("-settled_at", "-id")

    def with_page(self) -> Self:
        """What a list of items shows of each."""
        return self.select_related("customer", "from_staff", "to_staff", "operation").defer(
            "operation__payload", "operation__result"
        )

    def holding(self, customer: OuterRef | str = "pk") -> Exists:
        """Whether the customer of an outer query is being handed over; for `filter(~…)`."""
        reference = OuterRef(customer) if isinstance(customer, str) else customer
        return Exists(self.under_way().filter(customer=reference))


class HandoverItem(CorpModel):
    """One customer, or one chat, on the way from one member of staff to another."""

    class Status(models.TextChoices):
        PLANNED = "planned", _("planned")
        BLOCKED = "blocked", _("cannot be handed over")
        ASKED = "asked", _("being asked")
        WAITING = "waiting", _("waiting for the platform")
        SUCCEEDED = "succeeded", _("handed over")
        REJECTED = "rejected", _("refused by the customer")
        OVER_CAPACITY = "over_capacity", _("no taker had room")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    UNDER_WAY = (Status.ASKED, Status.WAITING)
    OPEN = (Status.PLANNED, *UNDER_WAY)
    SETTLED = (
        Status.BLOCKED,
        Status.SUCCEEDED,
        Status.REJECTED,
        Status.OVER_CAPACITY,
        Status.FAILED,
        Status.CANCELLED,
    )

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    plan = models.ForeignKey(
        HandoverPlan, on_delete=models.CASCADE, related_name="items", db_index=False
    )
    # Either a customer, or a chat: the platform's id, as `groups` stands above.
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    chat_id = models.CharField(_("chat id"), max_length=64, blank=True)
    # Repeated from the plan, for the constraint below.
    kind = models.CharField(_("kind"), max_length=12, choices=HandoverKind)
    from_staff = models.ForeignKey(
        Staff, on_delete=models.RESTRICT, related_name="+", db_index=False
    )
    to_staff = models.ForeignKey(
        Staff, on_delete=models.RESTRICT, null=True, related_name="+", verbose_name=_("taker")
    )
    # Takers (ids) who were found full or unable, in the order they were tried.
    tried = ArrayField(models.BigIntegerField(), default=list)
    status = models.CharField(_("status"), max_length=14, choices=Status, default=Status.PLANNED)
    # A word (`in_service_limit`, `customer_refused` …) or the platform's own sentence.
    reason = models.CharField(_("reason"), max_length=256, blank=True)
    errcode = models.IntegerField(_("error code"), null=True)
    operation = models.ForeignKey(Operation, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(_("asked"), null=True)
    takeover_at = models.DateTimeField(_("taken over"), null=True)
    settled_at = models.DateTimeField(_("settled"), null=True)
    # How often it was asked, of whomever; part of the key that names a request once and for all.
    attempts = models.PositiveSmallIntegerField(_("times asked"), default=0)
    # Not to be asked before: a limit of the platform frees it then.
    next_attempt_at = models.DateTimeField(_("not before"), null=True)

    objects = HandoverItemQuerySet.as_manager()

    class Meta:
        verbose_name = _("handover item")
        verbose_name_plural = _("handover items")
        constraints = [
            models.CheckConstraint(
                name="handover_item_is_customer_or_chat",
                condition=Q(customer__isnull=False, chat_id="")
                | (Q(customer__isnull=True) & ~Q(chat_id="")),
            ),
            models.UniqueConstraint(
                fields=["plan", "customer"],
                name="handover_customer_once_per_plan",
                condition=Q(customer__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["plan", "chat_id"],
                name="handover_chat_once_per_plan",
                condition=~Q(chat_id=""),
            ),
            # Two plans, or two clicks, never have the same thing on its way at a time.
            models.UniqueConstraint(
                fields=["corp", "from_staff", "customer"],
                name="handover_customer_once_at_a_time",
                condition=Q(customer__isnull=False, status__in=["asked", "waiting"]),
            ),
            models.UniqueConstraint(
                fields=["corp", "from_staff", "chat_id"],
                name="handover_chat_once_at_a_time",
                condition=~Q(chat_id="") & Q(status__in=["asked", "waiting"]),
            ),
        ]
        indexes = [
            models.Index(fields=["plan", "status", "id"], name="handover_item_by_status"),
            # Chats in transfer: twice in 90 days, 300 of one owner a day.
            models.Index(
                fields=["corp", "chat_id", "status"],
                name="handover_item_by_chat",
                condition=~Q(chat_id=""),
            ),
            # Whether a customer is being handed over; twice in 90 days.
            models.Index(
                fields=["corp", "customer", "status"],
                name="handover_item_by_customer",
                condition=Q(customer__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.plan_id}: {self.customer_id or self.chat_id} {self.status}"


class HandoverLegQuerySet(CorpQuerySet["HandoverLeg"]):
    def to_poll(self, now: datetime) -> Self:
        return self.filter(is_settled=False, next_poll_at__lte=now).order_by("next_poll_at", "id")


class HandoverLeg(CorpModel):
    """From one member of staff to one taker: what the platform's results are read by."""

    plan = models.ForeignKey(HandoverPlan, on_delete=models.CASCADE, related_name="legs")
    to_staff = models.ForeignKey(Staff, on_delete=models.RESTRICT, related_name="+")
    next_poll_at = models.DateTimeField(_("next look"), null=True)
    polls = models.PositiveSmallIntegerField(_("looks"), default=0)
    is_settled = models.BooleanField(_("settled"), default=False)
    problem = models.TextField(_("problem"), blank=True)

    objects = HandoverLegQuerySet.as_manager()

    class Meta:
        verbose_name = _("handover leg")
        verbose_name_plural = _("handover legs")
        constraints = [
            models.UniqueConstraint(fields=["plan", "to_staff"], name="handover_leg_once_per_taker")
        ]
        indexes = [
            models.Index(
                fields=["next_poll_at"],
                name="handover_poll_queue",
                condition=Q(is_settled=False, next_poll_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.plan_id} → {self.to_staff_id}"
