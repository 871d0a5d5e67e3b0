"""A sync makes our tables say what the platform says, and changes nothing that is right."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from customers.actions.contact_news import add_follow, end_follow
from customers.actions.sync_run import run_parts
from customers.actions.tagging import tag_customers
from customers.models import Customer, CustomerTagSet, Follow, SyncSighting, Tag
from groups.actions.sync import PARTS, start_nightly_syncs, start_sync
from groups.models import ChatSighting, GroupChat, Membership
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import Refresh
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import claim_job, run_job
from scrm.jobs.models import Job
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import build_world
from scrm.sandbox.recorded import load_recorded
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, connect_to, make_corp, make_tag
from tests.groups.accounts import account, check_derived, dump_domain, truth
from tests.groups.conftest import Sync, run_sync

RECORDS = Path(__file__).resolve().parents[3] / "shared/wecom/fixtures"
LATER = NOW + timedelta(days=1)
ZERO = {"created": 0, "updated": 0, "ended": 0}

pytestmark = pytest.mark.django_db


def changes_of(job: Job) -> dict[str, dict[str, int]]:
    return {kind: {name: counts[name] for name in ZERO} for kind, counts in job.report.items()}


def test_makes_our_tables_say_what_the_platform_says(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    job = sync()

    assert job.status == Job.Status.SUCCEEDED, job.errors
    assert account(brand) == truth(sandbox)
    check_derived(brand)
    assert all(counts["platform"] == counts["local"] for counts in job.report.values())
    assert {kind: job.report[kind]["created"] for kind in ("staff", "tags", "groups")} == {
        "staff": 6, "tags": 33, "groups": 3,
    }  # fmt: skip


def test_a_second_run_writes_nothing(sync: Sync) -> None:
    sync()
    before = dump_domain()

    job = sync(now=LATER)

    assert dump_domain() == before
    assert changes_of(job) == dict.fromkeys(job.report, ZERO)
    assert not SyncSighting.objects.exists()
    assert not ChatSighting.objects.exists()


def test_follows_what_changed_without_an_event(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    world, people = sandbox.world, sandbox.people
    first, second, *_ = sorted(world.chats)
    staff = [m.userid for m in world.present_members() if m.can_follow]
    relation = world.customers_of(staff[0])[0]
    people.add_customer(staff[1], {"name": "新", "gender": 1}, state="s1")
    people.member_deletes(staff[0], relation.external_userid)
    people.retag_in_client(
        staff[1], world.customers_of(staff[1])[0].external_userid, add=[next(iter(world.tags.tags))]
    )
    people.rename_customer(world.customers_of(staff[2])[0].external_userid, "改名")
    people.chat_dismiss(first)
    people.chat_rename(second, "新名字")
    people.chat_leave(
        second, [next(m.id for m in world.chats[second].members.values() if m.type == 2)]
    )
    people.member_joins("newbie", "新人")

    job = sync(now=LATER)

    assert account(brand) == truth(sandbox)
    check_derived(brand)
    assert GroupChat.objects.get(chat_id=first).status == GroupChat.Status.DISMISSED
    assert (
        Follow.objects.get(
            staff__userid=staff[0], customer__external_userid=relation.external_userid
        ).status
        == Follow.Status.GONE
    )
    assert job.report["follows"]["ended"] == 1
    assert job.report["groups"]["ended"] == 1
    assert changes_of(sync(now=LATER + timedelta(days=1))) == dict.fromkeys(job.report, ZERO)


def test_our_own_tags_survive_a_sync(brand: Corp, sync: Sync) -> None:
    sync()
    vip = make_tag(brand)
    customer = Customer.objects.for_corp(brand).live().order_by("pk").first()
    assert customer
    tag_customers([customer], corp=brand, add=[vip], actor=SYSTEM, now=NOW)
    before = CustomerTagSet.objects.get(customer=customer).tag_ids

    sync(now=LATER)

    assert CustomerTagSet.objects.get(customer=customer).tag_ids == before
    assert vip.pk in before


@pytest.mark.parametrize("steps", range(1, 24, 3))
def test_goes_on_where_a_dead_worker_stopped(
    brand: Corp, sandbox: SandboxServer, steps: int
) -> None:
    run_sync(brand)
    job = start_sync(brand, now=LATER)
    claimed = claim_job(now=LATER)
    assert claimed

    run_job(claimed, clock=_dying_clock(LATER, after=steps))

    job.refresh_from_db()
    assert job.status == Job.Status.QUEUED
    assert not Follow.objects.exclude(status="live").exists()
    resumed = claim_job(now=LATER + timedelta(hours=1))
    assert resumed
    finished = run_job(resumed, clock=lambda: LATER + timedelta(hours=1))
    assert finished.status == Job.Status.SUCCEEDED
    assert changes_of(finished) == dict.fromkeys(finished.report, ZERO)
    assert account(brand) == truth(sandbox)


def _dying_clock(at: datetime, *, after: int) -> Callable[[], datetime]:
    """A clock whose reader dies once, at one reading: as if the worker were killed there."""
    readings = iter(range(1000))

    def read() -> datetime:
        if next(readings) == after:
            raise RuntimeError("the worker dies here")
        return at

    return read


@pytest.fixture
def crowd(db: None) -> Iterator[SandboxServer]:
    """A platform whose few members have several pages of customers."""
    clock = VirtualClock(start=NOW.timestamp())
    world = build_world(3, staff=4, customers=350, groups=0, clock=clock)
    with SandboxServer(world) as server:
        yield server


def die_on_the_second_page(corp: Corp) -> Job:
    """Begin to sync customers and die after a page; two readings of the clock are one page."""
    run_sync(corp, "staff")
    claimed = claim_job(now=NOW, pk=start_sync(corp, now=NOW, only=["customers"]).pk)
    assert claimed
    run_job(claimed, clock=_dying_clock(NOW, after=8))
    job = Job.objects.get(pk=claimed.pk)
    assert job.state["customers"]["cursor"]
    return job


def test_a_resumed_sync_does_not_read_again_what_it_has_read(crowd: SandboxServer) -> None:
    corp = connect_to(crowd)
    job = die_on_the_second_page(corp)
    path = "externalcontact/batch/get_by_user"
    calls = crowd.calls()[path]
    relations = sum(len(crowd.world.customers_of(userid)) for userid in crowd.world.members)

    finished = take_up(job)

    pages, kept = -(-relations // 100), job.state["customers"]["read"] // 100
    assert crowd.calls()[path] - calls == pages - kept < pages
    assert finished.report["follows"]["platform"] == relations
    assert finished.report["follows"]["local"] == relations
    assert account(corp)["follows"] == truth(crowd)["follows"]


def take_up(job: Job) -> Job:
    resumed = claim_job(now=LATER, pk=job.pk)
    assert resumed
    return run_job(resumed, clock=lambda: LATER)


def test_begins_a_batch_again_when_its_cursor_is_refused(crowd: SandboxServer) -> None:
    corp = connect_to(crowd)
    job = die_on_the_second_page(corp)
    # The bookmark's cursor grows too old while nobody is at work.
    crowd.clock.advance(5 * 3600)

    finished = take_up(job)

    assert finished.status == Job.Status.SUCCEEDED, finished.errors
    assert crowd.ledger.refusals()["externalcontact/batch/get_by_user"] == {"50100": 1}
    assert account(corp)["follows"] == truth(crowd)["follows"]
    assert not Follow.objects.exclude(status="live").exists()


def test_who_is_added_while_it_runs_is_not_gone(crowd: SandboxServer) -> None:
    corp = connect_to(crowd)
    job = die_on_the_second_page(corp)
    userid = crowd.world.present_members()[-1].userid
    # Known from an event, and not on any page that is still to be read.
    follow = add_follow(userid, "wmNew", corp=corp, happened_at=NOW, now=NOW)

    take_up(job)

    follow.refresh_from_db()
    assert follow.status == Follow.Status.LIVE


def test_what_an_event_told_meanwhile_is_not_overwritten(crowd: SandboxServer) -> None:
    corp = connect_to(crowd)
    run_sync(corp)
    follow = Follow.objects.live().select_related("staff", "customer").earliest("pk")
    pair = (follow.staff.userid, follow.customer.external_userid)
    claimed = claim_job(now=LATER, pk=start_sync(corp, now=LATER, only=["customers"]).pk)
    assert claimed
    deletion = LATER + timedelta(minutes=1)
    end_follow(
        *pair,
        corp=corp,
        status=Follow.Status.DELETED_BY_STAFF,
        happened_at=deletion,
        now=deletion,
    )

    # The page is asked for before the deletion became known, by a clock that stands still.
    run_job(claimed, clock=lambda: LATER)

    follow.refresh_from_db()
    assert follow.status == Follow.Status.DELETED_BY_STAFF
    assert Refresh.objects.filter(kind="customer", key=pair[1]).exists()


def test_waits_while_the_platform_is_busy(brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.faults.fail("externalcontact/batch/get_by_user", -1, times=2)
    sandbox.faults.fail("externalcontact/groupchat/get", 45009)
    waits: list[float] = []
    job = claim_job(now=NOW, pk=start_sync(brand, now=NOW).pk)
    assert job

    outcome = run_parts(PARTS, job, lambda: NOW, wait=waits.append)

    assert waits == [5, 5, 60]
    assert outcome.errors == ()
    assert account(brand) == truth(sandbox)


def test_a_lost_page_is_asked_for_again(brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.faults.lose_answer("externalcontact/batch/get_by_user")
    job = claim_job(now=NOW, pk=start_sync(brand, now=NOW).pk)
    assert job

    run_parts(PARTS, job, lambda: NOW, wait=lambda _: None)

    assert account(brand) == truth(sandbox)


def test_a_member_whom_the_platform_refuses_begins_the_batch_again(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sandbox.faults.fail("externalcontact/batch/get_by_user", 60111)

    job = sync()

    assert job.status == Job.Status.SUCCEEDED, job.errors
    assert account(brand) == truth(sandbox)


def test_an_owner_whom_the_platform_refuses_does_not_hide_the_others(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    # Six owners, then three, then one are asked for; that one is passed over.
    sandbox.faults.fail("externalcontact/groupchat/list", 40003, times=3)

    job = sync()

    assert job.status == Job.Status.SUCCEEDED, job.errors
    first = Staff.objects.earliest("pk").userid
    others = {chat for chat in truth(sandbox)["groups"] if chat[2] != first}
    assert account(brand)["groups"] == others


def test_says_what_to_change_when_the_secret_is_wrong(brand: Corp, sync: Sync) -> None:
    brand.secret = "wrong"  # noqa: S105
    brand.save()

    job = sync()

    assert job.status == Job.Status.FAILED
    assert "secret" in job.errors[0]["message"]
    assert not Staff.objects.exists()


def test_staff_who_left_keep_their_customers_until_handed_over(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    leaver = next(
        m.userid for m in sandbox.world.present_members() if sandbox.world.customers_of(m.userid)
    )
    sandbox.people.member_leaves(leaver)
    followed = Follow.objects.live().filter(staff__userid=leaver).count()

    job = sync(now=LATER)

    staff = Staff.objects.get(userid=leaver)
    assert (staff.status, staff.left_at, staff.has_customer_contact) == ("left", LATER, False)
    assert job.report["staff"]["ended"] == 1
    assert Follow.objects.live().filter(staff=staff).count() == followed > 0
    assert account(brand) == truth(sandbox)


def test_staff_who_come_back_are_active_again(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    Staff.objects.filter(has_customer_contact=True).update(
        status="left", left_at=NOW, has_customer_contact=False
    )

    sync("staff", now=LATER)

    assert account(brand)["staff"] == truth(sandbox)["staff"]
    assert not Staff.objects.exclude(left_at=None).exists()


def test_groups_of_owners_who_left_are_still_seen(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    chat = GroupChat.objects.select_related("owner").earliest("pk")
    assert chat.owner
    sandbox.people.member_leaves(chat.owner.userid)
    GroupChat.objects.all().delete()

    sync(now=LATER)

    chat = GroupChat.objects.get(chat_id=chat.chat_id)
    assert chat.status == GroupChat.Status.OWNER_LEFT
    assert account(brand)["groups"] == truth(sandbox)["groups"]


def test_a_chat_that_cannot_be_read_does_not_stop_the_others(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sandbox.faults.fail("externalcontact/groupchat/get", 60011)

    job = sync()

    assert job.status == Job.Status.PARTIAL
    (error,) = job.errors
    assert "visible range" in error["message"]
    unread = GroupChat.objects.get(chat_id=error["chat_id"])
    assert (unread.status, unread.member_count) == ("normal", 0)
    assert GroupChat.objects.filter(member_count__gt=0).count() == 2


def test_a_chat_that_is_in_no_list_but_still_exists_is_kept(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    chat = GroupChat.objects.select_related("owner").earliest("pk")
    assert chat.owner
    # Nobody is asked for the lists of an owner we do not know.
    GroupChat.objects.filter(owner=chat.owner).update(owner=None)
    sandbox.world.chats[chat.chat_id].owner = "nobody-knows-me"
    sandbox.world.members["nobody-knows-me"] = sandbox.world.members[chat.owner.userid]

    job = sync("groups", now=LATER)

    chat.refresh_from_db()
    assert chat.status == GroupChat.Status.NORMAL
    assert job.report["groups"]["ended"] == 0


def test_members_who_left_a_chat_are_kept_as_having_left(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    chat_id, chat = next(iter(sandbox.world.chats.items()))
    leaver = next(member.id for member in chat.members.values() if member.type == 2)
    sandbox.people.chat_leave(chat_id, [leaver])

    sync("groups", now=LATER)

    membership = Membership.objects.get(chat__chat_id=chat_id, member_id=leaver)
    assert membership.left_at == LATER
    assert membership.chat.member_count == len(chat.members)
    sandbox.people.chat_join(chat_id, [leaver])
    sync("groups", now=LATER)
    membership.refresh_from_db()
    assert membership.left_at is None


def test_tags_may_swap_their_names(brand: Corp, sandbox: SandboxServer, sync: Sync) -> None:
    sync("tags")
    group = next(iter(sandbox.world.tags.living_groups()))
    first, second = sandbox.world.tags.tags_in(group)[:2]
    first.name, second.name = second.name, first.name

    job = sync("tags", now=LATER)

    assert changes_of(job)["tags"] == {"created": 0, "updated": 2, "ended": 0}
    assert account(brand)["tags"] == truth(sandbox)["tags"]


def test_a_deleted_tag_is_taken_from_everybody(
    brand: Corp, sandbox: SandboxServer, sync: Sync
) -> None:
    sync()
    carried = {wecom_id for *_, ids in truth(sandbox)["follows"] for wecom_id in ids}
    wecom_id = min(carried)
    tag = Tag.objects.get(wecom_id=wecom_id)
    assert CustomerTagSet.objects.filter(tag_ids__contains=[tag.pk]).exists()
    sandbox.people.tag_delete_in_console(wecom_id)

    job = sync("tags", now=LATER)

    assert job.report["tags"]["ended"] == 1
    tag.refresh_from_db()
    assert tag.deleted_at == LATER
    assert not CustomerTagSet.objects.filter(tag_ids__contains=[tag.pk]).exists()
    assert not CustomerTagSet.objects.filter(tag_ids=[]).exists()
    check_derived(brand)
    assert sync("customers", now=LATER).report["follows"]["updated"] == 0


def test_syncs_only_the_parts_named(brand: Corp, sync: Sync) -> None:
    job = sync("tags", "staff")

    assert list(job.report) == ["staff", "tags"]
    assert not Customer.objects.exists()


def test_refuses_a_part_that_does_not_exist(brand: Corp) -> None:
    with pytest.raises(InvalidInput, match="orders"):
        start_sync(brand, now=NOW, only=["staff", "orders"])

    assert not Job.objects.exists()


def test_a_second_click_finds_the_sync_under_way(brand: Corp) -> None:
    assert start_sync(brand, now=NOW) == start_sync(brand, now=LATER)


def test_the_recorded_samples_of_the_platform_are_synced(db: None) -> None:
    if not RECORDS.is_dir():
        pytest.skip(f"the platform's documented records are not at {RECORDS}")
    with SandboxServer(load_recorded(RECORDS)) as sandbox:
        corp = connect_to(sandbox)

        first = run_sync(corp)

        assert first.status == Job.Status.SUCCEEDED, first.errors
        ours, theirs = account(corp), truth(sandbox)
        # Tags of rule groups are carried by customers but stand in no list of tags.
        rule_tags = {tag for tag in ours["tags"] if tag[2].startswith("规则组标签")}
        assert ours | {"tags": ours["tags"] - rule_tags} == theirs
        assert {tag[0] for tag in rule_tags} <= set(sandbox.world.tags.rule_tags)
        before = dump_domain()
        assert changes_of(run_sync(corp, now=LATER)) == dict.fromkeys(first.report, ZERO)
        assert dump_domain() == before


def test_the_command_shows_how_far_it_is_and_what_it_found(brand: Corp) -> None:
    out = io.StringIO()

    call_command("sync", corp=brand.corp_id, stdout=out)

    lines = out.getvalue().splitlines()
    assert "staff: 6/6" in lines[0]
    assert "staff: platform 6 = local 6 (created 6, updated 0, ended 0)" in lines
    assert [line.partition(":")[0] for line in lines[-6:]] == [
        "staff", "tags", "customers", "follows", "groups", "members",
    ]  # fmt: skip


def test_the_command_fails_with_the_platforms_reason(brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.stop()

    with pytest.raises(CommandError, match="cannot be reached: check the platform address"):
        call_command("sync", corp=brand.corp_id, stdout=io.StringIO(), stderr=io.StringIO())


def test_the_command_refuses_an_unknown_corp_and_part(brand: Corp) -> None:
    with pytest.raises(CommandError, match=f"There is no corp wwx; there are: {brand.corp_id}"):
        call_command("sync", corp="wwx")
    with pytest.raises(CommandError, match="orders cannot be synced"):
        call_command("sync", corp=brand.corp_id, only="orders")


def test_syncs_each_corp_once_in_its_night(db: None) -> None:
    shanghai = make_corp()
    make_corp(time_zone="America/New_York")
    four_in_china = datetime(2026, 11, 18, 20, 0, tzinfo=UTC)

    assert start_nightly_syncs(now=four_in_china - timedelta(minutes=1)) == 0
    assert start_nightly_syncs(now=four_in_china) == 1
    job = Job.objects.get(corp=shanghai, kind="sync")
    Job.objects.filter(pk=job.pk).update(status="succeeded")
    assert start_nightly_syncs(now=four_in_china + timedelta(minutes=10)) == 0
    assert start_nightly_syncs(now=four_in_china + timedelta(days=1)) == 1


def test_a_night_that_failed_is_tried_again(brand: Corp) -> None:
    four_in_china = datetime(2026, 11, 18, 20, 0, tzinfo=UTC)
    start_nightly_syncs(now=four_in_china)
    Job.objects.update(status=Job.Status.FAILED)

    assert start_nightly_syncs(now=four_in_china + timedelta(minutes=10)) == 0
    assert start_nightly_syncs(now=four_in_china + timedelta(minutes=30)) == 1
