"""What handover asks of chats, and what becomes of them."""

from datetime import timedelta

from customers.actions.handover.belongings import Belonging, chats_named, chats_of, note_new_owner
from groups.actions.chats import apply_group_chat
from groups.models import GroupChat
from scrm.channels.base import GroupChatRecord
from scrm.channels.models import Refresh
from scrm.tenancy.models import Corp, Staff
from tests.factories import NOW, make_corp, make_group_chat, make_staff

LATER = NOW + timedelta(seconds=5)


def test_lists_the_chats_that_somebody_owns_and_that_exist(
    corp: Corp, alice: Staff, bob: Staff
) -> None:
    chat = make_group_chat(corp, owner=alice, chat_id="wr1", name="Mothers", member_count=12)
    make_group_chat(corp, owner=alice, status="dismissed")
    make_group_chat(corp, owner=bob)
    make_group_chat(make_corp())

    assert chats_of([alice.pk], corp=corp) == [Belonging("wr1", "Mothers", alice.pk, 12)]
    assert chats_named(["wr1", "nothing"], corp=corp) == {
        "wr1": Belonging("wr1", "Mothers", alice.pk, chat.member_count)
    }


def test_the_taker_owns_it_from_then_on(corp: Corp, bob: Staff) -> None:
    gone = make_staff(corp, userid="gone", status="left")
    make_group_chat(corp, owner=gone, chat_id="wr1")

    note_new_owner(["wr1"], bob, corp=corp, now=LATER)

    chat = GroupChat.objects.get()
    assert (chat.owner, chat.status) == (bob, "inherited")
    assert Refresh.objects.values_list("kind", "key").get() == ("group_chat", "wr1")
    # A page that was asked for before does not give it back.
    record = GroupChatRecord("wr1", "Chat", "gone", NOW, "", "v1", ())
    assert apply_group_chat(record, corp=corp, asked_at=NOW, now=LATER).is_stale
    assert GroupChat.objects.get().owner == bob


def test_given_on_in_service_it_stays_a_normal_chat(corp: Corp, alice: Staff, bob: Staff) -> None:
    make_group_chat(corp, owner=alice, chat_id="wr1")

    note_new_owner(["wr1", "unknown"], bob, corp=corp, now=LATER)

    chat = GroupChat.objects.get()
    assert (chat.owner, chat.status) == (bob, "normal")
