"""Corp, its departments and staff, who may work on them, and the keys of brands."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from scrm.common.encryption import EncryptedTextField
from scrm.common.models import CorpModel, CorpQuerySet


@dataclass(frozen=True)
class Scope:
    """What a person may see: everything, whole corps, or departments with all below them."""

    everything: bool = False
    corp_ids: frozenset[int] = frozenset()
    department_ids: frozenset[int] = frozenset()


class CorpScope(models.QuerySet["Corp"]):
    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        below = Department.objects.filter(pk__in=scope.department_ids).values("corp_id")
        return self.filter(Q(pk__in=scope.corp_ids) | Q(pk__in=below))


class Corp(models.Model):
    """One WeCom enterprise = one brand = the isolation boundary."""

    class QuotaMode(models.TextChoices):
        """How many mass messages the platform lets one customer receive [doc 92135]."""

        MONTH = "month", _("as many a month as the month has days")
        WEEK = "week", _("7 a week")
        DAY = "day", _("1 a day")
        LEGACY = "legacy", _("4 a month (older corps)")

    corp_id = models.CharField(_("corp id"), max_length=64, unique=True)
    name = models.CharField(_("name"), max_length=128)
    time_zone = models.CharField(_("time zone"), max_length=64, default="Asia/Shanghai")
    base_url = models.URLField(_("platform address"), max_length=256)
    agent_id = models.CharField(_("agent id"), max_length=32, blank=True)
    secret = EncryptedTextField(_("app secret"))
    contact_secret = EncryptedTextField(_("contact secret"), blank=True)
    archive_secret = EncryptedTextField(_("archive secret"), blank=True)
    callback_token = EncryptedTextField(_("callback token"))
    callback_aes_key = EncryptedTextField(_("callback AES key"))
    quota_mode = models.CharField(
        _("mass message quota"), max_length=8, choices=QuotaMode, default=QuotaMode.MONTH
    )
    approval_threshold = models.PositiveIntegerField(
        _("approval from"),
        null=True,
        blank=True,
        help_text=_("Campaigns to at least this many customers need approval; empty: never."),
    )
    created_at = models.DateTimeField(_("created"))

    objects = CorpScope.as_manager()

    class Meta:
        verbose_name = _("corp")
        verbose_name_plural = _("corps")

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def customer_secret(self) -> str:
        """The secret that opens the customer-contact endpoints."""
        return self.contact_secret or self.secret


class Department(CorpModel):
    """A node of the platform's directory tree."""

    department_id = models.BigIntegerField(_("platform id"))
    name = models.CharField(_("name"), max_length=128)
    parent_id_on_platform = models.BigIntegerField(_("parent"), default=0)
    order = models.BigIntegerField(_("order"), default=0)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = CorpQuerySet["Department"].as_manager()

    class Meta:
        verbose_name = _("department")
        verbose_name_plural = _("departments")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "department_id"], name="department_once_per_corp"
            )
        ]

    def __str__(self) -> str:
        return self.name


class StaffQuerySet(CorpQuerySet["Staff"]):
    def active(self) -> Self:
        return self.filter(status=Staff.Status.ACTIVE)

    def employed(self) -> Self:
        return self.exclude(status=Staff.Status.LEFT)

    def available(self) -> Self:
        """Who may be given something new: a campaign, a step, a code, somebody's customers."""
        return self.active().filter(leaving_since__isnull=True)

    def leavers(self) -> Self:
        """Who has left or is leaving: somebody else is to take over from her."""
        return self.filter(Q(status=Staff.Status.LEFT) | Q(leaving_since__isnull=False))

    def in_departments(self, department_ids: Iterable[int]) -> Self:
        member = Staff.departments.through.objects.filter(
            staff_id=OuterRef("pk"), department_id__in=list(department_ids)
        )
        return self.filter(Exists(member))

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        in_departments = Staff.objects.in_departments(scope.department_ids).values("pk")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(pk__in=in_departments))


class Staff(CorpModel):
    """An employee who talks to customers through WeCom."""

    class Status(models.TextChoices):
        ACTIVE = "active", _("active")
        DISABLED = "disabled", _("disabled")
        NOT_ACTIVATED = "not_activated", _("not activated")
        LEFT = "left", _("left")

    userid = models.CharField(_("userid"), max_length=64)
    name = models.CharField(_("name"), max_length=128)
    alias = models.CharField(_("alias"), max_length=64, blank=True)
    position = models.CharField(_("position"), max_length=128, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.ACTIVE)
    has_customer_contact = models.BooleanField(_("may talk to customers"), default=False)
    departments = models.ManyToManyField(Department, verbose_name=_("departments"), blank=True)
    # Marked by us, before the platform knows (customers/actions/leaving.py).
    leaving_since = models.DateTimeField(_("leaving since"), null=True, blank=True)
    left_at = models.DateTimeField(_("left at"), null=True, blank=True)

    objects = StaffQuerySet.as_manager()

    class Meta:
        verbose_name = _("staff member")
        verbose_name_plural = _("staff")
        constraints = [
            models.UniqueConstraint(fields=["corp", "userid"], name="staff_once_per_corp")
        ]

    def __str__(self) -> str:
        return self.name or self.userid


class CorpAccess(CorpModel):
    """A person who works in the admin for a corp, in all of it or in some departments."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="corp_accesses"
    )
    departments = models.ManyToManyField(
        Department,
        verbose_name=_("departments"),
        blank=True,
        help_text=_("With everything below them. Empty: the whole corp."),
    )

    objects = CorpQuerySet["CorpAccess"].as_manager()

    class Meta:
        verbose_name = _("access to a corp")
        verbose_name_plural = _("access to corps")
        constraints = [
            models.UniqueConstraint(fields=["user", "corp"], name="access_once_per_user_and_corp")
        ]

    def __str__(self) -> str:
        return f"{self.user} @ {self.corp}"


class ApiKeyQuerySet(CorpQuerySet["ApiKey"]):
    def usable(self, now: datetime) -> Self:
        unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
        return self.filter(unexpired, revoked_at__isnull=True)


class ApiKey(CorpModel):
    """A brand's way in: shown once, kept as a hash, limited to its scopes."""

    name = models.CharField(_("name"), max_length=128)
    prefix = models.CharField(_("starts with"), max_length=16)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=64), verbose_name=_("scopes"), default=list)
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def allows(self, scope: str) -> bool:
        return "*" in self.scopes or scope in self.scopes


class IdempotentCall(CorpModel):
    """The first answer to a call that carried an `Idempotency-Key`, kept for 72 hours."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=512)
    fingerprint = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    body = models.BinaryField(default=b"")
    content_type = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["api_key", "key", "method", "path"], name="idempotent_call_once"
            )
        ]
        indexes = [
            # The hourly purge of what is older than 72 hours.
            models.Index(fields=["started_at"], name="idempotent_call_purge")
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"


class RateWindow(models.Model):
    """How many calls a key made in one window; counted in the database, true for all processes."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    window = models.BigIntegerField()
    calls = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "window"], name="rate_window_once")
        ]

    def __str__(self) -> str:
        return f"{self.api_key_id}@{self.window}: {self.calls}"
