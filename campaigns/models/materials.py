"""What is said again and again, kept in one place."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from scrm.common.models import CorpModel, CorpQuerySet


class Material(CorpModel):
    """A text or an attachment that campaigns and SOP steps use by its id (素材)."""

    class Kind(models.TextChoices):
        TEXT = "text", _("text")
        IMAGE = "image", _("picture")
        LINK = "link", _("link")
        MINIPROGRAM = "miniprogram", _("mini program")
        VIDEO = "video", _("video")
        FILE = "file", _("file")

    class Status(models.TextChoices):
        READY = "ready", _("ready")
        BLOCKED = "blocked", _("must not be sent")
        ARCHIVED = "archived", _("archived")

    kind = models.CharField(_("kind"), max_length=12, choices=Kind)
    title = models.CharField(_("title"), max_length=128)
    # {"text": …} for texts; the fields of the attachment for the rest (campaigns/actions/content).
    content = models.JSONField(_("content"), default=dict)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.READY)
    # What screening found: [{rule, category, severity, start, end, text}].
    hits = models.JSONField(_("found by screening"), default=list)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))

    objects = CorpQuerySet["Material"].as_manager()

    class Meta:
        verbose_name = _("material")
        verbose_name_plural = _("materials")
        indexes = [models.Index(fields=["corp", "-id"], name="material_by_corp")]

    def __str__(self) -> str:
        return self.title
