"""Customers, who follows them, and where they stand."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp, Scope, Staff


class Stage(CorpModel):
    """A step of the customer's life with the brand (生命周期阶段)."""

    key = models.SlugField(_("key"), max_length=32)
    name = models.CharField(_("name"), max_length=64)
    order = models.PositiveSmallIntegerField(_("order"), default=0)

    objects = CorpQuerySet["Stage"].as_manager()

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        constraints = [models.UniqueConstraint(fields=["corp", "key"], name="stage_once_per_corp")]

    def __str__(self) -> str:
        return self.name


class CustomerQuerySet(CorpQuerySet["Customer"]):
    def live(self) -> Self:
        """Customers whom at least one member of staff still follows."""
        return self.filter(live_follows__gt=0)

    def lost(self) -> Self:
        return self.filter(live_follows=0)

    def new_since(self, since: datetime) -> Self:
        """Friends only since then; not those whom a colleague has handed over."""
        inherited = Follow.objects.filter(customer=OuterRef("pk"), status=Follow.Status.TRANSFERRED)
        return self.live().filter(~Exists(inherited), added_at__gte=since)

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        staff = Staff.objects.in_departments(scope.department_ids).values("pk")
        followed = Follow.objects.live().filter(customer=OuterRef("pk"), staff__in=staff)
        return self.filter(Q(corp_id__in=scope.corp_ids) | Exists(followed))


class Customer(CorpModel):
    """One person per corp, however many members of staff follow them."""

    class Type(models.IntegerChoices):
        WECHAT = 1, _("WeChat")
        WECOM = 2, _("WeCom")

    class BlockReason(models.TextChoices):
        OPERATOR = "operator", _("by an operator")
        OPT_OUT = "opt_out", _("asked to be left alone")
        PREGNANCY_LOSS = "pregnancy_loss", _("lost a pregnancy")

    class Gender(models.IntegerChoices):
        UNKNOWN = 0, _("unknown")
        MALE = 1, _("male")
        FEMALE = 2, _("female")

    # No index of its own: others lead with it, and each index makes bulk writes slower.
    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_userid = models.CharField(_("external id"), max_length=64)
    unionid = models.CharField(_("unionid"), max_length=64, blank=True)
    name = models.CharField(_("name"), max_length=128, blank=True)
    avatar = models.URLField(_("picture"), max_length=512, blank=True)
    type = models.PositiveSmallIntegerField(_("type"), choices=Type, default=Type.WECHAT)
    gender = models.PositiveSmallIntegerField(_("gender"), choices=Gender, default=Gender.UNKNOWN)
    position = models.CharField(_("position"), max_length=128, blank=True)
    company = models.CharField(_("company"), max_length=128, blank=True)
    stage = models.ForeignKey(
        Stage, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("stage")
    )
    # Until then the stage is what a person, or the brand's system, said: rules leave it alone.
    stage_held_until = models.DateTimeField(_("stage kept until"), null=True, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    is_blocked = models.BooleanField(_("never write to"), default=False)
    block_reason = models.CharField(
        _("why never"), max_length=16, choices=BlockReason, blank=True, default="", db_default=""
    )
    # Both follow from the follows and are kept with them in one transaction
    # (customers/actions/follows.py), because every list and every segment asks for them.
    live_follows = models.PositiveSmallIntegerField(_("followed by"), default=0)
    added_at = models.DateTimeField(_("added"), null=True)
    last_interaction_at = models.DateTimeField(_("last interaction"), null=True)
    created_at = models.DateTimeField(_("first seen"))
    updated_at = models.DateTimeField(_("updated"))

    objects = CustomerQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "external_userid"], name="customer_once_per_corp"
            )
        ]
        indexes = [
            # The list, newest first, and "added in the last N days" of segments.
            models.Index(fields=["corp", "-added_at", "-id"], name="customer_by_added"),
            models.Index(fields=["corp", "updated_at", "id"], name="customer_by_updated"),
            models.Index(
                fields=["corp", "unionid"], name="customer_by_unionid", condition=~Q(unionid="")
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.external_userid


class FollowQuerySet(CorpQuerySet["Follow"]):
    def live(self) -> Self:
        return self.filter(status=Follow.Status.LIVE)

    def of_staff(self, staff: Iterable[Staff]) -> Self:
        return self.filter(staff__in=staff)

    def waiting(self) -> Self:
        """Relations of those who have left or are leaving: somebody else is to take them over."""
        return self.live().filter(
            Q(staff__status=Staff.Status.LEFT) | Q(staff__leaving_since__isnull=False)
        )


class Follow(CorpModel):
    """One member of staff × one customer, as the platform knows the relation."""

    class Status(models.TextChoices):
        LIVE = "live", _("friends")
        DELETED_BY_CUSTOMER = "deleted_by_customer", _("deleted by the customer")
        DELETED_BY_STAFF = "deleted_by_staff", _("deleted by staff")
        TRANSFERRED = "transferred", _("handed over")
        GONE = "gone", _("no longer found on the platform")

    # No index of its own: others lead with it, and each index makes bulk writes slower.
    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="follows", db_index=False
    )
    staff = models.ForeignKey(Staff, on_delete=models.CASCADE, related_name="follows")
    remark = models.CharField(_("remark"), max_length=128, blank=True)
    description = models.CharField(_("description"), max_length=512, blank=True)
    state = models.CharField(_("channel"), max_length=64, blank=True)
    add_way = models.PositiveSmallIntegerField(_("how added"), default=0)
    added_by = models.CharField(_("added by"), max_length=64, blank=True)
    added_at = models.DateTimeField(_("added"))
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.LIVE)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    is_owner = models.BooleanField(_("owner"), default=False)
    last_interaction_at = models.DateTimeField(_("last interaction"), null=True)

    objects = FollowQuerySet.as_manager()

    class Meta:
        verbose_name = _("follow")
        verbose_name_plural = _("follows")
        constraints = [
            models.UniqueConstraint(fields=["customer", "staff"], name="follow_once_per_pair"),
            models.UniqueConstraint(
                fields=["customer"], name="one_owner_per_customer", condition=Q(is_owner=True)
            ),
            models.CheckConstraint(
                name="ended_follow_has_a_time",
                condition=Q(status="live", ended_at__isnull=True)
                | (~Q(status="live") & Q(ended_at__isnull=False)),
            ),
        ]
        indexes = [
            # Whom a member of staff follows; the sender of a campaign.
            models.Index(
                fields=["corp", "staff", "customer"],
                name="follow_live_by_staff",
                condition=Q(status="live"),
            ),
            models.Index(
                fields=["corp", "customer", "added_at"],
                name="follow_live_by_customer",
                condition=Q(status="live"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.staff_id} → {self.customer_id}"
