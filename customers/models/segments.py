"""Saved audiences."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer
from scrm.common.models import CorpModel, CorpQuerySet


class Segment(CorpModel):
    """A saved rule over customers, or a list of them (人群包).

    The grammar is in customers/actions/segments.py. A list's rule is `{"field": "list", …}` over
    its own members, so that whoever asks for the customers of a segment need not know which it is.
    """

    class Kind(models.TextChoices):
        RULE = "rule", _("rule")
        LIST = "list", _("list")

    name = models.CharField(_("name"), max_length=128)
    kind = models.CharField(_("kind"), max_length=4, choices=Kind, default=Kind.RULE)
    rule = models.JSONField(_("rule"))
    # Kept every night, so that who entered and who left can be told.
    is_watched = models.BooleanField(_("kept every night"), default=False)
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))

    objects = CorpQuerySet["Segment"].as_manager()

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        constraints = [
            models.UniqueConstraint(fields=["corp", "name"], name="segment_once_per_name")
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(CorpModel):
    """Who is on a list."""

    corp = models.ForeignKey(
        "tenancy.Corp", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")

    objects = CorpQuerySet["SegmentMember"].as_manager()

    class Meta:
        verbose_name = _("member of a list")
        verbose_name_plural = _("members of lists")
        constraints = [
            models.UniqueConstraint(fields=["segment", "customer"], name="list_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} in {self.segment_id}"


class SegmentSnapshot(CorpModel):
    """Who a segment's rule meant at a moment, kept as it was."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="snapshots")
    rule = models.JSONField(_("rule"))
    version = models.PositiveIntegerField(_("version"))
    # The moment that was asked about; of tags, stages and ownership it may lie in the past.
    as_of = models.DateTimeField(_("as of"))
    taken_at = models.DateTimeField(_("taken"))
    count = models.PositiveIntegerField(_("customers"))
    # Taken at night for the feed of who enters and leaves.
    is_nightly = models.BooleanField(default=False)

    objects = CorpQuerySet["SegmentSnapshot"].as_manager()

    class Meta:
        verbose_name = _("snapshot")
        verbose_name_plural = _("snapshots")
        indexes = [models.Index(fields=["segment", "-taken_at"], name="snapshot_by_segment")]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.as_of}"


class SnapshotMember(models.Model):
    """One customer of a snapshot; narrow, because a snapshot may have a million."""

    snapshot = models.ForeignKey(
        SegmentSnapshot, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")

    class Meta:
        verbose_name = _("member of a snapshot")
        verbose_name_plural = _("members of snapshots")
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "customer"], name="snapshot_member_once")
        ]

    def __str__(self) -> str:
        return f"{self.customer_id} in {self.snapshot_id}"


class SegmentMove(CorpModel):
    """A customer entered a watched segment or left it, between two nights."""

    corp = models.ForeignKey(
        "tenancy.Corp", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    segment = models.ForeignKey(
        Segment, on_delete=models.CASCADE, related_name="moves", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    has_entered = models.BooleanField(_("entered"))
    at = models.DateTimeField(_("at"))

    objects = CorpQuerySet["SegmentMove"].as_manager()

    class Meta:
        verbose_name = _("move")
        verbose_name_plural = _("moves")
        indexes = [models.Index(fields=["segment", "-at", "-id"], name="move_by_segment")]

    def __str__(self) -> str:
        return f"{self.customer_id} {'in' if self.has_entered else 'out'} {self.at}"
