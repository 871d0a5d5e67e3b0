"""Campaigns: what is said to whom, who is asked to send it, and what became of it."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, Segment
from groups.models import GroupChat
from scrm.channels.models import Operation
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Corp, Scope, Staff


class CampaignQuerySet(CorpQuerySet["Campaign"]):
    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        staff = Staff.objects.in_departments(scope.department_ids).values("pk")
        asked = Task.objects.filter(campaign=OuterRef("pk"), staff__in=staff)
        return self.filter(Q(corp_id__in=scope.corp_ids) | Exists(asked))

    def made_by_people(self) -> Self:
        """Without those that SOPs make for their messages."""
        return self.filter(sop_step__isnull=True)

    def to_plan(self, now: datetime) -> Self:
        """Scheduled campaigns whose time has come, and half-planned ones without a worker."""
        scheduled = Q(status=Campaign.Status.SCHEDULED, send_at__lte=now)
        abandoned = Q(status=Campaign.Status.PLANNING, planned_at__isnull=True, lease_until__lt=now)
        return self.filter(scheduled | abandoned).order_by("send_at", "id")


class Campaign(CorpModel):
    """A mass message: planned by us, sent by staff when they confirm it."""

    class Kind(models.TextChoices):
        CUSTOMERS = "customers", _("to customers")
        GROUPS = "groups", _("to groups")

    class SenderPolicy(models.TextChoices):
        LAST_CHAT = "last_chat", _("who last talked with the customer")
        OWNER = "owner", _("the customer's owner")
        NAMED = "named", _("only the staff named here")

    class Status(models.TextChoices):
        DRAFT = "draft", _("draft")
        PENDING_APPROVAL = "pending_approval", _("waiting for approval")
        SCHEDULED = "scheduled", _("scheduled")
        PLANNING = "planning", _("being planned")
        ASKED = "asked", _("staff asked")
        PARTLY_CONFIRMED = "partly_confirmed", _("partly confirmed")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    name = models.CharField(_("name"), max_length=128)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind, default=Kind.CUSTOMERS)
    segment = models.ForeignKey(
        Segment, on_delete=models.RESTRICT, null=True, blank=True, verbose_name=_("segment")
    )
    external_userids = ArrayField(
        models.CharField(max_length=64), verbose_name=_("customer ids"), null=True, blank=True
    )
    content = models.TextField(_("text"), blank=True)
    attachments = models.JSONField(_("attachments"), default=list, blank=True)
    # With the kind `groups`: which chats.
    chat_ids = ArrayField(
        models.CharField(max_length=64), verbose_name=_("chat ids"), null=True, blank=True
    )
    # The step of a SOP that this campaign speaks for; empty for campaigns that people make.
    sop_step = models.ForeignKey(
        "campaigns.Step", on_delete=models.CASCADE, null=True, related_name="campaigns"
    )
    send_at = models.DateTimeField(
        _("send at"), null=True, blank=True, help_text=_("Empty: as soon as it is submitted.")
    )
    sender_policy = models.CharField(
        _("sender"), max_length=12, choices=SenderPolicy, default=SenderPolicy.LAST_CHAT
    )
    senders = models.ManyToManyField(Staff, verbose_name=_("named staff"), blank=True)
    status = models.CharField(_("status"), max_length=20, choices=Status, default=Status.DRAFT)
    # The rule as it was when the campaign was submitted: later edits of the segment do not reach it.
    rule = models.JSONField(null=True)
    # Where planning stands: customers up to this id are planned; it goes on behind it.
    planned_up_to = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    problem = models.TextField(_("problem"), blank=True)
    created_by = models.CharField(max_length=80, blank=True)
    submitted_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))
    submitted_at = models.DateTimeField(_("submitted"), null=True)
    planned_at = models.DateTimeField(_("planned"), null=True)
    asked_at = models.DateTimeField(_("asked"), null=True)
    cancelled_at = models.DateTimeField(_("cancelled at"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        indexes = [
            # The tick that starts what is due.
            models.Index(
                fields=["send_at"],
                name="campaign_queue",
                condition=Q(status__in=["scheduled", "planning"]),
            ),
            models.Index(fields=["corp", "-id"], name="campaign_by_corp"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_to_chats(self) -> bool:
        return self.kind == Campaign.Kind.GROUPS


class TaskQuerySet(CorpQuerySet["Task"]):
    def asked(self) -> Self:
        """Tasks the platform knows, whether confirmed or not."""
        return self.exclude(msgid="")

    def unconfirmed(self) -> Self:
        return self.filter(status=Task.Status.ASKED)

    def to_poll(self, now: datetime) -> Self:
        return self.filter(is_settled=False, next_poll_at__lte=now).order_by("next_poll_at", "id")


class Task(CorpModel):
    """One message to one member of staff: please send this to these customers (≤ 10 000)."""

    class Status(models.TextChoices):
        PLANNED = "planned", _("planned")
        ASKED = "asked", _("asked")
        CONFIRMED = "confirmed", _("confirmed")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("refused")

    # Nobody was asked: nothing to look for on the platform.
    DROPPED_STATUSES = (Status.CANCELLED, Status.FAILED)

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tasks")
    staff = models.ForeignKey(
        Staff, on_delete=models.RESTRICT, related_name="+", verbose_name=_("staff member")
    )
    part = models.PositiveIntegerField(_("part"), default=0)
    operation = models.OneToOneField(
        Operation, on_delete=models.RESTRICT, null=True, related_name="+"
    )
    size = models.PositiveIntegerField(_("customers"), default=0)
    msgid = models.CharField(_("platform id"), max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.PLANNED)
    asked_at = models.DateTimeField(_("asked"), null=True)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True)
    cancelled_at = models.DateTimeField(_("called back"), null=True)
    next_poll_at = models.DateTimeField(_("next look"), null=True)
    polls = models.PositiveSmallIntegerField(_("looks"), default=0)
    is_settled = models.BooleanField(_("settled"), default=False)
    problem = models.TextField(_("problem"), blank=True)

    objects = TaskQuerySet.as_manager()

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "staff", "part"], name="task_once_per_sender_and_part"
            )
        ]
        indexes = [
            # The tick that looks for results.
            models.Index(
                fields=["next_poll_at"],
                name="task_poll_queue",
                condition=Q(is_settled=False, next_poll_at__isnull=False),
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}/{self.staff_id}/{self.part}"

    @property
    def trouble(self) -> str:
        """What holds it up, in words: its own problem, or that of a request not answered yet."""
        if self.problem or self.operation is None or self.status != Task.Status.PLANNED:
            return self.problem
        return self.operation.error


class RecipientQuerySet(CorpQuerySet["Recipient"]):
    def counted_as(self, word: str) -> Self:
        """The rows behind one figure of the result; `word` as in the API ("asked", "unsent" …).

        Planned, asked and confirmed are steps everybody further on has passed too, so each is
        the sum of what follows it; the rest are where a recipient ended.
        """
        return self.filter(status__in=Recipient.COUNTED_AS[word])

    def waiting(self) -> Self:
        """Asked, and nobody can say yet how it ends."""
        waiting = (Recipient.Status.ASKED, Recipient.Status.CONFIRMED)
        return self.filter(status__in=waiting, settled_at__isnull=True)


class Recipient(CorpModel):
    """One customer, or one chat, of one campaign, and how far the message came."""

    class Status(models.TextChoices):
        EXCLUDED = "excluded", _("excluded")
        PLANNED = "planned", _("planned")
        FAILED = "failed", _("refused when asked")
        ASKED = "asked", _("asked, not confirmed")
        CONFIRMED = "confirmed", _("confirmed, result not known yet")
        DELIVERED = "delivered", _("delivered")
        NOT_FRIEND = "not_friend", _("no longer a friend")
        QUOTA = "quota", _("customer's quota used up")
        CANCELLED = "cancelled", _("cancelled before it was asked")

    class Reason(models.TextChoices):
        """Why somebody of the audience is not planned, was refused, or was not sent to."""

        NO_LIVE_FOLLOW = "no_live_follow", _("nobody follows them any more")
        BLOCKED = "blocked", _("marked never to be written to")
        SENDER_INACTIVE = "sender_inactive", _("the sender is not active")
        SENDER_LEAVING = "sender_leaving", _("the sender is leaving")
        IN_HANDOVER = "in_handover", _("being handed over")
        NOT_FOLLOWED_BY_SENDER = "not_followed_by_sender", _("the sender does not follow them")
        CHAT_DISMISSED = "chat_dismissed", _("the chat was dismissed")
        NO_OWNER = "no_owner", _("the chat has no owner")
        NOT_LISTED = "not_listed", _("the owner confirmed, but did not send it to this chat")
        REFUSED = "refused", _("the platform refused this recipient")
        REQUEST_REFUSED = "request_refused", _("the platform refused the whole request")

    CONFIRMED_STEPS = ("confirmed", "delivered", "not_friend", "quota")
    ASKED_STEPS = ("asked", *CONFIRMED_STEPS)
    COUNTED_AS = {
        "planned": ("planned", "failed", "cancelled", *ASKED_STEPS),
        "asked": ASKED_STEPS,
        "confirmed": CONFIRMED_STEPS,
        "delivered": ("delivered",),
        "not_friend": ("not_friend",),
        "quota": ("quota",),
        "unsent": ("asked",),
        "failed": ("failed",),
        "cancelled": ("cancelled",),
        "excluded": ("excluded",),
    }

    # Only the customer has an index of its own: the others are led by those below, or asked for
    # through the task, and each index makes planning slower.
    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    campaign = models.ForeignKey(
        Campaign, on_delete=models.CASCADE, related_name="recipients", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, null=True, related_name="+")
    chat = models.ForeignKey(
        GroupChat, on_delete=models.CASCADE, null=True, related_name="+", db_index=False
    )
    staff = models.ForeignKey(
        Staff, on_delete=models.RESTRICT, null=True, related_name="+", db_index=False
    )
    task = models.ForeignKey(
        Task, on_delete=models.SET_NULL, null=True, related_name="recipients", db_index=False
    )
    status = models.CharField(_("status"), max_length=12, choices=Status)
    reason = models.CharField(_("reason"), max_length=32, blank=True)
    settled_at = models.DateTimeField(_("settled"), null=True)

    objects = RecipientQuerySet.as_manager()

    class Meta:
        verbose_name = _("recipient")
        verbose_name_plural = _("recipients")
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "customer"], name="recipient_once_per_campaign"
            ),
            models.UniqueConstraint(
                fields=["campaign", "chat"],
                name="recipient_chat_once_per_campaign",
                condition=Q(chat__isnull=False),
            ),
            models.CheckConstraint(
                name="recipient_is_customer_or_chat",
                condition=Q(customer__isnull=False) ^ Q(chat__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "status", "id"], name="recipient_by_status"),
            # The result of one task is applied to its recipients.
            models.Index(fields=["task", "customer"], name="recipient_by_task"),
            # What was said in one chat.
            models.Index(
                fields=["chat", "-id"], name="recipient_by_chat", condition=Q(chat__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id} → {self.customer_id or self.chat_id}: {self.status}"

    @property
    def subject(self) -> Customer | GroupChat:
        """Whom it is about: the one of the two that it has."""
        subject = self.customer or self.chat
        assert subject is not None  # noqa: S101 — a constraint says so
        return subject

    @property
    def state_words(self) -> str:
        """The status in words; a chat that can be sent to no more is not waiting for anybody."""
        if self.status == Recipient.Status.ASKED and self.settled_at is not None:
            return gettext("not sent")
        return self.get_status_display()


class Reminder(CorpModel):
    """Staff who have not confirmed were reminded, by the platform's own reminder."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="reminders")
    at = models.DateTimeField(_("at"))
    tasks = models.PositiveIntegerField(_("members reminded"))

    objects = CorpQuerySet["Reminder"].as_manager()

    class Meta:
        verbose_name = _("reminder")
        verbose_name_plural = _("reminders")
        indexes = [models.Index(fields=["campaign", "at"], name="reminder_by_campaign")]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.at}"
