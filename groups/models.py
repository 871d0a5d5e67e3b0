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


class GroupTag(CorpModel):
    """A word operators sort chats by (社群标签); ours alone, the platform has none for chats."""

    name = models.CharField(_("name"), max_length=64)

    objects = CorpQuerySet["GroupTag"].as_manager()

    class Meta:
        verbose_name = _("group tag")
        verbose_name_plural = _("group tags")
        constraints = [
            models.UniqueConstraint(fields=["corp", "name"], name="group_tag_once_per_corp")
        ]

    def __str__(self) -> str:
        return self.name


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
    tags = models.ManyToManyField(GroupTag, verbose_name=_("tags"), blank=True)
    # On our clock: what was asked of the platform before this moment is older than what we know.
    read_at = models.DateTimeField(_("known as of"), null=True)
    updated_at = models.DateTimeField(_("updated"))

    objects = GroupChatQuerySet.as_manager()

    class Meta:
        verbose_name = _("group chat")
        verbose_name_plural = _("group chats")
        constraints = [
            models.UniqueConstraint(fields=["corp", "chat_id"], name="group_chat_once_per_corp")
        ]

    def __str__(self) -> str:
        # Many chats are never named; the end of the id tells two of them apart.
        return self.name or f"{_('(no name)')} {self.chat_id[-6:]}"


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


class MemberMove(CorpModel):
    """Somebody entered or left a chat: the members of a chat are the sum of its moves.

    A membership keeps the present only; who leaves and comes back has moved three times. Events
    tell moves exactly; what no event told is found when the chat is read, and is corrected when
    its event comes after all.
    """

    class Kind(models.TextChoices):
        JOINED = "joined", _("joined")
        LEFT = "left", _("left")

    corp = models.ForeignKey(Corp, on_delete=models.CASCADE, related_name="+", db_index=False)
    chat = models.ForeignKey(
        GroupChat, on_delete=models.CASCADE, related_name="moves", db_index=False
    )
    member_id = models.CharField(_("platform id"), max_length=64)
    is_staff = models.BooleanField(_("staff"), default=False)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind)
    at = models.DateTimeField(_("at"))
    # Known when somebody joined, or was removed.
    join_scene = models.PositiveSmallIntegerField(_("how joined"), default=0)
    state = models.CharField(_("channel"), max_length=64, blank=True)
    was_removed = models.BooleanField(_("removed by the owner"), default=False)
    # Found by reading: who has left did so before `at`, who entered came by then.
    is_inferred = models.BooleanField(_("found by reading"), default=False)

    objects = CorpQuerySet["MemberMove"].as_manager()

    class Meta:
        verbose_name = _("member move")
        verbose_name_plural = _("member moves")
        constraints = [
            models.UniqueConstraint(
                fields=["chat", "member_id", "kind", "at"], name="member_move_once"
            )
        ]
        indexes = [
            # The growth chart of one chat; the day of a corp.
            models.Index(fields=["chat", "at"], name="member_move_by_chat"),
            models.Index(fields=["corp", "at"], name="member_move_by_corp"),
            # What came of a join code.
            models.Index(
                fields=["corp", "state"], name="member_move_by_state", condition=~Q(state="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.kind} {self.chat_id}"


class JoinCodeQuerySet(CorpQuerySet["JoinCode"]):
    def current(self) -> Self:
        return self.exclude(status=JoinCode.Status.DELETED)

    def in_scope(self, scope: Scope) -> Self:
        """Codes into at least one chat that the scope shows; without departments all of a corp."""
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        chats = GroupChat.objects.in_scope(scope).values("pk")
        through = JoinCode.chats.through.objects.filter(groupchat__in=chats).values("joincode")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(pk__in=through))


class JoinCode(CorpModel):
    """A code through which customers enter one of at most five chats (群活码)."""

    class Status(models.TextChoices):
        CREATING = "creating", _("being made")
        ACTIVE = "active", _("in use")
        FAILED = "failed", _("refused")
        EMPTY = "empty", _("no chat left to enter")
        DELETED = "deleted", _("deleted")

    name = models.CharField(_("name"), max_length=64)
    # Comes back with everybody who entered through the code: what came of it is counted by it.
    state = models.CharField(_("channel"), max_length=30)
    chats = models.ManyToManyField(GroupChat, verbose_name=_("chats"), related_name="join_codes")
    is_growing = models.BooleanField(_("open another chat when all are full"), default=True)
    base_name = models.CharField(_("name of new chats"), max_length=40, blank=True)
    base_id = models.PositiveIntegerField(_("first number"), default=1)
    config_id = models.CharField(_("platform id"), max_length=64, blank=True)
    qr_url = models.CharField(max_length=512, blank=True)
    # Kept here: our pages show nothing that another host serves.
    picture = models.BinaryField(null=True, editable=False)
    picture_type = models.CharField(max_length=32, blank=True)
    status = models.CharField(_("status"), max_length=8, choices=Status, default=Status.CREATING)
    problem = models.TextField(_("problem"), blank=True)
    created_by = models.CharField(max_length=80, blank=True)
    created_at = models.DateTimeField(_("created"))
    deleted_at = models.DateTimeField(_("deleted"), null=True)

    objects = JoinCodeQuerySet.as_manager()

    class Meta:
        verbose_name = _("join code")
        verbose_name_plural = _("join codes")
        constraints = [
            models.UniqueConstraint(fields=["corp", "state"], name="join_code_once_per_state")
        ]

    def __str__(self) -> str:
        return self.name
