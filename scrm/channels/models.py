"""The door's ledgers: what came in, what is asked, what is to be read again, and our tokens."""

from datetime import datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KT
from django.utils.translation import gettext_lazy as _

from scrm.common.encryption import EncryptedTextField
from scrm.common.models import CorpModel, CorpQuerySet


class InboundEventQuerySet(CorpQuerySet["InboundEvent"]):
    """What is due is told by the statement that takes it (scrm/channels/actions/inbox_runs.py)."""


class InboundEvent(CorpModel):
    """A callback, stored once and answered at once; handled afterwards, in order per subject."""

    class Status(models.TextChoices):
        RECEIVED = "received", _("received")
        HANDLED = "handled", _("handled")
        IGNORED = "ignored", _("ignored")
        FAILED = "failed", _("failed")

    digest = models.BinaryField(max_length=32, editable=False)
    event = models.CharField(_("event"), max_length=64, blank=True)
    change_type = models.CharField(_("change"), max_length=64, blank=True)
    order_key = models.CharField(_("subject"), max_length=160, blank=True)
    body = models.TextField(_("body"))
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.RECEIVED)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)
    happened_at = models.DateTimeField(_("happened"), null=True)
    received_at = models.DateTimeField(_("received"))
    next_attempt_at = models.DateTimeField(_("next attempt"))
    handled_at = models.DateTimeField(_("handled at"), null=True)

    objects = InboundEventQuerySet.as_manager()

    class Meta:
        verbose_name = _("inbound event")
        verbose_name_plural = _("inbox")
        constraints = [
            # The platform repeats a callback up to three times; the whole inner XML is the key.
            models.UniqueConstraint(fields=["corp", "digest"], name="event_once_per_corp")
        ]
        indexes = [
            # Taking runs: the queue and the look for an earlier event of the same subject.
            models.Index(
                fields=["corp", "order_key", "id"],
                name="event_queue_by_subject",
                condition=Q(status="received"),
            ),
            models.Index(
                fields=["next_attempt_at", "id"], name="event_queue", condition=Q(status="received")
            ),
            models.Index(fields=["corp", "-id"], name="event_by_corp"),
            # The dead letters: listed, counted on every page of health, replayed by kind.
            models.Index(
                fields=["corp", "event", "change_type", "-id"],
                name="event_dead_letters",
                condition=Q(status="failed"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event}/{self.change_type} #{self.pk}"


# So many operations of one act of a person are asked before bulk work.
_FEW = 20


class OperationQuerySet(CorpQuerySet["Operation"]):
    """What is due is told by the fair claim (scrm/channels/actions/claiming.py)."""


class Operation(CorpModel):
    """One change asked of the platform, from the wish to the known outcome."""

    class Status(models.TextChoices):
        PENDING = "pending", _("waiting")
        IN_FLIGHT = "in_flight", _("being asked")
        UNKNOWN = "unknown", _("answer lost")
        SUCCEEDED = "succeeded", _("accepted")
        FAILED = "failed", _("refused")
        PARKED = "parked", _("parked")
        CANCELLED = "cancelled", _("cancelled")

    class Priority(models.IntegerChoices):
        WELCOME = 0, _("welcome")
        CLICK = 10, _("somebody waits")
        BULK = 20, _("bulk")

        @classmethod
        def of_act(cls, operations: int, *, is_persons: bool) -> "Operation.Priority":
            """Of so many operations that come of one act: somebody waits for a few of her own."""
            is_click = is_persons and operations <= _FEW
            return cls.CLICK if is_click else cls.BULK

    UNFINISHED = (Status.PENDING, Status.IN_FLIGHT, Status.UNKNOWN)

    kind = models.CharField(_("kind"), max_length=64)
    idempotency_key = models.CharField(_("key"), max_length=128)
    serial_key = models.CharField(_("in order with"), max_length=160, blank=True)
    priority = models.PositiveSmallIntegerField(
        _("priority"), choices=Priority, default=Priority.BULK
    )
    payload = models.JSONField(_("asked"))
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"))
    lease_until = models.DateTimeField(null=True, editable=False)
    # Set right before the request leaves: a lease that ran out without it was never asked.
    called_at = models.DateTimeField(_("called"), null=True)
    result = models.JSONField(_("answer"), default=dict)
    errcode = models.IntegerField(_("error code"), null=True)
    error = models.TextField(_("error"), blank=True)
    created_at = models.DateTimeField(_("created"))
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = OperationQuerySet.as_manager()

    class Meta:
        verbose_name = _("operation")
        verbose_name_plural = _("outbox")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "idempotency_key"], name="operation_once_per_key"
            )
        ]
        indexes = [
            # Expired leases, lost answers, what waits for a person: few rows, however many wait.
            models.Index(
                fields=["status", "next_attempt_at", "id"],
                name="operation_under_way",
                condition=Q(status__in=["in_flight", "unknown", "parked"]),
            ),
            # The claim: each lane's most urgent rows, without a look at the others'.
            models.Index(
                fields=["corp", "kind", "priority", "next_attempt_at", "id"],
                name="operation_lanes",
                condition=Q(status="pending"),
            ),
            models.Index(
                fields=["corp", "serial_key", "id"],
                name="operation_serial_queue",
                condition=Q(status__in=["pending", "in_flight", "unknown"]),
            ),
            models.Index(fields=["corp", "-id"], name="operation_by_corp"),
            # Whether a message found on the platform is the answer of another operation.
            models.Index(
                F("corp"),
                KT("result__msgid"),
                name="operation_by_msgid",
                condition=Q(status="succeeded", kind="ask_mass_message"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk} {self.status}"


class EndpointPause(CorpModel):
    """A kind of operation left alone for a while: the limit is reached, or nobody answers.

    The platform counts by endpoint: all kinds that call the same one pause together.
    """

    kind = models.CharField(_("kind"), max_length=64)
    until = models.DateTimeField(_("until"))
    # Pauses in a row: nobody tells which limit was reached, so each is twice as long.
    strikes = models.PositiveSmallIntegerField(default=1)
    # Null: no connection could be made.
    errcode = models.IntegerField(_("error code"), null=True)
    error = models.TextField(_("error"), blank=True)

    objects = CorpQuerySet["EndpointPause"].as_manager()

    class Meta:
        verbose_name = _("pause")
        verbose_name_plural = _("pauses")
        constraints = [models.UniqueConstraint(fields=["corp", "kind"], name="pause_once_per_kind")]

    def __str__(self) -> str:
        return f"{self.kind} until {self.until}"


class ApiWindow(models.Model):
    """How much of one limit is taken, where no Redis counts it (scrm/channels/counters.py).

    The table is unlogged: it costs no flush to disk, and after a crash it begins anew.
    """

    key = models.CharField(max_length=200, primary_key=True)
    # When all that was taken is regained; of a counter, when it is forgotten.
    until = models.DateTimeField()
    count = models.IntegerField(default=0)
    # Of a window: the calls of each slot, the newest first.
    slots = ArrayField(models.IntegerField(), db_default=[])

    def __str__(self) -> str:
        return self.key


class ApiUsage(CorpModel):
    """How often an endpoint was called on a day (of the platform's time zone), for people to see."""

    endpoint = models.CharField(_("endpoint"), max_length=80)
    day = models.DateField(_("day"))
    calls = models.PositiveIntegerField(_("calls"), default=0)
    # The last minute with calls, and how many.
    minute = models.DateTimeField()
    minute_calls = models.PositiveIntegerField(default=0)

    objects = CorpQuerySet["ApiUsage"].as_manager()

    class Meta:
        verbose_name = _("calls of a day")
        verbose_name_plural = _("calls of a day")
        constraints = [
            models.UniqueConstraint(fields=["corp", "endpoint", "day"], name="api_usage_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.endpoint} {self.day}: {self.calls}"


class RefreshQuerySet(CorpQuerySet["Refresh"]):
    def due(self, now: datetime) -> Self:
        unclaimed = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
        return self.filter(unclaimed, due_at__lte=now).order_by("due_at", "id")


class Refresh(CorpModel):
    """Something to be read from the platform again, because an event said that it changed.

    Handlers of events stay inside the database; what needs a question to the platform leaves a
    row here. The row is deleted when it has been read and no newer wish has moved `wished_at`.
    """

    class Kind(models.TextChoices):
        CUSTOMER = "customer", _("customer")
        GROUP_CHAT = "group_chat", _("group chat")
        TAGS = "tags", _("tags")
        STAFF = "staff", _("staff")
        JOIN_CODE = "join_code", _("join code")

    kind = models.CharField(_("kind"), max_length=16, choices=Kind)
    key = models.CharField(_("id"), max_length=128, blank=True)
    wished_at = models.DateTimeField(_("wished"))
    due_at = models.DateTimeField(_("due"))
    # While somebody reads it; a wish in the meantime must not send a second reader after the first.
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    error = models.TextField(_("error"), blank=True)

    objects = RefreshQuerySet.as_manager()

    class Meta:
        verbose_name = _("to be read again")
        verbose_name_plural = _("to be read again")
        constraints = [models.UniqueConstraint(fields=["corp", "kind", "key"], name="refresh_once")]
        indexes = [models.Index(fields=["due_at", "id"], name="refresh_queue")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


class AccessToken(CorpModel):
    """The platform token of one secret, shared by all processes; its row is the refresh lock."""

    # Of address, corp id and secret: whoever corrects one of them starts with a clean row.
    secret_digest = models.CharField(max_length=64)
    token = EncryptedTextField(blank=True)
    expires_at = models.DateTimeField(null=True)
    # A secret that was refused is not tried again before this time: the platform blocks the
    # address of callers who repeat a wrong secret (45009 for an hour, doc 90313).
    refused_until = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)
    refusal_errcode = models.IntegerField(null=True)

    objects = CorpQuerySet["AccessToken"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "secret_digest"], name="access_token_once_per_secret"
            )
        ]

    def __str__(self) -> str:
        return f"token of {self.corp_id}"


class ArchiveKey(CorpModel):
    """The private half of an RSA pair whose public half the corp gave the chat archive.

    Messages name the version they were sealed with; old keys are needed for as long as messages
    sealed with them may come (5 days) and are kept [doc 91552].
    """

    version = models.PositiveIntegerField(_("version"))
    private_key = EncryptedTextField(_("private key"))
    created_at = models.DateTimeField(_("created"))

    objects = CorpQuerySet["ArchiveKey"].as_manager()

    class Meta:
        verbose_name = _("archive key")
        verbose_name_plural = _("archive keys")
        constraints = [
            models.UniqueConstraint(fields=["corp", "version"], name="archive_key_once_per_version")
        ]

    def __str__(self) -> str:
        return f"{self.corp_id} v{self.version}"


class MediaFileQuerySet(CorpQuerySet["MediaFile"]):
    def due(self, now: datetime) -> Self:
        """Files to be given to the platform now: wanted, or about to expire there."""
        return self.filter(next_upload_at__lte=now).order_by("next_upload_at", "id")


class MediaFile(CorpModel):
    """A picture, voice, video or file of the corp, kept once by its content.

    The platform forgets what it was given after three days [doc 90253]: the file stays here and is
    given to it again, when it is wanted and before that time has passed.
    """

    class Kind(models.TextChoices):
        IMAGE = "image", _("picture")
        VOICE = "voice", _("voice")
        VIDEO = "video", _("video")
        FILE = "file", _("file")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind)
    name = models.CharField(_("name"), max_length=128)
    # SHA-256 of the content, in hex; where it lies in the storage is made of it.
    digest = models.CharField(max_length=64, editable=False)
    size = models.PositiveIntegerField(_("bytes"))
    media_id = models.CharField(_("media id"), max_length=256, blank=True)
    expires_at = models.DateTimeField(_("on the platform until"), null=True)
    # When a message last named it: what is in use is renewed in time.
    used_at = models.DateTimeField(_("used"), null=True)
    # Null: not to be uploaded until somebody wants it. While it is uploaded, the end of the lease.
    next_upload_at = models.DateTimeField(_("next upload"), null=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    problem = models.TextField(_("problem"), blank=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))

    objects = MediaFileQuerySet.as_manager()

    class Meta:
        verbose_name = _("media file")
        verbose_name_plural = _("media files")
        constraints = [
            models.UniqueConstraint(fields=["corp", "kind", "digest"], name="media_file_once")
        ]
        indexes = [
            models.Index(
                fields=["next_upload_at", "id"],
                name="media_upload_queue",
                condition=Q(next_upload_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """Where the content lies in Django's default storage."""
        return f"{self.corp_id}/{self.digest[:2]}/{self.digest}"

    def usable_id(self, now: datetime, *, at_least: timedelta) -> str:
        """The platform's id of it, if that is good for as long; else ""."""
        is_good = self.expires_at is not None and self.expires_at - now >= at_least
        return self.media_id if is_good else ""
