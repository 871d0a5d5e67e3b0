"""Welcomes, moments, messages to staff and files, as the sandbox answers them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from scrm.audit.actions.recording import SYSTEM
from scrm.channels.actions.media import keep_media, upload_due_media
from scrm.channels.base import (
    AttachmentUse,
    CardButton,
    Channel,
    GroupWelcomeWish,
    MomentWish,
    StaffButtonCard,
    StaffCard,
    StaffMarkdown,
    StaffMessage,
    StaffText,
    Welcome,
)
from scrm.channels.errors import AlreadyDone, ChannelError, InputRefused, NotReady, Stale
from scrm.sandbox.formats import paint
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.models import Corp
from tests.factories import NOW

CARD = StaffButtonCard(
    "task-1",
    "Call Anna",
    "She asked for it",
    (CardButton("done", "Done"), CardButton("later", "Later", style=2)),
    facts=(("Since", "yesterday"),),
    url="https://scrm.example.com/t/1",
)
DAY = timedelta(days=1)


@pytest.fixture
def staff(channel: Channel) -> list[str]:
    return list(channel.contacts.staff_with_customer_contact())


@pytest.fixture
def code(sandbox: SandboxServer, staff: list[str]) -> str:
    """The code that came with a customer who has just been added."""
    external_userid = sandbox.people.add_customer(staff[0], {"name": "Anna"})
    relation = sandbox.world.find_relation(staff[0], external_userid)
    assert relation
    codes = sandbox.world.welcomes._codes.values()
    return next(each.code for each in codes if each.external_userid == external_userid)


def test_a_new_customer_is_welcomed_once(
    channel: Channel, sandbox: SandboxServer, code: str
) -> None:
    link = {"kind": "link", "title": "Book", "url": "https://a.example"}

    channel.messages.send_welcome(code, Welcome("Hello Anna", (link,)))

    (sent,) = sandbox.entries("welcome.sent")
    assert "Hello Anna" in str(sent.data)
    with pytest.raises(AlreadyDone):
        channel.messages.send_welcome(code, Welcome("Hello again"))


def test_a_welcome_that_comes_too_late_is_refused(
    channel: Channel, sandbox: SandboxServer, code: str
) -> None:
    sandbox.clock.advance(21)

    with pytest.raises(ChannelError) as refusal:
        channel.messages.send_welcome(code, Welcome("Hello"))

    assert refusal.value.errcode == 41050


def test_a_welcome_that_is_too_long_does_not_spend_the_code(channel: Channel, code: str) -> None:
    with pytest.raises(InputRefused, match="at most 4000 bytes, not 4002"):
        channel.messages.send_welcome(code, Welcome("好" * 1334))

    channel.messages.send_welcome(code, Welcome("好" * 1333))


def test_a_welcome_waits_for_its_picture(
    brand: Corp, channel: Channel, code: str, settings: Any, tmp_path: Path
) -> None:
    settings.MEDIA_ROOT = tmp_path
    content = ContentFile(paint(9, 9))
    media = keep_media(content, corp=brand, kind="image", name="a.png", actor=SYSTEM, now=NOW)
    welcome = Welcome("", ({"kind": "image", "file": media.pk},))
    with pytest.raises(NotReady):
        channel.messages.send_welcome(code, welcome)

    upload_due_media(now=datetime.now(UTC))
    channel.messages.send_welcome(code, welcome)


def test_a_group_welcome_is_kept_changed_and_deleted(
    channel: Channel, sandbox: SandboxServer
) -> None:
    link = {"kind": "link", "title": "Book", "url": "https://a.example"}
    template_id = channel.messages.create_group_welcome(GroupWelcomeWish("Hi %NICKNAME%", link))
    made = channel.messages.group_welcome(template_id)
    assert (made.content, made.attachment_kind) == ("Hi %NICKNAME%", "link")

    channel.messages.update_group_welcome(template_id, GroupWelcomeWish("Hello"))

    changed = channel.messages.group_welcome(template_id)
    assert (changed.content, changed.attachment_kind) == ("Hello", "")
    channel.messages.delete_group_welcome(template_id)
    with pytest.raises(ChannelError):
        channel.messages.group_welcome(template_id)


def test_a_moment_is_published_seen_and_liked(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    picture = channel.media.upload_attachment(
        "image", "a.png", paint(9, 9), use=AttachmentUse.MOMENT
    )
    wish = MomentWish("New", ({"kind": "image", "media_id": picture},), tuple(staff[:2]))

    outcome = channel.moments.outcome(channel.moments.publish(wish))

    assert (outcome.is_over, outcome.errcode) == (True, 0)
    moment = outcome.moment_id
    sandbox.people.publish_moment(moment, staff[0])
    tasks = {task.userid: task.is_published for task in channel.moments.task_page(moment, "").rows}
    assert tasks == {staff[0]: True, staff[1]: False}
    chosen = channel.moments.audience_page(moment, staff[0], "").rows
    viewers = channel.moments.viewer_page(moment, staff[0], "").rows
    assert set(viewers) <= set(chosen) == set(channel.contacts.external_userids_of(staff[0]))
    sandbox.people.customer_likes_moment(viewers[0], moment, staff[0])
    (like,) = channel.moments.reactions(moment, staff[0]).likes
    assert (like.external_userid, like.userid) == (viewers[0], "")


def test_lists_moments_of_the_corp_and_of_members(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    own = sandbox.people.post_moment(staff[0], "Mine")
    asked = channel.moments.outcome(channel.moments.publish(MomentWish("Ours"))).moment_id
    now = datetime.fromtimestamp(sandbox.clock.now(), UTC)

    rows = {row.moment_id: row for row in channel.moments.page(now - DAY, now + DAY, "").rows}

    assert (rows[own].creator, rows[own].is_personal, rows[own].content) == (staff[0], True, "Mine")
    assert (rows[asked].creator, rows[asked].is_personal) == ("", False)
    assert rows[asked].is_public


def test_names_whom_a_moment_could_not_be_asked_of(channel: Channel, staff: list[str]) -> None:
    wish = MomentWish("New", userids=(staff[0], "nobody"))

    outcome = channel.moments.outcome(channel.moments.publish(wish))

    assert outcome.moment_id
    assert outcome.invalid_userids == ("nobody",)


def test_nobody_else_publishes_a_cancelled_moment(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    moment = channel.moments.outcome(channel.moments.publish(MomentWish("New"))).moment_id

    channel.moments.cancel(moment)

    assert sandbox.people.publish_moment(moment, staff[0]) == 0


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (StaffText("Hello"), "Hello"),
        (StaffMarkdown("**Hello**"), "**Hello**"),
        (StaffCard("Title", "More", "https://a.example", "Open"), "Title"),
        (CARD, "Call Anna"),
    ],
)
def test_staff_are_told_in_each_form(
    channel: Channel, sandbox: SandboxServer, staff: list[str], message: StaffMessage, words: str
) -> None:
    sent = channel.staff_messages.send([staff[0], "Nobody"], message)

    (told,) = sandbox.world.app_messages
    assert (told.msgid, told.receivers) == (sent.msgid, (staff[0],))
    assert words in told.text
    assert sent.unreached == ("Nobody",)


def test_the_same_words_are_told_once(channel: Channel, sandbox: SandboxServer) -> None:
    everybody = channel.contacts.staff_with_customer_contact()

    first, again = (channel.staff_messages.send(everybody, StaffText("Hello")) for _ in range(2))

    assert first.msgid == again.msgid
    assert len(sandbox.world.app_messages) == 1


def test_nobody_reached_is_no_error(channel: Channel) -> None:
    sent = channel.staff_messages.send(["Nobody"], StaffText("Hello"))

    assert (sent.msgid, sent.unreached) == ("", ("Nobody",))


def test_a_pressed_card_is_changed_once(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    sent = channel.staff_messages.send(staff[:2], CARD)
    code = sandbox.people.presses_card(staff[0], sent.msgid, "done")

    missed = channel.staff_messages.update_card([staff[0], "Nobody"], code, button="Thank you")

    assert missed == ("Nobody",)
    assert sent.card_code
    (updated,) = sandbox.entries("card.updated")
    assert updated.data["userids"] == [staff[0]]
    with pytest.raises(ChannelError):
        channel.staff_messages.update_card([staff[0]], code, button="Again")


def test_a_message_is_taken_back_within_a_day(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    sent = channel.staff_messages.send(staff[:1], StaffText("Oops"))

    channel.staff_messages.recall(sent.msgid)

    assert sent.msgid in sandbox.world.app_messages_recalled
    with pytest.raises(Stale):
        channel.staff_messages.recall("nothing")


def test_what_the_platform_would_cut_off_is_refused_here(
    channel: Channel, sandbox: SandboxServer, staff: list[str]
) -> None:
    for message in (StaffText("好" * 683), StaffMarkdown("a" * 2049), StaffCard("t" * 129, "", "")):
        with pytest.raises(InputRefused, match="at most"):
            channel.staff_messages.send(staff[:1], message)
    assert sandbox.world.app_messages == []


def test_a_file_comes_back_as_it_went(channel: Channel) -> None:
    media_id = channel.media.upload("file", "价目表.json", b'{"errcode": 40007}')

    file = channel.media.download(media_id)

    # Its content looks like a refusal, which must not be mistaken for one.
    assert (file.name, file.content) == ("价目表.json", b'{"errcode": 40007}')


def test_a_file_that_is_gone_says_so(channel: Channel) -> None:
    with pytest.raises(Stale) as refusal:
        channel.media.download("nothing")

    assert refusal.value.errcode in {40007, 40145}


def test_a_file_is_fetched_with_a_new_token_when_the_old_one_is_refused(
    channel: Channel, sandbox: SandboxServer
) -> None:
    media_id = channel.media.upload("file", "a.txt", b"content")
    sandbox.faults.fail("media/get", 42001)

    assert channel.media.download(media_id).content == b"content"


def test_a_file_that_a_gateway_answers_for_is_no_file(
    channel: Channel, sandbox: SandboxServer
) -> None:
    media_id = channel.media.upload("file", "a.txt", b"content")
    sandbox.faults.http_500("media/get", times=1)

    with pytest.raises(ChannelError):
        channel.media.download(media_id)


def test_a_picture_for_messages_has_an_address(channel: Channel) -> None:
    address = channel.media.upload_picture("a.png", paint(9, 9))

    assert channel.media.picture(address)[1] == paint(9, 9)
