"""Who did what, before and after."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from scrm.common.models import CorpModel, CorpQuerySet


class AuditEntry(CorpModel):
    """One act of a person, a brand's key or the system; written with the act, never changed."""

    class ActorKind(models.TextChoices):
        USER = "user", _("operator")
        API_KEY = "api_key", _("API key")
        SYSTEM = "system", _("system")

    at = models.DateTimeField(_("at"))
    actor_kind = models.CharField(_("kind of actor"), max_length=8, choices=ActorKind)
    actor_id = models.CharField(max_length=64, blank=True)
    actor_name = models.CharField(_("actor"), max_length=150)
    action = models.CharField(_("action"), max_length=64)
    subject_type = models.CharField(_("subject"), max_length=64)
    subject_id = models.CharField(_("subject id"), max_length=64)
    data = models.JSONField(_("data"), default=dict)

    objects = CorpQuerySet["AuditEntry"].as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        indexes = [
            # The log of a corp, newest first, and of one subject.
            models.Index(fields=["corp", "-at"], name="audit_by_corp"),
            models.Index(fields=["corp", "subject_type", "subject_id"], name="audit_by_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.subject_type} {self.subject_id}"
