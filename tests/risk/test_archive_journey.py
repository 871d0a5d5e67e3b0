"""The archive of the sandbox, from what people say to the incident: over HTTP, sealed for real."""

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import translation

from risk.actions.archiving import pull_due_archives
from risk.actions.screening_messages import screen_due_messages
from risk.models import Agreement, ArchiveCursor, ArchivedMessage, Incident
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.archive_keys import add_archive_key
from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.errors import ChannelError
from scrm.channels.models import ApiUsage
from scrm.channels.opening import open_archive
from scrm.sandbox.archived_kinds import SAMPLES
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.channels.processes import finish, start_python
from tests.factories import NOW, connect_to, make_lexicon
from tests.risk.archive import texts

MINUTE = timedelta(minutes=1)
PATH = "archive/getchatdata"
PULL = """
from risk.actions.archiving import pull_due_archives
print(pull_due_archives(now=datetime.fromisoformat(arguments[0]))["messages"])
"""


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def with_archive(sandbox: SandboxServer) -> Corp:
    corp = connect_to(sandbox)
    corp.archive_secret = sandbox.credentials.archive_secret
    corp.save()
    give_keys(corp, sandbox)
    return corp


def give_keys(corp: Corp, sandbox: SandboxServer, *, now: object = NOW) -> None:
    for version, pem in sandbox.archive_keys().items():
        add_archive_key(corp, version=version, private_key=pem, actor=SYSTEM, now=now)  # type: ignore[arg-type]


def a_pair(sandbox: SandboxServer) -> tuple[str, str]:
    relation = next(each for each in sandbox.world.relations() if sandbox.world.is_shown(each))
    return relation.userid, relation.external_userid


def pull_the_rest() -> int:
    """Until there is nothing more: a run ends after some seconds, wherever it is."""
    taken = 0
    for minutes in range(10, 40):
        counts = pull_due_archives(now=NOW + minutes * MINUTE)
        taken += counts["messages"]
        if not counts["pages"]:
            break
    return taken


@pytest.fixture
def brand(db: None, sandbox: SandboxServer) -> Corp:
    return with_archive(sandbox)


def test_what_staff_say_ends_in_the_queue(brand: Corp, sandbox: SandboxServer) -> None:
    userid, customer = a_pair(sandbox)
    make_lexicon(brand, words=["加我私人微信"], severity="high")
    sandbox.people.customer_says(customer, userid, "你好, 有优惠吗?")
    sandbox.people.staff_says(userid, customer, "有的. 加我私人微信 ＶⅩ: anna88")
    sandbox.people.staff_says(userid, customer, kind="image")

    pull_due_archives(now=NOW)
    screen_due_messages(now=NOW)

    assert [state for state, _ in texts(brand)] == ["kept", "kept", "no_text"]
    incident = Incident.objects.get()
    assert incident.hits[0]["text"] == "加我私人微信"
    assert incident.external_userid == customer
    assert sandbox.ledger.entries("archive.kept")[-1].data["seq"] == ArchiveCursor.objects.get().seq


def test_its_calls_are_counted_under_the_platforms_name(
    brand: Corp, sandbox: SandboxServer
) -> None:
    pull_due_archives(now=NOW)

    assert ApiUsage.objects.filter(corp=brand, endpoint=PATH, calls__gte=1).exists()
    assert not ApiUsage.objects.filter(endpoint__contains="://").exists()


def test_every_kind_is_taken_in(brand: Corp, sandbox: SandboxServer) -> None:
    userid, customer = a_pair(sandbox)
    kinds = list(SAMPLES)
    for kind in kinds:
        sandbox.people.staff_says(userid, customer, "Hello", kind=kind)

    assert pull_due_archives(now=NOW)["messages"] == len(kinds)

    without = set(
        ArchivedMessage.objects.filter(text_state="no_text").values_list("kind", flat=True)
    )
    assert without == {"image", "voice", "video", "emotion", "voiptext"}
    assert not any("{" in text for _, text in texts(brand))


def test_the_picture_of_a_message_is_fetched(brand: Corp, sandbox: SandboxServer) -> None:
    userid, customer = a_pair(sandbox)
    sandbox.people.customer_says(customer, userid, kind="image")
    pull_due_archives(now=NOW)
    source, picture = open_archive(brand), io.BytesIO()

    (file,) = source.files_in(ArchivedMessage.objects.get().payload)
    size = source.fetch_media(file.file_id, md5=file.md5, into=picture)

    assert size == len(picture.getvalue()) > 0
    with pytest.raises(ChannelError, match="10005"):
        source.fetch_media("unknown", md5="", into=picture)


def test_consent_is_asked_given_and_withdrawn(brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.options.archive_agreed = False
    userid, customer = a_pair(sandbox)
    sandbox.people.staff_says(userid, customer, "Before")
    pull_due_archives(now=NOW)
    sandbox.people.agrees_to_archiving(customer, userid)
    sandbox.people.staff_says(userid, customer, "Agreed")
    pull_due_archives(now=NOW + MINUTE)
    sandbox.people.disagrees_to_archiving(customer, userid)
    sandbox.people.staff_says(userid, customer, "Afterwards")
    pull_due_archives(now=NOW + 2 * MINUTE)

    spoken = [each for each in texts(brand) if each[0] != "no_text"]
    assert spoken == [("no_consent", ""), ("kept", "Agreed"), ("no_consent", "")]


def test_in_a_room_only_who_agreed_is_kept(brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.options.archive_agreed = False
    chat = next(iter(sandbox.world.chats.values()))
    customers = [who for who in chat.members if who.startswith("wm")]
    sandbox.people.staff_says(chat.owner, text="Nobody agreed", room=chat.chat_id)
    sandbox.people.agrees_to_archiving(customers[0], room=chat.chat_id)
    sandbox.people.customer_says(customers[0], text="I agreed", room=chat.chat_id)
    sandbox.people.staff_says(chat.owner, text="Somebody did", room=chat.chat_id)

    pull_due_archives(now=NOW + MINUTE)

    spoken = [each for each in texts(brand) if each[0] != "no_text"]
    assert spoken == [("no_consent", ""), ("kept", "I agreed"), ("kept", "Somebody did")]


def test_a_new_key_is_missed_and_then_used(brand: Corp, sandbox: SandboxServer) -> None:
    userid, customer = a_pair(sandbox)
    sandbox.people.staff_says(userid, customer, "One")
    sandbox.people.rotate_archive_key()
    sandbox.people.staff_says(userid, customer, "Two")
    pull_due_archives(now=NOW)
    assert texts(brand) == [("kept", "One"), ("unreadable", "")]

    give_keys(brand, sandbox, now=NOW + MINUTE)
    pull_due_archives(now=NOW + 2 * MINUTE)

    assert texts(brand) == [("kept", "One"), ("kept", "Two")]


def test_a_recall_is_marked_on_what_it_takes_back(brand: Corp, sandbox: SandboxServer) -> None:
    userid, customer = a_pair(sandbox)
    msgid = sandbox.people.staff_says(userid, customer, "Oops")
    sandbox.people.recall_message(msgid)

    pull_due_archives(now=NOW)

    message = ArchivedMessage.objects.get(msgid=msgid)
    assert message.text == "Oops"
    assert message.recalled_at is not None


def test_faults_cost_time_and_nothing_else(brand: Corp, sandbox: SandboxServer) -> None:
    userid, customer = a_pair(sandbox)
    for number in range(5):
        sandbox.people.staff_says(userid, customer, f"{number}")
    sandbox.faults.http_500(PATH)
    assert pull_due_archives(now=NOW)["failed"] == 1
    sandbox.faults.lose_answer("msgaudit/check_single_agree")
    assert pull_due_archives(now=NOW + MINUTE)["failed"] == 1
    assert not ArchivedMessage.objects.exists()

    pull_due_archives(now=NOW + 2 * MINUTE)

    assert [text for _, text in texts(brand)] == ["0", "1", "2", "3", "4"]


def test_says_what_is_wrong_with_the_archive(brand: Corp, sandbox: SandboxServer) -> None:
    sandbox.options.archive_enabled = False
    pull_due_archives(now=NOW)
    assert "archive is not enabled" in ArchiveCursor.objects.get().problem

    sandbox.options.archive_enabled = True
    Corp.objects.filter(pk=brand.pk).update(base_url=f"{sandbox.root_url}elsewhere/cgi-bin/")
    pull_due_archives(now=NOW + 2 * MINUTE)
    assert "libWeWorkFinanceSdk_C" in ArchiveCursor.objects.get().problem


def test_callbacks_hurry_the_pull_and_tell_of_agreements_and_deletions(
    brand: Corp, sandbox: SandboxServer, client: Client
) -> None:
    address = reverse("channels:callback", args=[brand.corp_id])

    def receive(query: dict[str, str], body: bytes) -> int:
        answer = client.post(address, body, content_type="text/xml", query_params=query)
        return answer.status_code

    sandbox.callbacks.configure(receive)
    pull_due_archives(now=NOW)
    userid, customer = a_pair(sandbox)
    sandbox.people.agrees_to_archiving(customer, userid)
    sandbox.people.member_deletes(userid, customer)

    later = datetime.now(UTC) + MINUTE
    handle_due_events(now=later)

    assert Agreement.objects.get(external_userid=customer).is_agreed
    assert ArchiveCursor.objects.get().next_pull_at >= later  # type: ignore[operator]
    incident = Incident.objects.get()
    assert (incident.kind, incident.external_userid) == ("deletion", customer)


@pytest.mark.concurrency
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_workers_take_every_message_in_once(sandbox: SandboxServer) -> None:
    corp = with_archive(sandbox)
    userid, customer = a_pair(sandbox)
    for number in range(1100):
        sandbox.people.staff_says(userid, customer, f"{number}")

    workers = [start_python(PULL, NOW.isoformat()) for _ in range(3)]
    taken = sum(int(finish(worker)) for worker in workers)
    taken += pull_the_rest()

    assert taken == 1100
    assert [int(text) for _, text in texts(corp)] == list(range(1100))


@pytest.mark.concurrency
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_loses_nothing(sandbox: SandboxServer) -> None:
    corp = with_archive(sandbox)
    userid, customer = a_pair(sandbox)
    for number in range(1100):
        sandbox.people.staff_says(userid, customer, f"{number}")
    sandbox.faults.delay("msgaudit/check_single_agree", seconds=20)

    worker = start_python(PULL, NOW.isoformat())
    while not sandbox.calls().get(PATH):
        assert worker.poll() is None
    worker.kill()
    worker.communicate()
    sandbox.faults.clear()

    pull_the_rest()

    assert [int(text) for _, text in texts(corp)] == list(range(1100))
