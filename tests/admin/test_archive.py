"""Where somebody sees that the platform is about to forget messages."""

from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from risk.models import ArchiveCursor
from tests.factories import make_corp


def test_the_home_page_shows_it_and_leads_to_the_archive(lin: Client) -> None:
    corp = make_corp(archive_secret="s")
    behind = timezone.now() - timedelta(days=2)
    cursor = ArchiveCursor.objects.create(corp=corp, caught_up_at=behind, problem="No library.")
    ArchiveCursor.objects.create(corp=make_corp(), caught_up_at=behind)

    (alarm,) = lin.get("/admin/").context["alarms"]
    page = lin.get(alarm.link).content.decode()
    corp_page = lin.get(reverse("admin:tenancy_corp_change", args=[corp.pk])).content.decode()

    assert alarm.count == 48
    assert alarm.link == reverse("admin:risk_archivecursor_change", args=[cursor.pk])
    assert "No library." in alarm.text
    for shown in (page, corp_page):
        assert alarm.text.partition(":")[0] in shown
