"""What makes the platform refuse: one cause for each documented refusal that has one.

A cause brings the sandbox there and returns its answer.
"""

import threading
from collections.abc import Callable
from typing import Any

from scrm.sandbox.records import Person
from tests.conformance import answers, recipes
from tests.conformance.recipes import CHATS
from tests.conformance.stage import WECHAT_CUSTOMER, WECOM_CUSTOMER, Stage

Answer = dict[str, Any]
Cause = Callable[[Stage], Answer]

DAY = 24 * 3600
LIST = "department/simplelist"
MARK = {"userid": "zhangsan", "external_userid": WECHAT_CUSTOMER, "add_tag": [recipes.TAGS[0]]}
TRANSFER = {
    "handover_userid": "zhangsan",
    "takeover_userid": "lisi",
    "external_userid": [WECOM_CUSTOMER],
}
WAY = {"type": 1, "scene": 2}
RULE = {"word_list": ["b"], "intercept_type": 1, "applicable_range": {"user_list": ["zhangsan"]}}
HELLO = {"text": {"content": "Hello"}}


def post(stage: Stage, path: str, /, **body: Any) -> Answer:
    return stage.ask("POST", path, body)


def member_not_activated(stage: Stage) -> Answer:
    stage.people.set_verified("tom", verified=False)
    return post(stage, "externalcontact/add_contact_way", **WAY, user=["tom"])


def full_of_tags(stage: Stage) -> Answer:
    stage.world.options.corp_tag_limit = stage.world.tags.size()
    return post(stage, "externalcontact/add_corp_tag", group_name="A", tag=[{"name": "B"}])


def same_tag_twice(stage: Stage) -> Answer:
    body = {"group_name": "A", "tag": [{"name": "B"}]}
    stage.ok("externalcontact/add_corp_tag", **body)
    return post(stage, "externalcontact/add_corp_tag", **body)


def full_of_rules(stage: Stage) -> Answer:
    for number in range(100):
        stage.ok("externalcontact/add_intercept_rule", **RULE, rule_name=f"Rule {number}")
    return post(stage, "externalcontact/add_intercept_rule", **RULE, rule_name="Another")


def full_of_links(stage: Stage) -> Answer:
    stage.world.options.acquisition_link_limit = 0
    body = {"link_name": "A", "range": {"user_list": ["zhangsan"]}}
    return post(stage, "externalcontact/customer_acquisition/create_link", **body)


def full_of_welcomes(stage: Stage) -> Answer:
    for _ in range(100):
        stage.ok("externalcontact/group_welcome_template/add", **HELLO)
    return post(stage, "externalcontact/group_welcome_template/add", **HELLO)


def nobody_to_send_to(stage: Stage) -> Answer:
    stage.world.add_person(Person("wmSTRANGER", "路人"))
    return post(stage, "externalcontact/add_msg_template", external_userid=["wmSTRANGER"], **HELLO)


def used_code(stage: Stage) -> Answer:
    code = {"code": stage.people.opens_page("zhangsan", "https://a.example/")["code"]}
    stage.ok("auth/getuserinfo", "GET", **code)
    return stage.ask("GET", "auth/getuserinfo", code)


def cancelled_twice(stage: Stage) -> Answer:
    (msgid,) = recipes.mass_message(stage).values()
    stage.ok("externalcontact/cancel_groupmsg_send", msgid=msgid)
    return post(stage, "externalcontact/cancel_groupmsg_send", msgid=msgid)


def reminded_four_times(stage: Stage) -> Answer:
    (msgid,) = recipes.mass_message(stage).values()
    for _ in range(3):
        stage.ok("externalcontact/remind_groupmsg_send", msgid=msgid)
    return post(stage, "externalcontact/remind_groupmsg_send", msgid=msgid)


def still_dispatched(stage: Stage) -> Answer:
    stage.world.options.dispatch_seconds = 5
    (msgid,) = recipes.mass_message(stage).values()
    return post(stage, "externalcontact/get_groupmsg_task", msgid=msgid)


def too_many_owners(stage: Stage) -> Answer:
    answers.hundreds_of_followers(stage)
    for number in range(501, 1010):
        stage.people.member_joins(f"seller{number}", "A")
    return post(stage, "externalcontact/groupchat/list", limit=100)


def dismissed(stage: Stage) -> Answer:
    recipes.chats_of_zhangsan(stage)
    stage.people.chat_dismiss(CHATS[0])
    return post(stage, "externalcontact/groupchat/get", chat_id=CHATS[0])


def six_chats(stage: Stage) -> Answer:
    chats = [stage.people.chat_create("zhangsan", "Group") for _ in range(6)]
    return post(stage, "externalcontact/groupchat/add_join_way", scene=2, chat_id_list=chats)


def late_welcome(stage: Stage) -> Answer:
    (code,) = recipes.welcome(stage).values()
    stage.world.clock.advance(21)
    return post(stage, "externalcontact/send_welcome_msg", welcome_code=code, **HELLO)


def second_welcome(stage: Stage) -> Answer:
    (code,) = recipes.welcome(stage).values()
    stage.ok("externalcontact/send_welcome_msg", welcome_code=code, **HELLO)
    return post(stage, "externalcontact/send_welcome_msg", welcome_code=code, **HELLO)


def rival_welcome(stage: Stage) -> Answer:
    stage.world.options.rival_welcome_seconds = 5
    (code,) = recipes.welcome(stage).values()
    return post(stage, "externalcontact/send_welcome_msg", welcome_code=code, **HELLO)


def told_to_nobody(stage: Stage) -> Answer:
    agent_id = stage.world.credentials.agent_id
    body = {"agentid": agent_id, "msgtype": "text", "text": {"content": "Hello"}}
    return post(stage, "message/send", touser="nobody|noone", **body)


def transferred_twice_already(stage: Stage) -> Answer:
    for giver, taker in (("zhangsan", "lisi"), ("lisi", "zhangsan")):
        pair = {"handover_userid": giver, "takeover_userid": taker}
        (row,) = stage.ok("externalcontact/transfer_customer", **(TRANSFER | pair))["customer"]
        assert row["errcode"] == 0
        stage.world.clock.advance(DAY + 1)
    return first_row(post(stage, "externalcontact/transfer_customer", **TRANSFER))


def transferred_meanwhile(stage: Stage) -> Answer:
    stage.ok("externalcontact/transfer_customer", **TRANSFER)
    return first_row(post(stage, "externalcontact/transfer_customer", **TRANSFER))


def transferred_meanwhile_of_one_who_left(stage: Stage) -> Answer:
    stage.people.member_leaves("zhangsan")
    stage.ok("externalcontact/resigned/transfer_customer", **TRANSFER)
    return first_row(post(stage, "externalcontact/resigned/transfer_customer", **TRANSFER))


def first_row(answer: Answer) -> Answer:
    """Codes of single customers come inside of an answer that is good."""
    assert answer["errcode"] == 0
    row: Answer = answer["customer"][0]
    return row


def wrong_secret(stage: Stage) -> Answer:
    query = {"corpid": stage.world.credentials.corp_id, "corpsecret": "wrong"}
    return stage.ask("GET", "gettoken", query)


def wrong_corp(stage: Stage) -> Answer:
    return stage.ask("GET", "gettoken", {"corpid": "wwwrong", "corpsecret": "wrong"})


def unknown_token(stage: Stage) -> Answer:
    return stage.ask("GET", LIST, {"access_token": "wrong"})


def no_token(stage: Stage) -> Answer:
    return stage.ask("GET", LIST, {"access_token": ""})


def expired_token(stage: Stage) -> Answer:
    token = stage.world.credentials
    query = {"corpid": token.corp_id, "corpsecret": token.secret}
    old = stage.ask("GET", "gettoken", query)["access_token"]
    stage.world.clock.advance(7201)
    return stage.ask("GET", LIST, {"access_token": old})


def one_call_too_many(stage: Stage) -> Answer:
    stage.world.options.calls_per_minute = 2
    return [stage.ask("GET", LIST, {}) for _ in range(3)][-1]


def two_reads_at_a_time(stage: Stage) -> Answer:
    stage.world.options.list_concurrency = 1
    return together(stage, lambda: stage.ask("GET", LIST, {}))


def two_writes_at_a_time(stage: Stage) -> Answer:
    recipes.corp_tags(stage)
    return together(stage, lambda: post(stage, "externalcontact/mark_tag", **MARK))


def together(stage: Stage, ask: Callable[[], Answer]) -> Answer:
    """Ask while the same question is on its way; return the answer that came of it."""
    arrived, go_on = threading.Event(), threading.Event()

    def wait(_seconds: float) -> None:
        arrived.set()
        go_on.wait(10)

    # The first request stops at the fault, inside of the gate; the second one meets it there.
    stage.stop_next(wait)
    first = threading.Thread(target=ask)
    first.start()
    assert arrived.wait(10)
    try:
        return ask()
    finally:
        go_on.set()
        first.join()


def not_granted(stage: Stage) -> Answer:
    stage.world.options.withheld_paths = ["externalcontact/"]
    return stage.ask("GET", "externalcontact/get_follow_user_list", {})


def out_of_range(stage: Stage) -> Answer:
    stage.world.options.visible_members = ["lisi"]
    return stage.ask("GET", "user/get", {"userid": "zhangsan"})


def strange_address(stage: Stage) -> Answer:
    stage.world.options.trusted_ips = ["10.0.0.1"]
    return stage.ask("GET", LIST, {})


def customer_of_nobody(stage: Stage) -> Answer:
    stage.world.add_person(Person("wmSTRANGER", "路人"))
    return stage.ask("GET", "externalcontact/get", {"external_userid": "wmSTRANGER"})


def member_without_customers(stage: Stage) -> Answer:
    return stage.ask("GET", "externalcontact/list", {"userid": "tom"})


CAUSES: dict[str, Cause] = {
    "add_contact_way.error41041.json": lambda stage: post(
        stage, "externalcontact/add_contact_way", **WAY, user=["zhangsan", "lisi"]
    ),
    "add_contact_way.error41054.json": member_not_activated,
    "add_corp_tag.error40071.json": same_tag_twice,
    "add_corp_tag.error40126.json": full_of_tags,
    "add_intercept_rule.error41069.json": full_of_rules,
    "add_join_way.error41091.json": six_chats,
    "add_msg_template.error41048.json": nobody_to_send_to,
    "auth_getuserinfo.error40029.json": used_code,
    "ca_create_link.error41095.json": full_of_links,
    "cancel_groupmsg_send.error41093.json": cancelled_twice,
    "error.40001.json": wrong_secret,
    "error.40014.json": unknown_token,
    "error.40058.json": lambda stage: post(stage, "externalcontact/groupchat/list", limit="many"),
    "error.40096.json": lambda stage: stage.ask(
        "GET", "externalcontact/get", {"external_userid": "wmNOBODY"}
    ),
    "error.40100.json": transferred_meanwhile_of_one_who_left,
    "error.40128.json": transferred_twice_already,
    "error.40129.json": transferred_meanwhile,
    "error.41001.json": no_token,
    "error.42001.json": expired_token,
    "error.45009.json": one_call_too_many,
    "error.45033.json": two_reads_at_a_time,
    "error.45035.json": two_writes_at_a_time,
    "error.48002.json": not_granted,
    "error.60011.json": out_of_range,
    "error.60020.json": strange_address,
    "error.81017.json": too_many_owners,
    "error.84061.json": customer_of_nobody,
    "externalcontact_list.error84061.json": member_without_customers,
    "get_groupmsg_task.error41063.json": still_dispatched,
    "gettoken.error40001.json": wrong_secret,
    "gettoken.error40013.json": wrong_corp,
    "group_welcome_template_add.error41055.json": full_of_welcomes,
    "groupchat_get.error49008.json": dismissed,
    "message_send.error81013.json": told_to_nobody,
    "remind_groupmsg_send.error41094.json": reminded_four_times,
    "send_welcome_msg.error41050.json": late_welcome,
    "send_welcome_msg.error41051.json": second_welcome,
    "send_welcome_msg.error41096.json": rival_welcome,
}
# Refusals that nothing brings about but an order of trouble.
WITHOUT_CAUSE: dict[str, str] = {
    "error.40035.json": "no page says what it is answered for; wrong parameters are 40058",
    "error.minus1.json": "the platform is busy, whatever is asked",
}
