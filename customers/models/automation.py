"""Simple rules of an operator: what the channel tells, and where a customer stands."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Stage
from customers.models.tags import Tag
from scrm.common.models import CorpModel, CorpQuerySet


class ChannelRule(CorpModel):
    """Who comes through a channel (`state` of the follow) gets these tags and this stage.

    Of several rules that fit, the one that says most decides alone: an exact channel before a
    beginning, a longer beginning before a shorter one (customers/actions/channel_rules.py).
    """

    name = models.CharField(_("name"), max_length=64)
    state = models.CharField(
        _("channel"), max_length=64, help_text=_("Exactly, or the beginning of it followed by *.")
    )
    tags = models.ManyToManyField(Tag, verbose_name=_("tags"), blank=True)
    stage = models.ForeignKey(
        Stage, on_delete=models.SET_NULL, null=True, blank=True, verbose_name=_("stage")
    )
    is_active = models.BooleanField(_("active"), default=True)
    # Who came earlier is changed only when somebody asks for it (`start_applying`).
    active_since = models.DateTimeField(_("active since"), null=True, blank=True)

    objects = CorpQuerySet["ChannelRule"].as_manager()

    class Meta:
        verbose_name = _("channel rule")
        verbose_name_plural = _("channel rules")
        constraints = [
            models.UniqueConstraint(fields=["corp", "state"], name="channel_rule_once_per_state")
        ]

    def __str__(self) -> str:
        return self.name


class StageRule(CorpModel):
    """Customers to whom `rule` applies stand at `stage`; the first rule in order decides."""

    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, verbose_name=_("stage"))
    rule = models.JSONField(_("rule"))
    order = models.PositiveSmallIntegerField(_("order"), default=0)
    is_active = models.BooleanField(_("active"), default=True)

    objects = CorpQuerySet["StageRule"].as_manager()

    class Meta:
        verbose_name = _("stage rule")
        verbose_name_plural = _("stage rules")
        ordering = ["order", "id"]

    def __str__(self) -> str:
        return f"{self.order}: {self.stage_id}"


class TagRule(CorpModel):
    """An automatic tag: whoever the rule means carries it (自动标签).

    A lasting one stays with whoever was meant once; any other is taken away again when the rule
    does not mean her any more. Nobody gives or takes it by hand.
    """

    tag = models.OneToOneField(Tag, on_delete=models.CASCADE, verbose_name=_("tag"))
    rule = models.JSONField(_("rule"))
    version = models.PositiveIntegerField(_("version"), default=1)
    is_lasting = models.BooleanField(_("stays once given"), default=False)
    is_active = models.BooleanField(_("active"), default=False)
    updated_at = models.DateTimeField(_("updated"))

    objects = CorpQuerySet["TagRule"].as_manager()

    class Meta:
        verbose_name = _("tag rule")
        verbose_name_plural = _("tag rules")

    def __str__(self) -> str:
        return str(self.tag)
