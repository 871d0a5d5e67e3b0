"""Group chats and who is in them."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp, Scope, Staff


class GroupChatQuerySet(CorpQuerySet["GroupChat"]):
    def existing(self) -> Self:
        return self.exclude(status=GroupChat.Status.DISMISSED)

    def in_scope(self, scope: Scope) -> Self:
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        owners = Staff.objects.in_departments(scope.department_ids).values("pk")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(owner__in=owners))


class GroupChat(CorpModel):
    """A customer group on the platform (客户群)."""

    class Status(models.TextChoices):
        NORMAL = "normal", _("normal")
        OWNER_LEFT = "owner_left", _("owner has left")
        INHERITING = "inheriting", _("being handed over")
        INHERITED = "inherited", _("handed over")
        DISMISSED = "dismissed", _("dismissed")

    chat_id = models.CharField(_("chat id"), max_length=64)
    name = models.CharField(_("name"), max_length=256, blank=True)
    notice = models.TextField(_("notice"), blank=True)
    owner = models.ForeignKey(
        Staff, on_delete=models.SET_NULL, null=True, verbose_name=_("owner"), related_name="+"
    )
    status = models.CharField(_("status"), max_length=12, choices=Status, default=Status.NORMAL)
    member_version = models.CharField(max_length=64, blank=True)
    # Everyone in the chat; kept with the memberships in one transaction.
    member_count = models.PositiveIntegerField(_("members"), default=0)
    opened_at = models.DateTimeField(_("opened"), null=True)
    dismissed_at = models.DateTimeField(_("dismissed at"), null=True, blank=True)
    updated_at = models.DateTimeField(_("updated"))

    objects = GroupChatQuerySet.as_manager()

    class Meta:
        verbose_name = _("group chat")
        verbose_name_plural = _("group chats")
        constraints = [
            models.UniqueConstraint(fields=["corp", "chat_id"], name="group_chat_once_per_corp")
        ]

    def __str__(self) -> str:
        return self.name or self.chat_id


class MembershipQuerySet(CorpQuerySet["Membership"]):
    def present(self) -> Self:
        return self.filter(left_at__isnull=True)


class Membership(CorpModel):
    """A member of staff or an outsider in a group chat, now or once."""

    class Type(models.TextChoices):
        STAFF = "staff", _("staff")
        CUSTOMER = "customer", _("customer")

    # No indexes of their own: those below lead with them.
    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    chat = models.ForeignKey(
        GroupChat, on_delete=models.CASCADE, related_name="memberships", db_index=False
    )
    type = models.CharField(_("type"), max_length=8, choices=Type)
    member_id = models.CharField(_("platform id"), max_length=64)
    customer = models.ForeignKey(
        Customer, on_delete=models.SET_NULL, null=True, related_name="memberships"
    )
    name = models.CharField(_("name"), max_length=128, blank=True)
    joined_at = models.DateTimeField(_("joined"))
    join_scene = models.PositiveSmallIntegerField(_("how joined"), default=0)
    inviter = models.CharField(_("invited by"), max_length=64, blank=True)
    state = models.CharField(_("channel"), max_length=64, blank=True)
    left_at = models.DateTimeField(_("left"), null=True)

    objects = MembershipQuerySet.as_manager()

    class Meta:
        verbose_name = _("group member")
        verbose_name_plural = _("group members")
        constraints = [
            models.UniqueConstraint(fields=["chat", "member_id"], name="member_once_per_chat")
        ]
        indexes = [
            models.Index(
                fields=["corp", "customer"],
                name="membership_by_customer",
                condition=Q(left_at__isnull=True),
            ),
            # Outsiders become customers later and are linked then.
            models.Index(fields=["corp", "member_id"], name="membership_by_member"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} in {self.chat_id}"


class ChatSighting(models.Model):
    """A group chat that a running sync has seen; the others are asked for one by one at its end."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+")
    chat = models.ForeignKey(GroupChat, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "chat"], name="chat_sighting_once_per_job")
        ]

    def __str__(self) -> str:
        return f"{self.chat_id} in {self.job_id}"
