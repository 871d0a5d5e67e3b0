"""The home page: what needs somebody, within what that somebody may see."""

from datetime import UTC, datetime, timedelta

from django.test import Client

from customers.models import Follow
from scrm.jobs.models import Job, Tick
from scrm.tenancy.models import Corp
from tests.admin.conftest import Enter, speak
from tests.admin.rows import make_event, make_operation
from tests.factories import (
    make_campaign,
    make_customer,
    make_department,
    make_group_chat,
    make_segment,
    make_staff,
)


def test_an_empty_installation_begins_with_connecting_a_corp(lin: Client) -> None:
    answer = lin.get("/admin/")

    assert [step.is_done for step in answer.context["steps"]] == [False] * 5
    assert "people" not in answer.context


def test_the_list_of_steps_goes_when_all_are_done(lin: Client, corp: Corp) -> None:
    now = datetime.now(tz=UTC)
    make_segment(corp)
    make_campaign(corp)
    Job.objects.create(corp=corp, kind="sync", created_at=now, due_at=now, status="succeeded")
    waiting = [step.is_done for step in lin.get("/admin/").context["steps"]]

    make_event(corp)

    assert waiting == [True, True, False, True, True]
    assert lin.get("/admin/").context["steps"] == []


def test_customers_are_counted_by_their_friends(lin: Client, corp: Corp) -> None:
    now, alice = datetime.now(tz=UTC), make_staff(corp)
    make_customer(corp, staff=alice, added_at=now - timedelta(days=30))
    make_customer(corp, staff=alice, added_at=now - timedelta(days=2))
    lost = make_customer(corp)
    Follow.objects.create(
        corp=corp,
        customer=lost,
        staff=alice,
        added_at=now - timedelta(days=90),
        status="deleted_by_customer",
        ended_at=now - timedelta(days=1),
    )
    make_group_chat(corp)

    people = lin.get("/admin/").context["people"]

    assert (people.live, people.new, people.lost, people.staff, people.groups) == (2, 1, 1, 1, 1)


def test_the_cards_of_the_week_lead_to_as_many_customers(lin: Client, corp: Corp) -> None:
    now, alice = datetime.now(tz=UTC), make_staff(corp)
    for days in (0, 3, 6, 7, 8):
        moment = now - timedelta(days=days)
        make_customer(corp, staff=alice, added_at=moment)
        gone = make_customer(corp)
        Follow.objects.create(
            corp=corp, customer=gone, staff=alice, added_at=moment, status="gone", ended_at=moment
        )
    answer = lin.get("/admin/")
    people = answer.context["people"]
    customers = "/admin/customers/customer/"

    new = lin.get(customers, {"new": "7"})
    lost = lin.get(customers, {"state": "lost", "lost": "7"})

    assert people.new == len(new.context["cl"].result_list) == 3
    assert people.lost == len(lost.context["cl"].result_list) == 3


def test_a_customer_inherited_from_a_colleague_is_not_new(lin: Client, corp: Corp) -> None:
    now, leaver = datetime.now(tz=UTC), make_staff(corp)
    customer = make_customer(corp, staff=make_staff(corp), added_at=now)
    Follow.objects.create(
        corp=corp, customer=customer, staff=leaver, added_at=now, status="transferred", ended_at=now
    )

    home = lin.get("/admin/")

    assert home.context["people"].new == 0
    assert home.context["chart"].is_empty
    assert not lin.get("/admin/customers/customer/", {"new": "7"}).context["cl"].result_list


def test_a_customer_who_lost_one_of_two_friends_is_not_lost(lin: Client, corp: Corp) -> None:
    now = datetime.now(tz=UTC)
    customer = make_customer(corp, staff=[make_staff(corp), make_staff(corp)])
    first = Follow.objects.filter(customer=customer).order_by("pk")[0]
    Follow.objects.filter(pk=first.pk).update(status="deleted_by_staff", ended_at=now)

    assert lin.get("/admin/").context["people"].lost == 0


def test_the_chart_has_a_bar_for_each_of_thirty_days(lin: Client, corp: Corp) -> None:
    now, alice = datetime.now(tz=UTC), make_staff(corp)
    for _ in range(3):
        make_customer(corp, staff=alice, added_at=now)

    chart = lin.get("/admin/").context["chart"]

    assert len(chart.bars) == 30
    assert (chart.bars[-1].added, chart.added) == (3, 3)


def test_what_needs_somebody_leads_to_its_list(lin: Client, corp: Corp) -> None:
    make_event(corp, 1, status="failed")
    make_event(corp, 2, status="handled")
    make_operation(corp, 1, status="parked")
    make_operation(corp, 2, status="unknown")

    alarms = lin.get("/admin/").context["alarms"]

    assert [(alarm.count, alarm.link) for alarm in alarms] == [
        (1, "/admin/channels/inboundevent/?status=failed"),
        (1, "/admin/channels/operation/?status=parked"),
        (1, "/admin/channels/operation/?status=unknown"),
    ]


def test_silence_of_the_background_is_told(lin: Client, corp: Corp) -> None:
    silent = lin.get("/admin/").context["is_silent"]
    Tick.objects.create(name="inbox", slot=1, fired_at=datetime.now(tz=UTC))

    assert silent
    assert not lin.get("/admin/").context["is_silent"]


def test_campaigns_underway_show_how_many_are_confirmed(lin: Client, corp: Corp) -> None:
    campaign = make_campaign(corp, status="asked")
    make_campaign(corp, status="done")
    for status in ("asked", "delivered", "quota", "not_friend"):
        campaign.recipients.create(corp=corp, customer=make_customer(corp), status=status)

    (row,) = lin.get("/admin/").context["underway"]

    assert (row.campaign, row.asked, row.confirmed, row.percent) == (campaign, 4, 3, 75)


def test_the_last_sync_is_compared(lin: Client, corp: Corp) -> None:
    now = datetime.now(tz=UTC)
    Job.objects.create(
        corp=corp,
        kind="sync",
        created_at=now,
        due_at=now,
        finished_at=now,
        status="succeeded",
        report={"customers": {"platform": 31_204, "local": 31_204}},
    )

    assert "31,204" in lin.get("/admin/").content.decode()


def test_a_person_of_one_department_sees_its_figures_and_no_ledger(
    corp: Corp, enter: Enter
) -> None:
    department = make_department(corp)
    make_customer(corp, staff=make_staff(corp, departments=[department]))
    make_customer(corp, staff=make_staff(corp))
    make_event(corp, status="failed")

    context = enter("dora", corp=corp, departments=[department]).get("/admin/").context

    assert context["people"].live == 1
    assert "alarms" not in context


def test_somebody_without_any_corp_is_told_whom_to_ask(enter: Enter, corp: Corp) -> None:
    nobody = enter("nobody", corp=corp)
    corp.delete()

    text = speak(nobody, "en").get("/admin/").content.decode()

    assert "no access to any corp" in text
