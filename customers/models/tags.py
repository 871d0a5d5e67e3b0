"""Tags of three kinds, and who carries them.

`TagAssignment` is the truth; `CustomerTagSet` holds the same as one array per customer, because
"any of, all of, none of" over a million customers is answered from arrays several times faster
than from joined rows. Both are written in one transaction (customers/actions/tagging.py).
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q, Value
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer, Follow
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp


class TagKind(models.TextChoices):
    WECOM = "wecom", _("platform tag")
    SYSTEM = "system", _("system tag")
    AUTO = "auto", _("automatic tag")


class TagGroup(CorpModel):
    name = models.CharField(_("name"), max_length=64)
    kind = models.CharField(_("kind"), max_length=8, choices=TagKind, default=TagKind.SYSTEM)
    wecom_id = models.CharField(_("platform id"), max_length=64, blank=True)
    order = models.BigIntegerField(_("order"), default=0)
    # Who is given one tag of the group loses the others.
    is_exclusive = models.BooleanField(_("one at a time"), default=False, db_default=False)
    # Another app made it, the platform says (81011): this one may not change it.
    is_foreign = models.BooleanField(default=False, db_default=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    objects = CorpQuerySet["TagGroup"].as_manager()

    class Meta:
        verbose_name = _("tag group")
        verbose_name_plural = _("tag groups")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "wecom_id"],
                name="tag_group_once_per_platform_id",
                condition=~Q(wecom_id=""),
            ),
            models.UniqueConstraint(
                fields=["corp", "kind", "name"],
                name="own_tag_group_once_per_name",
                condition=Q(wecom_id="", deleted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TagQuerySet(CorpQuerySet["Tag"]):
    def current(self) -> "TagQuerySet":
        return self.filter(deleted_at__isnull=True)


class Tag(CorpModel):
    # int4: the arrays of `CustomerTagSet` are half as large, and nobody has two billion tags.
    id = models.AutoField(primary_key=True)
    group = models.ForeignKey(TagGroup, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(_("name"), max_length=64)
    kind = models.CharField(_("kind"), max_length=8, choices=TagKind, default=TagKind.SYSTEM)
    wecom_id = models.CharField(_("platform id"), max_length=64, blank=True)
    order = models.BigIntegerField(_("order"), default=0)
    # Whoever is given it loses it after so many days, unless told otherwise.
    lasts_days = models.PositiveSmallIntegerField(_("lasts days"), null=True, blank=True)
    # Another app made it, the platform says (81011): this one may not change it.
    is_foreign = models.BooleanField(default=False, db_default=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        verbose_name = _("tag")
        verbose_name_plural = _("tags")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "wecom_id"],
                name="tag_once_per_platform_id",
                condition=~Q(wecom_id=""),
            ),
            models.UniqueConstraint(
                fields=["group", "name"],
                name="own_tag_once_per_name",
                condition=Q(wecom_id="", deleted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class TagAssignment(CorpModel):
    """A customer carries a tag: through one follow (platform tags) or as a person (ours)."""

    # No indexes of their own: those below lead with them, and each makes bulk tagging slower.
    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", db_index=False)
    follow = models.ForeignKey(
        Follow,
        on_delete=models.CASCADE,
        null=True,
        related_name="tag_assignments",
        db_index=False,
    )
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True, blank=True)
    # Who gave it and why, in the words of the timeline (`TimelineEntry.source`, `data`).
    source = models.CharField(_("source"), max_length=8, default="system", db_default="system")
    why = models.JSONField(
        default=dict, blank=True, db_default=Value({}, output_field=models.JSONField())
    )

    objects = CorpQuerySet["TagAssignment"].as_manager()

    class Meta:
        verbose_name = _("tag assignment")
        verbose_name_plural = _("tag assignments")
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "tag", "follow"],
                name="tag_once_per_follow",
                nulls_distinct=False,
            )
        ]
        indexes = [
            # Who carries a tag.
            models.Index(fields=["corp", "tag", "customer"], name="assignment_by_tag"),
            # The platform tags of one relation.
            models.Index(
                fields=["follow"],
                name="assignment_by_follow",
                condition=Q(follow__isnull=False),
            ),
            models.Index(
                fields=["until"], name="assignment_by_end", condition=Q(until__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.customer_id}"


class PastTagAssignment(CorpModel):
    """A customer carried a tag from `since` up to `ended_at`; what the past is asked from."""

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", db_index=False)
    follow = models.ForeignKey(
        Follow, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    since = models.DateTimeField(_("since"))
    source = models.CharField(_("source"), max_length=8)
    why = models.JSONField(default=dict)
    ended_at = models.DateTimeField(_("ended"))
    ended_source = models.CharField(_("ended by"), max_length=8)
    ended_why = models.JSONField(default=dict)

    objects = CorpQuerySet["PastTagAssignment"].as_manager()

    class Meta:
        verbose_name = _("past tag assignment")
        verbose_name_plural = _("past tag assignments")
        indexes = [
            models.Index(fields=["customer", "tag", "ended_at"], name="past_tag_by_customer"),
            models.Index(fields=["corp", "tag", "ended_at"], name="past_tag_by_tag"),
        ]

    def __str__(self) -> str:
        return f"{self.tag_id} on {self.customer_id} until {self.ended_at}"


class PreTag(CorpModel):
    """A tag for somebody who has not arrived: given when she does, then no more needed."""

    identity_kind = models.CharField(max_length=16)
    identity_digest = models.BinaryField(max_length=32)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+")
    source = models.CharField(_("source"), max_length=8)
    why = models.JSONField(default=dict)
    created_at = models.DateTimeField(_("created"))

    objects = CorpQuerySet["PreTag"].as_manager()

    class Meta:
        verbose_name = _("tag in advance")
        verbose_name_plural = _("tags in advance")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "identity_kind", "identity_digest", "tag"], name="pretag_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tag_id} for {self.identity_kind}"


class CustomerTagSet(CorpModel):
    """All tag ids of a customer over the live follows and our own, sorted; absent when none."""

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    customer = models.OneToOneField(
        Customer, on_delete=models.CASCADE, primary_key=True, related_name="tag_set"
    )
    tag_ids = ArrayField(models.IntegerField())
    # When tags of ours changed last. Here and not in `Customer.updated_at`: tagging hundreds of
    # thousands would spend half its time on the indexes of the wide row.
    changed_at = models.DateTimeField(null=True)

    objects = CorpQuerySet["CustomerTagSet"].as_manager()

    class Meta:
        indexes = [
            GinIndex(fields=["tag_ids"], name="tag_set_by_tag"),
            # "Changed since" of the API.
            models.Index(fields=["corp", "changed_at"], name="tag_set_by_changed"),
        ]

    def __str__(self) -> str:
        return f"{self.customer_id}: {self.tag_ids}"
