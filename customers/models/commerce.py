"""What the brand's own systems tell: orders and events."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models.identities import Awaited, PersonalQuerySet
from scrm.common.models import CorpModel, CorpQuerySet


class OrderQuerySet(PersonalQuerySet["Order"]):
    def paid(self) -> Self:
        """Orders that count as bought: paid once, whatever was given back of it since."""
        return self.filter(paid_at__isnull=False)


class Order(Awaited):
    """One order of one shop, as the brand's system said last."""

    class Status(models.TextChoices):
        PAID = "paid", _("paid")
        SHIPPED = "shipped", _("shipped")
        COMPLETED = "completed", _("completed")
        REFUNDED = "refunded", _("refunded")
        CLOSED = "closed", _("closed")

    shop_id = models.CharField(_("shop"), max_length=64)
    order_no = models.CharField(_("number"), max_length=64)
    status = models.CharField(_("status"), max_length=12, choices=Status)
    amount_fen = models.BigIntegerField(_("amount"))
    refunded_fen = models.BigIntegerField(_("refunded"), default=0)
    # Empty for an order that was closed without having been paid.
    paid_at = models.DateTimeField(_("paid"), null=True, blank=True)
    refunded_at = models.DateTimeField(_("refunded at"), null=True, blank=True)
    items = models.JSONField(_("items"), default=list, blank=True)
    # By the brand's clock: what is told later of an earlier state changes nothing.
    changed_at = models.DateTimeField(_("changed"))
    received_at = models.DateTimeField(_("received"))

    objects = OrderQuerySet.as_manager()

    class Meta:
        # Not the word for the order of things in a list.
        verbose_name = pgettext_lazy("purchase", "order")
        verbose_name_plural = _("orders")
        constraints = [
            # The number first: people search for it without saying which shop.
            models.UniqueConstraint(fields=["corp", "order_no", "shop_id"], name="order_once"),
            models.CheckConstraint(
                name="order_refund_within_amount",
                condition=Q(refunded_fen__gte=0, refunded_fen__lte=F("amount_fen")),
            ),
        ]
        indexes = [
            # One customer's orders, newest first; counts and sums of segments and of her value.
            models.Index(
                fields=["corp", "customer", "paid_at"],
                name="order_by_customer",
                condition=Q(paid_at__isnull=False),
            ),
            # The rest of them: closed without having been paid.
            models.Index(
                fields=["corp", "customer"],
                name="order_unpaid_by_customer",
                condition=Q(paid_at__isnull=True),
            ),
            models.Index(fields=["corp", "-received_at", "-id"], name="order_by_received"),
            models.Index(
                fields=["corp", "awaited_kind", "awaited_digest"],
                name="order_awaiting",
                condition=Q(customer__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shop_id}/{self.order_no}"


class EventType(CorpModel):
    """A kind of event with the JSON Schema that its data have to fit."""

    name = models.CharField(_("name"), max_length=64)
    schema = models.JSONField(_("schema"), default=dict)
    updated_at = models.DateTimeField(_("updated"))

    objects = CorpQuerySet["EventType"].as_manager()

    class Meta:
        verbose_name = _("event type")
        verbose_name_plural = _("event types")
        constraints = [
            models.UniqueConstraint(fields=["corp", "name"], name="event_type_once_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class BrandEventQuerySet(PersonalQuerySet["BrandEvent"]):
    def taken(self) -> Self:
        """Events that count; those in quarantine feed nothing."""
        return self.filter(status=BrandEvent.Status.TAKEN)

    def quarantined(self) -> Self:
        return self.filter(status=BrandEvent.Status.QUARANTINED)


class BrandEvent(Awaited):
    """Something a person did elsewhere: opened a page, filled a basket, took part in a class."""

    class Status(models.TextChoices):
        TAKEN = "taken", _("taken")
        QUARANTINED = "quarantined", _("in quarantine")

    event_id = models.CharField(_("event id"), max_length=128)
    type = models.CharField(_("type"), max_length=64)
    occurred_at = models.DateTimeField(_("happened"))
    received_at = models.DateTimeField(_("received"))
    data = models.JSONField(_("data"), default=dict)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.TAKEN)
    # Why it does not fit the schema of its type.
    problem = models.CharField(_("problem"), max_length=500, blank=True)

    objects = BrandEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        constraints = [models.UniqueConstraint(fields=["corp", "event_id"], name="event_once")]
        indexes = [
            models.Index(
                fields=["corp", "customer", "type", "occurred_at"],
                name="event_by_customer",
                condition=Q(status="taken"),
            ),
            models.Index(fields=["corp", "-received_at", "-id"], name="event_by_received"),
            # What waits for its schema to be mended, type by type.
            models.Index(
                fields=["corp", "type", "id"],
                name="event_quarantined",
                condition=Q(status="quarantined"),
            ),
            models.Index(
                fields=["corp", "awaited_kind", "awaited_digest"],
                name="event_awaiting",
                condition=Q(customer__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
