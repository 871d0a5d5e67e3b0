"""What customers are worth to the brand, and how they are doing."""

from typing import Self

from django.db import models
from django.db.models import F, FloatField, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Scope


class ValueClass(models.TextChoices):
    """The eight classes of RFM: whether R, F and M are high."""

    CHAMPION = "important_value", _("important, valued")  # R F M
    DEVELOP = "important_develop", _("important, to develop")  # R – M
    KEEP = "important_keep", _("important, to keep")  # – F M
    WIN_BACK = "important_retain", _("important, to win back")  # – – M
    VALUE = "general_value", _("ordinary, valued")  # R F –
    GROW = "general_develop", _("ordinary, to develop")  # R – –
    HOLD = "general_keep", _("ordinary, to keep")  # – F –
    LET_GO = "general_retain", _("ordinary, to win back")  # – – –
    NON_BUYER = "non_buyer", _("has not bought")


class ValueSettings(CorpModel):
    """How a corp scores: by fifths of its buyers, or by thresholds of its own."""

    class Method(models.TextChoices):
        FIFTHS = "fifths", _("fifths of the buyers")
        FIXED = "fixed", _("fixed thresholds")

    corp = models.OneToOneField("tenancy.Corp", on_delete=models.CASCADE, related_name="+")
    method = models.CharField(_("method"), max_length=8, choices=Method, default=Method.FIFTHS)
    # Four ascending numbers each: days, orders, fen.
    recency = models.JSONField(_("days since the last order"), default=list, blank=True)
    frequency = models.JSONField(_("orders in 365 days"), default=list, blank=True)
    monetary = models.JSONField(_("amount in 365 days"), default=list, blank=True)
    # Of what is paid, so much is left after costs.
    margin = models.DecimalField(_("margin"), max_digits=5, decimal_places=4, default=1)

    objects = CorpQuerySet["ValueSettings"].as_manager()

    class Meta:
        verbose_name = _("value settings")
        verbose_name_plural = _("value settings")

    def __str__(self) -> str:
        return self.get_method_display()


class CustomerValueQuerySet(CorpQuerySet["CustomerValue"]):
    """Churn is told from the rhythm of each: `cycle` is her own, or `typical` (days) without one.

    Who bought twice on one day only has no rhythm either: a cycle of 0 days says nothing.
    """

    AT_RISK, LOST = 1.5, 3.0

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        return self.filter(customer__in=Customer.objects.in_scope(scope).values("pk"))

    def with_cycle(self, typical: float | None) -> Self:
        """Adds `cycle`, and `overdue` days since she should have bought again."""
        own: NullIf = NullIf(F("cycle_days"), Value(0.0))
        cycle = Coalesce(own, Value(typical), output_field=FloatField())
        return self.annotate(cycle=cycle, overdue=F("recency_days") * 1.0 - cycle)

    def at_risk(self, typical: float | None) -> Self:
        """Later than one and a half cycles, and not lost yet."""
        return self.with_cycle(typical).filter(
            recency_days__gt=F("cycle") * self.AT_RISK, recency_days__lte=F("cycle") * self.LOST
        )

    def lost(self, typical: float | None) -> Self:
        return self.with_cycle(typical).filter(recency_days__gt=F("cycle") * self.LOST)


class CustomerValue(CorpModel):
    """Recency, frequency and money of one buyer as of a night; who never bought has no row."""

    corp = models.ForeignKey(
        "tenancy.Corp", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    customer = models.OneToOneField(
        Customer, on_delete=models.CASCADE, primary_key=True, related_name="value"
    )
    computed_on = models.DateField(_("as of"))
    first_order_at = models.DateTimeField(_("first order"))
    last_order_at = models.DateTimeField(_("last order"))
    recency_days = models.PositiveIntegerField(_("days since the last order"))
    # In the last 365 days.
    frequency = models.PositiveIntegerField(_("orders in 365 days"))
    monetary_fen = models.BigIntegerField(_("amount in 365 days"))
    lifetime_orders = models.PositiveIntegerField(_("orders"))
    lifetime_fen = models.BigIntegerField(_("amount"))
    # Median of the days between two orders; empty with one order.
    cycle_days = models.FloatField(_("days between orders"), null=True)
    r = models.PositiveSmallIntegerField("R")
    f = models.PositiveSmallIntegerField("F")
    m = models.PositiveSmallIntegerField("M")
    value_class = models.CharField(_("value class"), max_length=20, choices=ValueClass)

    objects = CustomerValueQuerySet.as_manager()

    class Meta:
        verbose_name = _("customer value")
        verbose_name_plural = _("customer values")
        indexes = [
            models.Index(fields=["corp", "value_class", "customer"], name="value_by_class"),
            models.Index(fields=["corp", "recency_days"], name="value_by_recency"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.r}{self.f}{self.m}"


class ValueChange(CorpModel):
    """A customer's scores from a night on, until the next row of hers."""

    corp = models.ForeignKey(
        "tenancy.Corp", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    day = models.DateField(_("day"))
    r = models.PositiveSmallIntegerField("R")
    f = models.PositiveSmallIntegerField("F")
    m = models.PositiveSmallIntegerField("M")
    value_class = models.CharField(_("value class"), max_length=20, choices=ValueClass)

    objects = CorpQuerySet["ValueChange"].as_manager()

    class Meta:
        verbose_name = _("change of value")
        verbose_name_plural = _("changes of value")
        constraints = [
            models.UniqueConstraint(fields=["customer", "day"], name="value_change_once_a_day")
        ]
        indexes = [models.Index(fields=["corp", "day"], name="value_change_by_day")]

    def __str__(self) -> str:
        return f"{self.customer_id} {self.day}: {self.value_class}"


class Child(CorpModel):
    """A child of a customer, born or expected; each has a maternity stage of its own."""

    class Gender(models.IntegerChoices):
        UNKNOWN = 0, _("unknown")
        BOY = 1, _("boy")
        GIRL = 2, _("girl")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="children")
    name = models.CharField(_("name"), max_length=32, blank=True)
    gender = models.PositiveSmallIntegerField(_("gender"), choices=Gender, default=Gender.UNKNOWN)
    due_on = models.DateField(_("due"), null=True, blank=True)
    born_on = models.DateField(_("born"), null=True, blank=True)
    # A pregnancy that was lost: from then on nobody writes to the customer about anything.
    lost_on = models.DateField(_("lost"), null=True, blank=True)
    created_at = models.DateTimeField(_("noted"))

    objects = CorpQuerySet["Child"].as_manager()

    class Meta:
        verbose_name = _("child")
        verbose_name_plural = _("children")
        constraints = [
            models.CheckConstraint(
                name="child_is_due_or_born",
                condition=Q(due_on__isnull=False) | Q(born_on__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.name or str(self.born_on or self.due_on)
