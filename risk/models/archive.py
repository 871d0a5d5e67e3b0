"""What was said: the platform's chat archive, as far as consent lets us keep it."""

from datetime import datetime, timedelta
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from scrm.common.encryption import EncryptedTextField
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp


class ArchiveCursorQuerySet(CorpQuerySet["ArchiveCursor"]):
    def due(self, now: datetime) -> Self:
        """Archives to be read now: their time has come, nobody reads them, there is a secret."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
        come = Q(next_pull_at__isnull=True) | Q(next_pull_at__lte=now)
        return self.filter(free, come).exclude(corp__archive_secret="").order_by("next_pull_at")


class ArchiveCursor(CorpModel):
    """How far a corp's archive has been taken in; moved with the messages in one transaction."""

    # The platform forgets what is older [doc 91774].
    KEPT_BY_PLATFORM = timedelta(days=5)
    # So long somebody is told that numbers are missing.
    GAP_SHOWN_FOR = timedelta(days=7)

    seq = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    next_pull_at = models.DateTimeField(_("next pull"), null=True)
    # When the archive last had nothing more.
    caught_up_at = models.DateTimeField(_("caught up"), null=True)
    # Up to when what was said has been taken in; moved with the messages, too.
    read_until = models.DateTimeField(_("taken in until"), null=True)
    # Numbers that the archive left out, after which one, and when that was seen.
    gap_size = models.BigIntegerField(_("numbers missing"), default=0)
    gap_after = models.BigIntegerField(default=0)
    gap_noted_at = models.DateTimeField(null=True)
    problem = models.TextField(_("problem"), blank=True)

    objects = ArchiveCursorQuerySet.as_manager()

    class Meta:
        verbose_name = _("archive")
        verbose_name_plural = _("archives")
        constraints = [models.UniqueConstraint(fields=["corp"], name="archive_cursor_once")]

    def __str__(self) -> str:
        return f"{self.corp_id} at {self.seq}"

    def lag(self, now: datetime) -> timedelta | None:
        """How far behind what is said it is; None when it was never tried."""
        since = self.read_until or self.caught_up_at
        return max(now - since, timedelta()) if since else None


class ArchivedMessageQuerySet(CorpQuerySet["ArchivedMessage"]):
    def to_screen(self) -> Self:
        return self.filter(screened_version__isnull=True, text_state="kept").order_by("id")

    def before(self, message: "ArchivedMessage") -> Self:
        """The conversation up to the message, newest first."""
        earlier = Q(sent_at__lt=message.sent_at) | Q(sent_at=message.sent_at, pk__lt=message.pk)
        return self._around(message).filter(earlier).order_by("-sent_at", "-id")

    def after(self, message: "ArchivedMessage") -> Self:
        """The conversation from the message on."""
        later = Q(sent_at__gt=message.sent_at) | Q(sent_at=message.sent_at, pk__gt=message.pk)
        return self._around(message).filter(later).order_by("sent_at", "id")

    def _around(self, message: "ArchivedMessage") -> Self:
        if not message.conversation or message.sent_at is None:
            return self.none()
        return self.filter(corp_id=message.corp_id, conversation=message.conversation)


class ArchivedMessage(CorpModel):
    """One message between staff and customers. Platform ids: `risk` stands below customers.

    What was taken back (`recalled_at`) keeps its text: taking it back is what reviewers look for.
    """

    # Longer texts are screened as a whole and then cut: a page shows no more.
    KEPT_CHARACTERS = 20_000

    class TextState(models.TextChoices):
        KEPT = "kept", _("kept")
        NO_CONSENT = "no_consent", _("no consent: not kept")
        INTERNAL = "internal", _("among colleagues: not kept")
        NO_TEXT = "no_text", _("not text: not checked")
        UNREADABLE = "unreadable", _("could not be opened")

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    seq = models.BigIntegerField(_("number"))
    msgid = models.CharField(_("platform id"), max_length=128)
    key_version = models.PositiveIntegerField(_("key version"), default=0)
    action = models.CharField(_("action"), max_length=8, default="send")
    kind = models.CharField(_("kind"), max_length=32, blank=True)
    sender = models.CharField(_("from"), max_length=64, blank=True)
    is_from_staff = models.BooleanField(_("from staff"), default=False)
    receivers = ArrayField(models.CharField(max_length=64), default=list)
    room_id = models.CharField(_("group"), max_length=64, blank=True)
    # The room, or the two who talk, in one form: what comes before and after a message.
    conversation = models.CharField(max_length=140, blank=True)
    sent_at = models.DateTimeField(_("sent"), null=True)
    text = EncryptedTextField(_("text"), blank=True)
    text_state = models.CharField(
        _("text"), max_length=10, choices=TextState, default=TextState.NO_TEXT
    )
    # Of the text as it came; what is kept of it may have been cut.
    text_length = models.PositiveIntegerField(_("characters"), default=0)
    # The platform's own form where the text does not say all, with the ids of its files. Kept where
    # words may be kept, and nowhere else.
    payload = EncryptedTextField(blank=True)
    recalled_at = models.DateTimeField(_("taken back"), null=True)
    problem = models.TextField(_("problem"), blank=True)
    # For one that could not be opened: when it was last tried.
    pulled_at = models.DateTimeField(_("taken in"))
    # By which publication it was screened; null: not yet.
    screened_version = models.PositiveIntegerField(null=True)

    objects = ArchivedMessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("archived message")
        verbose_name_plural = _("archived messages")
        constraints = [
            models.UniqueConstraint(fields=["corp", "msgid"], name="archived_message_once")
        ]
        indexes = [
            # Ten messages before and after an incident.
            models.Index(
                fields=["corp", "conversation", "sent_at", "id"], name="archived_conversation"
            ),
            models.Index(fields=["corp", "-seq"], name="archived_by_corp"),
            models.Index(
                fields=["id"],
                name="archived_to_screen",
                condition=Q(screened_version__isnull=True, text_state="kept"),
            ),
            # What may be opened once its key is there.
            models.Index(
                fields=["corp", "seq"],
                name="archived_unreadable",
                condition=Q(text_state="unreadable"),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.msgid} {self.kind}"

    @property
    def is_cut(self) -> bool:
        return self.text_length > len(self.text) > 0


class Agreement(CorpModel):
    """Whether an outsider agreed that a conversation is archived; asked of the platform.

    With a member of staff (`userid`, in lower case: ids are case-insensitive) or in a room.
    """

    userid = models.CharField(_("userid"), max_length=64, blank=True)
    external_userid = models.CharField(_("external id"), max_length=64)
    room_id = models.CharField(_("group"), max_length=64, blank=True)
    is_agreed = models.BooleanField(_("agreed"), default=False)
    changed_at = models.DateTimeField(_("since"), null=True)
    checked_at = models.DateTimeField(_("asked"))

    objects = CorpQuerySet["Agreement"].as_manager()

    class Meta:
        verbose_name = _("agreement to archiving")
        verbose_name_plural = _("agreements to archiving")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "external_userid", "userid", "room_id"], name="agreement_once"
            )
        ]
        indexes = [
            # Everybody in the rooms of a page of messages.
            models.Index(
                fields=["corp", "room_id"], name="agreement_by_room", condition=~Q(room_id="")
            )
        ]

    def __str__(self) -> str:
        return f"{self.external_userid}: {self.is_agreed}"
