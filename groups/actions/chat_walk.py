"""Walking through every group chat that the platform lists."""

from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef

from customers.actions.counts import Counts, Report
from customers.actions.sync_run import SyncRun
from groups.actions.chats import apply_group_chat, dismiss_chat, link_customers, list_chats
from groups.actions.sightings import note_chat_sightings
from groups.models import ChatSighting, GroupChat, Membership
from scrm.channels.actions.refreshes import request_refresh
from scrm.channels.base import GroupChatPage, GroupChatRecord
from scrm.channels.errors import ChannelError, RetryLater, Stale
from scrm.channels.models import Refresh
from scrm.jobs.models import Job
from scrm.tenancy.models import Staff

OWNERS_AT_ONCE = 100  # [doc 92120]
_BAD_CURSOR = frozenset({40035, 40058, 50100, 60268})
_RESTARTS = 5
_CHATS_AT_ONCE = 100
_ERRORS_KEPT = 100

State = dict[str, Any]


def walk_groups(run: SyncRun) -> None:
    """Compare every group chat and its members.

    First the lists of all owners, those who have left included; then each chat that was listed;
    at last those of ours that were not, because an owner may have changed between two lists. A
    chat that cannot be read is noted as an error and does not stop the others.
    """
    state: State = run.bookmark.get("groups") or _begin(run)
    if state["phase"] == "list":
        _list_all(run, state)
    if state["phase"] == "read":
        _read_all(run, state, then="check")
    if state["phase"] == "check":
        _read_all(run, state, then="done")
    with transaction.atomic():
        link_customers(corp=run.corp, now=run.clock())
        run.finish("groups", _report(run, state))
        ChatSighting.objects.filter(job=run.job).delete()


def _begin(run: SyncRun) -> State:
    left_over = Job.objects.for_corp(run.corp).exclude(
        status__in=[Job.Status.QUEUED, Job.Status.RUNNING]
    )
    ChatSighting.objects.filter(job__in=left_over).delete()
    place: State = {"phase": "list", "after": 0, "batch": [], "cursor": "", "restarts": 0}
    counted = ("created", "updated", "ended", "members", "joined", "changed", "left")
    state = run.bookmark["groups"] = place | dict.fromkeys(counted, 0)
    run.note()
    return state


def _list_all(run: SyncRun, state: State) -> None:
    while owners := _choose_owners(run, state):
        asked_at = run.clock()
        try:
            page = run.ask(partial(run.channel.groups.chat_page, owners, state["cursor"]))
        except ChannelError as error:
            _ask_otherwise(run, state, error)
        else:
            _apply_list(run, state, page, asked_at=asked_at)
    state |= {"phase": "read", "after": 0}
    run.expect(ChatSighting.objects.filter(job=run.job).count())
    run.note()


def _choose_owners(run: SyncRun, state: State) -> list[str]:
    # Everybody we ever knew: the platform shows chats of owners who left only when it is told
    # their names, and refuses to list those of more than 1000 members unnamed (81017).
    staff = Staff.objects.for_corp(run.corp).order_by("pk")
    if not state["batch"]:
        following = staff.filter(pk__gt=state["after"]).values_list("pk", flat=True)
        state["batch"] = list(following[:OWNERS_AT_ONCE])
    return list(staff.filter(pk__in=state["batch"]).values_list("userid", flat=True))


def _apply_list(run: SyncRun, state: State, page: GroupChatPage, *, asked_at: datetime) -> None:
    is_last = page.next_cursor in {"", state["cursor"]}
    with transaction.atomic():
        created, updated = list_chats(page.rows, corp=run.corp, asked_at=asked_at, now=run.clock())
        state["created"] += created
        state["updated"] += updated
        note_chat_sightings([chat_id for chat_id, _ in page.rows], corp=run.corp)
        state["cursor"] = page.next_cursor
        if is_last:
            _close_batch(state)
        run.note()


def _close_batch(state: State) -> None:
    state |= {"after": max(state["batch"]), "batch": [], "cursor": "", "restarts": 0}


def _ask_otherwise(run: SyncRun, state: State, error: ChannelError) -> None:
    """Begin the owners' list again, or find the owner who is refused; else raise."""
    if isinstance(error, RetryLater):
        raise error
    if state["cursor"] and error.errcode in _BAD_CURSOR and state["restarts"] < _RESTARTS:
        state |= {"cursor": "", "restarts": state["restarts"] + 1}
    elif isinstance(error, Stale) and len(state["batch"]) > 1:
        # One of them is unknown to the platform: halves, until that one is asked for alone.
        state |= {"batch": state["batch"][: len(state["batch"]) // 2], "cursor": ""}
    elif isinstance(error, Stale):
        _close_batch(state)
    else:
        raise error
    run.note()


def _read_all(run: SyncRun, state: State, *, then: str) -> None:
    while chats := _next_chats(run, state):
        for chat in chats:
            _read_chat(run, state, chat)
    state |= {"phase": then, "after": 0}
    run.note()


def _next_chats(run: SyncRun, state: State) -> list[GroupChat]:
    seen = Exists(ChatSighting.objects.filter(job=run.job, chat=OuterRef("pk")))
    chats = GroupChat.objects.for_corp(run.corp).existing().filter(pk__gt=state["after"])
    chosen = chats.filter(seen) if state["phase"] == "read" else chats.exclude(seen)
    return list(chosen.order_by("pk")[:_CHATS_AT_ONCE])


def _read_chat(run: SyncRun, state: State, chat: GroupChat) -> None:
    asked_at = run.clock()
    record, error = _ask_for(run, chat)
    with transaction.atomic():
        if record:
            change = apply_group_chat(record, corp=run.corp, asked_at=asked_at, now=run.clock())
            if change.is_stale:
                _have_read_again(run, chat)
            # One that has never been read before was counted as new when it was listed.
            state["updated"] += change.is_changed and chat.opened_at is not None
            state["members"] += len({member.member_id for member in record.members})
            state["joined"] += change.joined
            state["changed"] += change.changed
            state["left"] += change.left
        elif isinstance(error, Stale):
            now = run.clock()
            state["ended"] += dismiss_chat(chat.chat_id, corp=run.corp, dismissed_at=now, now=now)
        elif error:
            _note_error(run, chat, error)
        state["after"] = chat.pk
        run.note(read=1, part="groups")


def _have_read_again(run: SyncRun, chat: GroupChat) -> None:
    """An event was applied while this sync asked: what else the page says is read afterwards."""
    kind = Refresh.Kind.GROUP_CHAT
    request_refresh(kind, corp=run.corp, now=run.clock(), key=chat.chat_id)


def _ask_for(run: SyncRun, chat: GroupChat) -> tuple[GroupChatRecord | None, ChannelError | None]:
    try:
        return run.ask(partial(run.channel.groups.chat, chat.chat_id)), None
    except RetryLater:
        raise
    except ChannelError as error:
        return None, error


def _note_error(run: SyncRun, chat: GroupChat, error: ChannelError) -> None:
    errors = run.bookmark.setdefault("errors", [])
    if len(errors) < _ERRORS_KEPT:
        errors.append({"chat_id": chat.chat_id, "message": error.detail})


def _report(run: SyncRun, state: State) -> Report:
    existing = GroupChat.objects.for_corp(run.corp).existing()
    listed = ChatSighting.objects.filter(job=run.job, chat__in=existing)
    present = Membership.objects.for_corp(run.corp).present().filter(chat__in=existing)
    groups = Counts(
        platform=listed.count(),
        local=existing.count(),
        created=state["created"],
        updated=state["updated"],
        ended=state["ended"],
    )
    members = Counts(
        platform=state["members"],
        local=present.count(),
        created=state["joined"],
        updated=state["changed"],
        ended=state["left"],
    )
    return {"groups": groups.as_dict(), "members": members.as_dict()}
