"""The pages about all tags: use, drift, merging, tags in advance."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from customers.actions.pretags import PretagRow, save_pretags
from customers.actions.tag_report import start_report
from customers.actions.tagging import tag_customers
from customers.admin.tag_past import tag_spans_of
from customers.models import ChannelRule, PreTag, Tag, TimelineEntry
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import Operation
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.admin.conftest import Enter, speak
from tests.factories import NOW, make_customer, make_tag


@pytest.fixture
def operator(enter: Enter, corp: Corp) -> Client:
    return speak(enter("op", corp=corp), "en")


def report_of(client: Client) -> str:
    return client.get(reverse("admin:customers_tag_report")).content.decode()


def test_the_report_shows_figures_and_who_names_a_tag(operator: Client, corp: Corp) -> None:
    vip, twin = make_tag(corp, "VIP"), make_tag(corp, "V.I.P")
    make_customer(corp, tags=[vip])
    ChannelRule.objects.create(corp=corp, name="Fair", state="fair").tags.add(vip)
    assert "Nothing has been counted yet" in report_of(operator)
    # What is not known is not nought.
    assert '<td class="scrm-num">—</td>' in report_of(operator)
    assert '<td class="scrm-num">0</td>' not in report_of(operator)

    start_report(corp, now=NOW)
    run_due_jobs(clock=lambda: NOW)

    page = report_of(operator)
    assert "channel rule «Fair»" in page
    assert "Names that differ in looks only" in page
    assert reverse("admin:customers_tag_merge", args=[twin.pk]) in page


def test_the_report_takes_as_many_queries_for_many_tags(operator: Client, corp: Corp) -> None:
    counts = []
    for _round in range(2):
        for _number in range(10):
            make_tag(corp)
        report_of(operator)
        with CaptureQueriesContext(connection) as queries:
            report_of(operator)
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 20


def test_drift_is_found_without_writing(
    enter: Enter, synced_brand: Corp, sandbox: SandboxServer
) -> None:
    client = speak(enter("op", corp=synced_brand), "en")
    url = reverse("admin:customers_tag_drift")
    tag = Tag.objects.filter(kind="wecom").exclude(group__wecom_id="").earliest("pk")
    sandbox.world.tags.tags[tag.wecom_id].name = "Renamed there"

    page = client.post(url).content.decode()

    assert "Renamed there" in page
    tag.refresh_from_db()
    assert tag.name != "Renamed there"
    assert "The list of tags was read" in client.get(url).content.decode()


def test_platform_tags_are_asked_for(operator: Client, corp: Corp) -> None:
    url = reverse("admin:customers_tag_drift")

    operator.post(url, {"names": "Gold\nSilver\n", "group": "", "group_name": "Level"})

    assert Operation.objects.get().payload == {"names": ["Gold", "Silver"], "group_name": "Level"}
    assert "make tags on the platform" in operator.get(url).content.decode()


def test_merging_says_what_it_means_and_wants_a_yes(operator: Client, corp: Corp) -> None:
    old, new = make_tag(corp), make_tag(corp)
    url = reverse("admin:customers_tag_merge", args=[old.pk])

    assert "This cannot be undone" in operator.get(url).content.decode()
    operator.post(url, {"into": new.pk})
    assert not Job.objects.exists()
    operator.post(url, {"into": new.pk, "sure": "1"})

    assert Job.objects.get().params["into"] == new.pk


def test_nobody_reaches_the_tags_of_another_corp(mallory: Client, corp: Corp) -> None:
    tag = make_tag(corp, "Geheim")

    assert mallory.get(reverse("admin:customers_tag_merge", args=[tag.pk])).status_code == 404
    for name in ("report", "drift"):
        url = reverse(f"admin:customers_tag_{name}")
        assert mallory.get(f"{url}?corp={corp.pk}").status_code == 404
        assert "Geheim" not in mallory.get(url).content.decode()


def test_pretags_are_counted_and_forgotten(operator: Client, corp: Corp) -> None:
    vip = make_tag(corp, "VIP")
    rows = [PretagRow("phone", f"1380013800{digit}", [vip.pk]) for digit in range(3)]
    save_pretags(rows, corp=corp, actor=SYSTEM, now=NOW)
    url = reverse("admin:customers_pretag_changelist")

    page = operator.get(url).content.decode()
    assert "people waited for, by phone" in page
    assert "13800138" not in page
    chosen = [PreTag.objects.earliest("pk").pk]
    operator.post(url, {"action": "forget", "_selected_action": chosen})

    assert PreTag.objects.count() == 2


def test_the_form_says_how_long_a_tag_lasts(operator: Client, corp: Corp) -> None:
    tag = make_tag(corp, "Trial")
    url = reverse("admin:customers_tag_change", args=[tag.pk])

    operator.post(url, {"name": "Trial", "lasts_days": "30"})

    tag.refresh_from_db()
    assert tag.lasts_days == 30


def test_a_platform_tag_is_changed_by_asking(operator: Client, corp: Corp) -> None:
    tag = make_tag(corp, kind="wecom")
    page = operator.get(reverse("admin:customers_tag_change", args=[tag.pk])).content.decode()

    assert "Change on WeCom" in page
    assert "Delete this tag" not in page
    Tag.objects.update(is_foreign=True)
    page = operator.get(reverse("admin:customers_tag_change", args=[tag.pk])).content.decode()
    assert "Change on WeCom" not in page


def test_the_piece_of_the_customers_page_tells_the_past_in_words(corp: Corp) -> None:
    customer, vip = make_customer(corp), make_tag(corp)
    tag_customers(
        [customer], corp=corp, actor=SYSTEM, now=NOW, add=[vip],
        source=TimelineEntry.Source.PERSON, why={"by": "Lin"},
    )  # fmt: skip
    tag_customers([customer], corp=corp, actor=SYSTEM, now=NOW, remove=[vip])

    with translation.override("en"), CaptureQueriesContext(connection) as queries:
        [span] = tag_spans_of(customer)

    assert len(queries) <= 4
    assert (span.why, span.ended_at) == ("by Lin", NOW)
