"""Drafting campaigns: created and changed until they are submitted."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.actions.attaching import problems_of_references
from campaigns.actions.content import bare_attachment, problems_of_message
from campaigns.models import Campaign
from customers.models import Customer, Segment
from groups.models import GroupChat
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.tenancy.models import Corp, Staff

MAX_LISTED_CUSTOMERS = 100_000
MAX_LISTED_CHATS = 10_000


class CampaignNotEditable(DomainError):
    code = "wrong_status"


@dataclass(frozen=True)
class CampaignDraft:
    """A campaign as a person or a brand writes it down; nobody is asked anything yet."""

    name: str
    kind: str = Campaign.Kind.CUSTOMERS
    segment_id: int | None = None
    external_userids: Sequence[str] | None = None
    chat_ids: Sequence[str] | None = None  # with the kind `groups`
    content: str = ""
    attachments: Sequence[dict[str, Any]] = ()
    send_at: datetime | None = None
    sender_policy: str = Campaign.SenderPolicy.LAST_CHAT
    senders: Sequence[str] = field(default=())  # userids, with the policy `named`


DRAFT_FIELDS = tuple(each.name for each in fields(CampaignDraft))
_LISTS = ("external_userids", "chat_ids")


@transaction.atomic
def create_campaign(corp: Corp, *, draft: CampaignDraft, actor: Actor, now: datetime) -> Campaign:
    """Keep a draft; raises InvalidInput with every problem at once."""
    senders = _check(draft, corp=corp, new_chats=draft.chat_ids or ())
    campaign = Campaign(corp=corp, created_by=actor.key, created_at=now)
    _write(campaign, draft)
    campaign.save(force_insert=True)
    campaign.senders.set(senders)
    record("campaigns.created", actor=actor, corp=corp, subject=campaign, now=now)
    return campaign


@transaction.atomic
def update_campaign(
    campaign: Campaign, *, changes: dict[str, Any], actor: Actor, now: datetime
) -> Campaign:
    """Change fields of a draft (names of `CampaignDraft`); raises CampaignNotEditable."""
    locked = Campaign.objects.select_for_update(of=["self"]).get(pk=campaign.pk)
    if locked.status != Campaign.Status.DRAFT:
        raise CampaignNotEditable(
            _("Only a draft can be changed; this campaign is not one any more.")
        )
    before = draft_of(locked)
    draft = CampaignDraft(**({name: getattr(before, name) for name in DRAFT_FIELDS} | changes))
    # A chat that was dismissed since is left out when it is planned; it spoils no other change.
    new_chats = set(draft.chat_ids or ()) - set(locked.chat_ids or ())
    senders = _check(draft, corp=locked.corp, new_chats=new_chats)
    _write(locked, draft)
    locked.save()
    locked.senders.set(senders)
    changed = {name: str(value) for name, value in changes.items() if name not in _LISTS}
    record(
        "campaigns.changed", actor=actor, corp=locked.corp, subject=locked, now=now, data=changed
    )
    return locked


def draft_of(campaign: Campaign) -> CampaignDraft:
    return CampaignDraft(
        name=campaign.name,
        kind=campaign.kind,
        segment_id=campaign.segment_id,
        external_userids=campaign.external_userids,
        chat_ids=campaign.chat_ids,
        content=campaign.content,
        attachments=_as_drafted(campaign.attachments),
        send_at=campaign.send_at,
        sender_policy=campaign.sender_policy,
        senders=[staff.userid for staff in campaign.senders.all()],
    )


def _write(campaign: Campaign, draft: CampaignDraft) -> None:
    campaign.name = draft.name.strip()
    campaign.kind = draft.kind
    campaign.segment_id = draft.segment_id
    campaign.external_userids = _each_once(draft.external_userids)
    campaign.chat_ids = _each_once(draft.chat_ids)
    campaign.content = draft.content
    campaign.attachments = list(draft.attachments)
    campaign.send_at = draft.send_at
    campaign.sender_policy = draft.sender_policy


def _each_once(listed: Sequence[str] | None) -> list[str] | None:
    """In their first order: whoever is listed twice is asked once."""
    return None if listed is None else list(dict.fromkeys(listed))


def _as_drafted(attachments: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of a submitted campaign: what was said, wherever it was taken from."""
    return [bare_attachment(each) if "kind" in each else each for each in attachments]


def _check(draft: CampaignDraft, *, corp: Corp, new_chats: Collection[str]) -> list[Staff]:
    """The named senders; raises InvalidInput when anything of the draft cannot be taken."""
    senders = list(Staff.objects.for_corp(corp).filter(userid__in=draft.senders))
    problems = (
        *_problems_of_form(draft),
        *problems_of_message(draft.content, list(draft.attachments)),
        *problems_of_references(draft.attachments, corp=corp),
        *_problems_of_audience(draft, corp=corp, new_chats=new_chats),
        *_problems_of_senders(draft, {staff.userid for staff in senders}),
    )
    if problems:
        raise InvalidInput(" ".join(each.message for each in problems), errors=problems)
    return senders


def _problems_of_form(draft: CampaignDraft) -> Iterator[FieldProblem]:
    if not draft.name.strip():
        yield FieldProblem("/name", "required", _("A campaign needs a name."))
    if draft.kind not in Campaign.Kind.values:
        message = _("Campaigns go to customers or to groups; this version makes no others.")
        yield FieldProblem("/kind", "unsupported", message)
    if draft.sender_policy not in Campaign.SenderPolicy.values:
        policies = ", ".join(Campaign.SenderPolicy.values)
        message = _("sender_policy is one of %(policies)s.") % {"policies": policies}
        yield FieldProblem("/sender_policy", "invalid", message)
    if draft.send_at is not None and draft.send_at.tzinfo is None:
        message = _("send_at needs a time zone, as in 2026-11-18T09:00:00+08:00.")
        yield FieldProblem("/send_at", "invalid", message)


def _problems_of_audience(
    draft: CampaignDraft, *, corp: Corp, new_chats: Collection[str]
) -> Iterator[FieldProblem]:
    if draft.kind == Campaign.Kind.GROUPS:
        yield from _problems_of_chats(draft, corp=corp, new_chats=new_chats)
        return
    if draft.chat_ids is not None:
        message = _("Chats are listed in a campaign of the kind «groups» only.")
        yield FieldProblem("/chat_ids", "conflict", message)
    yield from _problems_of_customers(draft, corp=corp)


def _problems_of_customers(draft: CampaignDraft, *, corp: Corp) -> Iterator[FieldProblem]:
    if draft.segment_id is not None and draft.external_userids is not None:
        message = _("Choose a segment or list customers, not both.")
        yield FieldProblem("/external_userids", "conflict", message)
        return
    if draft.segment_id is None and not draft.external_userids:
        message = _("Choose a segment or list customers: the campaign has no audience.")
        yield FieldProblem("/segment", "required", message)
        return
    if draft.segment_id is not None and not _segment_exists(draft.segment_id, corp=corp):
        yield FieldProblem("/segment", "unknown", _("There is no such segment."))
    if draft.external_userids is not None:
        yield from _problems_of_list(draft.external_userids, corp=corp)


def _segment_exists(segment_id: int, *, corp: Corp) -> bool:
    return Segment.objects.for_corp(corp).filter(pk=segment_id).exists()


def _problems_of_list(listed: Sequence[str], *, corp: Corp) -> Iterator[FieldProblem]:
    if len(listed) > MAX_LISTED_CUSTOMERS:
        message = _("At most %(limit)d customers can be listed; save a segment instead.") % {
            "limit": MAX_LISTED_CUSTOMERS
        }
        yield FieldProblem("/external_userids", "too_many", message)
        return
    customers = Customer.objects.for_corp(corp).filter(external_userid__in=listed)
    known = set(customers.values_list("external_userid", flat=True))
    for position, external_userid in enumerate(listed):
        if external_userid not in known:
            message = _("There is no customer %(id)s.") % {"id": external_userid}
            yield FieldProblem(f"/external_userids/{position}", "unknown", message)


def _problems_of_chats(
    draft: CampaignDraft, *, corp: Corp, new_chats: Collection[str]
) -> Iterator[FieldProblem]:
    for name, value in (
        ("segment", draft.segment_id),
        ("external_userids", draft.external_userids),
    ):
        if value is not None:
            message = _("A campaign to groups lists chats, and no customers.")
            yield FieldProblem(f"/{name}", "conflict", message)
    listed = draft.chat_ids or ()
    if not listed:
        message = _("Choose at least one chat: the campaign has no audience.")
        yield FieldProblem("/chat_ids", "required", message)
    elif len(listed) > MAX_LISTED_CHATS:
        message = _("At most %(limit)d chats can be listed; make several campaigns.") % {
            "limit": MAX_LISTED_CHATS
        }
        yield FieldProblem("/chat_ids", "too_many", message)
    else:
        yield from _problems_of_listed_chats(listed, corp=corp, new_chats=new_chats)


def _problems_of_listed_chats(
    listed: Sequence[str], *, corp: Corp, new_chats: Collection[str]
) -> Iterator[FieldProblem]:
    chats = GroupChat.objects.for_corp(corp).filter(chat_id__in=listed)
    known = dict(chats.values_list("chat_id", "status"))
    new = set(new_chats)
    for position, chat_id in enumerate(listed):
        path = f"/chat_ids/{position}"
        if chat_id not in known:
            yield FieldProblem(path, "unknown", _("There is no chat %(id)s.") % {"id": chat_id})
        elif chat_id in new and known[chat_id] == GroupChat.Status.DISMISSED:
            message = _("The chat %(id)s was dismissed: leave it out.") % {"id": chat_id}
            yield FieldProblem(path, "dismissed", message)


def _problems_of_senders(draft: CampaignDraft, known: set[str]) -> Iterator[FieldProblem]:
    for position, userid in enumerate(draft.senders):
        if userid not in known:
            message = _("There is no member of staff %(id)s.") % {"id": userid}
            yield FieldProblem(f"/senders/{position}", "unknown", message)
    if draft.senders and draft.kind == Campaign.Kind.GROUPS:
        message = _("Only its owner can send to a chat: name no senders.")
        yield FieldProblem("/senders", "conflict", message)
    elif draft.senders and draft.sender_policy != Campaign.SenderPolicy.NAMED:
        message = _("Senders can only be named with the sender policy «named».")
        yield FieldProblem("/senders", "conflict", message)
