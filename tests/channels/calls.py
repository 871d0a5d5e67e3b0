"""Every method of a channel, once, with arguments that make it ask the platform."""

from collections.abc import Callable
from datetime import date

from scrm.channels import base
from scrm.channels.base import Channel
from tests.factories import NOW

MESSAGE = base.MassMessage("alice", ("wm1",), "Hello")
TO_CHATS = base.MassMessage("alice", (), "Hello", chat_ids=("wr1",))
JOIN_CODE = base.JoinCodeWish(("wr1",), "state")
CODE = base.ContactCodeWish(("alice",), state="spring")
LINK = base.LinkWish("Spring", ("alice",))
RULE = base.InterceptRuleWish("Rule", ("word",), ("alice",))
MOMENT = base.MomentWish("Hello", ({"kind": "image", "media_id": "m"},), ("alice",), (2,), ("et1",))
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 3)
CARD = base.StaffButtonCard("t1", "Task", "Call her", (base.CardButton("done", "Done"),))

CALLS: dict[str, Callable[[Channel], object]] = {
    "directory.departments": lambda c: c.directory.departments(),
    "directory.staff": lambda c: c.directory.staff([1, 2]),
    "contacts.staff_with_customer_contact": lambda c: c.contacts.staff_with_customer_contact(),
    "contacts.customer_page": lambda c: c.contacts.customer_page(["alice"], ""),
    "contacts.external_userids_of": lambda c: c.contacts.external_userids_of("alice"),
    "contacts.customer": lambda c: c.contacts.customer("wm1"),
    "contacts.served_page": lambda c: c.contacts.served_page(""),
    "contacts.change_remark": lambda c: c.contacts.change_remark(
        "alice", "wm1", remark="a", description="b", company="c", mobiles=["1"]
    ),
    "contacts.find_by_unionid": lambda c: c.contacts.find_by_unionid(
        "u1", "o1", is_of_provider=True
    ),
    "contacts.id_from_provider": lambda c: c.contacts.id_from_provider("wm1", agent_id=1),
    "contacts.behaviour": lambda c: c.contacts.behaviour(FIRST, LAST, userids=["alice"]),
    "contacts.strategy_page": lambda c: c.contacts.strategy_page(""),
    "contacts.strategy": lambda c: c.contacts.strategy(1),
    "contacts.strategy_range_page": lambda c: c.contacts.strategy_range_page(1, ""),
    "tags.groups": lambda c: c.tags.groups(),
    "tags.of_strategy": lambda c: c.tags.of_strategy(1),
    "tags.create": lambda c: c.tags.create(base.TagGroupWish((base.TagWish("A"),), name="B")),
    "tags.edit": lambda c: c.tags.edit("et1", name="C", order=0),
    "tags.delete": lambda c: c.tags.delete(tag_ids=["et1"]),
    "tags.mark": lambda c: c.tags.mark("alice", "wm1", add=["et1"], remove=[]),
    "messages.ask": lambda c: c.messages.ask(MESSAGE),
    "messages.find": lambda c: c.messages.find(MESSAGE, since=NOW, until=NOW, known=()),
    "messages.find to chats": lambda c: c.messages.find(TO_CHATS, since=NOW, until=NOW, known=()),
    "messages.sender_states": lambda c: c.messages.sender_states("m1", ""),
    "messages.deliveries": lambda c: c.messages.deliveries("m1", "alice", ""),
    "messages.remind": lambda c: c.messages.remind("m1"),
    "messages.cancel": lambda c: c.messages.cancel("m1"),
    "messages.send_welcome": lambda c: c.messages.send_welcome("code", base.Welcome("Hello")),
    "messages.create_group_welcome": lambda c: c.messages.create_group_welcome(
        base.GroupWelcomeWish("Hello")
    ),
    "messages.group_welcome": lambda c: c.messages.group_welcome("t1"),
    "messages.update_group_welcome": lambda c: c.messages.update_group_welcome(
        "t1", base.GroupWelcomeWish("Hello")
    ),
    "messages.delete_group_welcome": lambda c: c.messages.delete_group_welcome("t1"),
    "groups.chat_page": lambda c: c.groups.chat_page(["alice"], ""),
    "groups.chat": lambda c: c.groups.chat("wr1"),
    "groups.chat_of_opengid": lambda c: c.groups.chat_of_opengid("o1"),
    "groups.figures_page": lambda c: c.groups.figures_page(["alice"], FIRST, LAST),
    "groups.figures_by_day": lambda c: c.groups.figures_by_day(["alice"], FIRST, LAST),
    "groups.create_join_code": lambda c: c.groups.create_join_code(JOIN_CODE),
    "groups.join_code": lambda c: c.groups.join_code("c1"),
    "groups.update_join_code": lambda c: c.groups.update_join_code("c1", JOIN_CODE),
    "groups.delete_join_code": lambda c: c.groups.delete_join_code("c1"),
    "moments.publish": lambda c: c.moments.publish(MOMENT),
    "moments.outcome": lambda c: c.moments.outcome("j1"),
    "moments.cancel": lambda c: c.moments.cancel("mom1"),
    "moments.page": lambda c: c.moments.page(NOW, NOW, ""),
    "moments.task_page": lambda c: c.moments.task_page("mom1", ""),
    "moments.audience_page": lambda c: c.moments.audience_page("mom1", "alice", ""),
    "moments.viewer_page": lambda c: c.moments.viewer_page("mom1", "alice", ""),
    "moments.reactions": lambda c: c.moments.reactions("mom1", "alice"),
    "handover.unassigned_page": lambda c: c.handover.unassigned_page(""),
    "handover.transfer_customers": lambda c: c.handover.transfer_customers(
        "alice", "bob", ["wm1"], is_resigned=False, message="Hi"
    ),
    "handover.transfer_states": lambda c: c.handover.transfer_states(
        "alice", "bob", "", is_resigned=True
    ),
    "handover.transfer_chats": lambda c: c.handover.transfer_chats(
        ["wr1"], "bob", is_resigned=True
    ),
    "codes.create_contact_code": lambda c: c.codes.create_contact_code(CODE),
    "codes.contact_code": lambda c: c.codes.contact_code("c1"),
    "codes.contact_code_page": lambda c: c.codes.contact_code_page(NOW, NOW, ""),
    "codes.update_contact_code": lambda c: c.codes.update_contact_code("c1", CODE),
    "codes.delete_contact_code": lambda c: c.codes.delete_contact_code("c1"),
    "codes.close_temporary_chat": lambda c: c.codes.close_temporary_chat("alice", "wm1"),
    "codes.create_link": lambda c: c.codes.create_link(LINK),
    "codes.link": lambda c: c.codes.link("ca1"),
    "codes.link_page": lambda c: c.codes.link_page(""),
    "codes.update_link": lambda c: c.codes.update_link("ca1", LINK),
    "codes.delete_link": lambda c: c.codes.delete_link("ca1"),
    "codes.link_customer_page": lambda c: c.codes.link_customer_page("ca1", ""),
    "codes.link_figures": lambda c: c.codes.link_figures("ca1", FIRST, LAST),
    "codes.link_quota": lambda c: c.codes.link_quota(),
    "codes.link_chat": lambda c: c.codes.link_chat("key"),
    "media.upload": lambda c: c.media.upload("image", "a.png", b"bytes"),
    "media.upload_attachment": lambda c: c.media.upload_attachment(
        "image", "a.png", b"bytes", use=base.AttachmentUse.MOMENT
    ),
    "media.upload_picture": lambda c: c.media.upload_picture("a.png", b"bytes"),
    "media.download": lambda c: c.media.download("m1"),
    "media.picture": lambda c: c.media.picture("http://127.0.0.1:9/a.png"),
    "staff_messages.send": lambda c: c.staff_messages.send(["alice"], CARD),
    "staff_messages.update_card": lambda c: c.staff_messages.update_card(
        ["alice"], "code", button="Done"
    ),
    "staff_messages.recall": lambda c: c.staff_messages.recall("m1"),
    "words.create": lambda c: c.words.create(RULE),
    "words.rules": lambda c: c.words.rules(),
    "words.rule": lambda c: c.words.rule("r1"),
    "words.update": lambda c: c.words.update("r1", RULE),
    "words.delete": lambda c: c.words.delete("r1"),
}


def methods_of_a_channel() -> set[str]:
    """`group.method` of everything that the protocols promise."""
    protocols = {name: each.fget.__annotations__["return"] for name, each in _groups().items()}
    return {
        f"{name}.{method}"
        for name, protocol in protocols.items()
        for method, value in vars(protocol).items()
        if callable(value) and not method.startswith("_")
    }


def _groups() -> dict[str, property]:
    members = vars(base.Channel).items()
    return {name: each for name, each in members if isinstance(each, property)}
