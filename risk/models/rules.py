"""What must not be said: words and patterns, by corp."""

from collections.abc import Sequence
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Department


class Severity(models.TextChoices):
    LOW = "low", _("low: passes and is recorded")
    MEDIUM = "medium", _("medium: warns")
    HIGH = "high", _("high: blocks")


class Prohibition(CorpModel):
    """What lexicons and rules share: how bad it is, for whom it holds, and what is allowed."""

    name = models.CharField(_("name"), max_length=64)
    category = models.CharField(_("category"), max_length=64)
    severity = models.CharField(_("severity"), max_length=6, choices=Severity)
    # staff, customer, campaign (risk/actions/screening.py: Direction); empty: all.
    directions = ArrayField(
        models.CharField(max_length=8), verbose_name=_("who says it"), default=list, blank=True
    )
    departments = models.ManyToManyField(
        Department,
        verbose_name=_("departments"),
        blank=True,
        help_text=_("With everything below them. Empty: the whole corp."),
    )
    # Phrases in which a hit does not count.
    allow = ArrayField(
        models.CharField(max_length=64), verbose_name=_("allowed phrases"), default=list, blank=True
    )
    is_draft = models.BooleanField(_("draft"), default=False)
    version = models.PositiveIntegerField(_("version"), default=1)
    created_at = models.DateTimeField(_("created"))
    updated_at = models.DateTimeField(_("updated"))

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


class Lexicon(Prohibition):
    """A list of words of one category and severity (敏感词库)."""

    words = ArrayField(models.CharField(max_length=64), verbose_name=_("words"), default=list)
    # Disguises beyond the normative ones that are seen through (api.md, exact meanings 12).
    sees_repeats = models.BooleanField(_("repeated characters"), default=False)
    sees_lookalikes = models.BooleanField(_("look-alike characters"), default=False)
    sees_split = models.BooleanField(_("split characters"), default=False)
    sees_pinyin = models.BooleanField(_("pinyin"), default=False)

    OPTIONS: ClassVar = ("repeats", "lookalikes", "split", "pinyin")
    # Of words just written: those that mean the same as one that was kept.
    merged_words: Sequence[str] = ()

    objects = CorpQuerySet["Lexicon"].as_manager()

    class Meta:
        verbose_name = _("lexicon")
        verbose_name_plural = _("lexicons")
        constraints = [models.UniqueConstraint(fields=["corp", "name"], name="lexicon_once")]

    @property
    def options(self) -> list[str]:
        """The disguises it sees through."""
        return [option for option in self.OPTIONS if getattr(self, f"sees_{option}")]


class RiskRule(Prohibition):
    """A pattern rather than a word (风险规则)."""

    class Kind(models.TextChoices):
        PHONE = "phone", _("phone number")
        EMAIL = "email", _("e-mail address")
        BANK_CARD = "bank_card", _("bank card number")
        LINK = "link", _("link")
        WORDS_TOGETHER = "words_together", _("words near each other")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    # {"words": [["加", "添加"], ["微信", "vx"]], "within": 12} for words near each other;
    # {"hosts": ["brand.example"]} for links that are allowed.
    settings = models.JSONField(_("settings"), default=dict, blank=True)

    objects = CorpQuerySet["RiskRule"].as_manager()

    class Meta:
        verbose_name = _("risk rule")
        verbose_name_plural = _("risk rules")
        constraints = [models.UniqueConstraint(fields=["corp", "name"], name="risk_rule_once")]


class Publication(CorpModel):
    """The version of a corp's rules that all processes screen by; raised with every change."""

    version = models.PositiveIntegerField(default=0)
    published_at = models.DateTimeField()

    objects = CorpQuerySet["Publication"].as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["corp"], name="publication_once_per_corp")]

    def __str__(self) -> str:
        return f"{self.corp_id} v{self.version}"
