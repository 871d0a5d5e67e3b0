"""Saved audiences."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from scrm.common.models import CorpModel, CorpQuerySet


class Segment(CorpModel):
    """A saved rule over customers (人群包); the grammar is in customers/actions/segments.py."""

    name = models.CharField(_("name"), max_length=128)
    rule = models.JSONField(_("rule"))
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
