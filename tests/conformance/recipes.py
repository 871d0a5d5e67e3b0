"""What a documented request needs to find in the world, by endpoint.

Each recipe makes it and returns which id of the payload is which of the world. A recipe for a file of
an endpoint goes before the endpoint's own.
"""

from collections.abc import Callable
from typing import Any

from scrm.sandbox.formats import paint
from scrm.sandbox.media import Medium, Scene
from tests.conformance.stage import WECHAT_CUSTOMER, WECOM_CUSTOMER, Stage

Ids = dict[Any, Any]
Recipe = Callable[[Stage], Ids]

CHATS = ("wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA", "wrOgQhDgAAcwMTB7YmDkbeBsAAAA")
TAGS = (
    "etAJ2GCAAAXtWyujaWJHDDGi0mACHAAA",
    "etBJ2GCAAAYtWyujaWJHDDGi0mACHBBB",
    "eteIlKKHSDfuMT18Kg9rBAAAA",
)
FILM = b"\x00\x00\x00\x10ftypisom\x00\x00\x00\x00\x00\x00\x00\x6cmvhd" + b"\x00" * 12
FILM += (1000).to_bytes(4, "big") + (10_000).to_bytes(4, "big") + b"\x00" * 64


def media(stage: Stage) -> Ids:
    """The attachments of messages."""
    for name in ("image", "cover", "video", "file"):
        kind = "image" if name == "cover" else name
        stage.add_medium(f"3a8h0MEDIAID{name}", kind, paint(9, 9) if kind == "image" else b"bytes")
    return {}


def picture(stage: Stage) -> Ids:
    stage.add_medium("MEDIA_ID", "image", paint(9, 9))
    stage.add_medium("MEDIAID", "image", paint(9, 9))
    return {}


def moment_picture(stage: Stage) -> Ids:
    return {"MEDIA_ID": _attach(stage, "image", paint(9, 9))} | corp_tags(stage)


def moment_film(stage: Stage) -> Ids:
    return {"MEDIA_ID": _attach(stage, "video", FILM)}


def _attach(stage: Stage, kind: str, content: bytes) -> str:
    medium = Medium(
        f"moment-{kind}", kind, "a", content, stage.world.clock.now(), scene=Scene.MOMENT
    )
    stage.world.media.add(medium, days=3)
    return medium.media_id


def album_picture(stage: Stage) -> Ids:
    medium = Medium("album", "image", "a", paint(9, 9), stage.world.clock.now(), scene=Scene.ALBUM)
    stage.world.media.add(medium, days=3)
    return {"MEDIA_ID": "album"}


def corp_tags(stage: Stage) -> Ids:
    for tag_id in TAGS:
        stage.add_corp_tag(tag_id)
    return {}


def new_tag_names(_stage: Stage) -> Ids:
    # The documented answers have a tag of this name already.
    return {"核心": "尊贵"}


def tagged_customer(stage: Stage) -> Ids:
    corp_tags(stage)
    relation = stage.world.find_relation("zhangsan", WECHAT_CUSTOMER)
    assert relation
    relation.tag_ids |= {TAGS[0], TAGS[2]}
    return {}


def id_of_a_provider(stage: Stage) -> Ids:
    return {"aaa": stage.world.foreign_ids.share(WECHAT_CUSTOMER, 100001)}


def mass_message(stage: Stage) -> Ids:
    msgid = stage.ok(
        "externalcontact/add_msg_template",
        sender="zhangsan",
        external_userid=[WECHAT_CUSTOMER, WECOM_CUSTOMER],
        text={"content": "您好"},
    )["msgid"]
    return {"msgGCAAAXtWyujaWJHDDGi0mAAAA": msgid}


def chats_of_zhangsan(stage: Stage) -> Ids:
    for chat_id in CHATS:
        if chat_id not in stage.world.chats:
            made = stage.people.chat_create("zhangsan", "Group")
            stage.world.chats[chat_id] = stage.world.chats.pop(made)
        stage.world.chats[chat_id].owner = "zhangsan"
    return {}


def ownerless_chats(stage: Stage) -> Ids:
    chats_of_zhangsan(stage)
    stage.people.member_leaves("zhangsan")
    return {}


def somebody_left(stage: Stage) -> Ids:
    stage.people.member_leaves("zhangsan")
    return {}


def contact_way(stage: Stage) -> Ids:
    body = {"type": 2, "scene": 2, "user": ["zhangsan"], "state": "a", "remark": "b"}
    config_id = stage.ok("externalcontact/add_contact_way", **body)["config_id"]
    return {"42b34949e138eb6e027c123cba77fAAA": config_id}


def temporary_chat(stage: Stage) -> Ids:
    body = {"type": 1, "scene": 2, "user": ["zhangyisheng"], "is_temp": True}
    config_id = stage.ok("externalcontact/add_contact_way", **body)["config_id"]
    stage.people.scan_contact_way(config_id, WECHAT_CUSTOMER)
    return {}


def join_way(stage: Stage) -> Ids:
    chats_of_zhangsan(stage)
    body = {"scene": 2, "chat_id_list": [CHATS[0]], "state": "a", "remark": "b"}
    config_id = stage.ok("externalcontact/groupchat/add_join_way", **body)["config_id"]
    return {"9ad7fa5cdaa6511298498f979c472aaa": config_id}


def link(stage: Stage) -> Ids:
    body = {"link_name": "A", "range": {"user_list": ["zhangsan", "lisi"]}, "skip_verify": True}
    made = stage.ok("externalcontact/customer_acquisition/create_link", **body)
    return {"cawcdea7783d7330b4": made["link"]["link_id"]}


def link_with_customer(stage: Stage) -> Ids:
    ids = link(stage)
    (link_id,) = ids.values()
    stage.people.add_by_link(link_id, {"name": "小满"}, channel="s1")
    return ids


def chat_of_link(stage: Stage) -> Ids:
    keys: list[str] = []
    (link_id,) = link(stage).values()
    came = stage.people.add_by_link(link_id, {"name": "小满"}, channel="s1")
    emit = stage.people.emit
    stage.people.emit = lambda event: (  # type: ignore[method-assign]
        keys.append(str(event.fields["ChatKey"])) if "ChatKey" in event.fields else emit(event)
    )
    for _ in range(3):
        stage.people.customer_says(came["external_userid"], came["userid"], "在吗")
    return {"CHAT_KEY": keys[0]}


def strategy(stage: Stage) -> Ids:
    body = {
        "parent_id": 0,
        "strategy_name": "A",
        "admin_list": ["zhangsan"],
        "range": [{"type": 1, "userid": "zhangsan"}, {"type": 2, "partyid": 2}],
    }
    made = stage.ok("externalcontact/customer_strategy/create", **body)
    return {1: made["strategy_id"]} if made["strategy_id"] != 1 else {}


def strategy_tag(stage: Stage) -> Ids:
    strategy(stage)
    body = {"strategy_id": 1, "group_name": "A", "tag": [{"name": "B"}]}
    group = stage.ok("externalcontact/add_strategy_tag", **body)["tag_group"]
    return {TAGS[0]: group["tag"][0]["id"]}


def welcome(stage: Stage) -> Ids:
    media(stage)
    codes: list[str] = []
    emit = stage.people.emit

    def listen(event: Any) -> None:
        codes.append(str(event.fields.get("WelcomeCode", "")))
        emit(event)

    stage.people.emit = listen  # type: ignore[method-assign]
    stage.people.add_customer("lisi", {"name": "小满"})
    return {"CALLBACK_CODE": codes[0]}


def group_welcome(stage: Stage) -> Ids:
    picture(stage)
    body = {"text": {"content": "Hello"}}
    made = stage.ok("externalcontact/group_welcome_template/add", **body)
    return {"msgXXXXXX": made["template_id"]}


def moment(stage: Stage) -> Ids:
    body = {
        "text": {"content": "Hello"},
        "visible_range": {"sender_list": {"user_list": ["zhangsan"]}},
    }
    jobid = stage.ok("externalcontact/add_moment_task", **body)["jobid"]
    result = stage.ok("externalcontact/get_moment_task_result", "GET", jobid=jobid)
    moment_id = result["result"]["moment_id"]
    return {"momxxx": moment_id, "mom8kN7DwAAdSdEFNf0a1xxxx": moment_id, "JOBID": jobid}


def published_moment(stage: Stage) -> Ids:
    ids = moment(stage)
    stage.people.publish_moment(ids["momxxx"], "zhangsan")
    stage.people.customer_likes_moment(WECHAT_CUSTOMER, ids["momxxx"], "zhangsan")
    stage.people.customer_comments_moment(WECHAT_CUSTOMER, ids["momxxx"], "zhangsan")
    stage.people.member_comments_moment("zhangsan", ids["momxxx"])
    return ids


def product(stage: Stage) -> Ids:
    ids = album_picture(stage)
    body = {
        "description": "A",
        "price": 1,
        "attachments": [{"type": "image", "image": {"media_id": "album"}}],
    }
    made = stage.ok("externalcontact/add_product_album", **body)
    return ids | {"pd0001": made["product_id"]}


def intercept_rule(stage: Stage) -> Ids:
    body = {
        "rule_name": "A",
        "word_list": ["b"],
        "intercept_type": 1,
        "applicable_range": {"user_list": ["zhangsan"], "department_list": [3]},
    }
    made = stage.ok("externalcontact/add_intercept_rule", **body)
    return {"ir0001": made["rule_id"]}


def app(stage: Stage) -> Ids:
    return {1000002: stage.world.credentials.agent_id}


def sent_app_message(stage: Stage) -> Ids:
    body = {"touser": "zhangsan", "msgtype": "text", "text": {"content": "Hello"}}
    made = stage.ok("message/send", agentid=stage.world.credentials.agent_id, **body)
    return {"vcT8gGc-7dFb4bxT35ONjBDz901sLlXPZw1DAMC_Gc26qRpK-AK5sTJkkb0128t": made["msgid"]}


def answered_card(stage: Stage) -> Ids:
    card = {
        "card_type": "button_interaction",
        "task_id": "t1",
        "main_title": {"title": "A"},
        "button_list": [{"text": "B", "key": "b"}],
    }
    agent_id = stage.world.credentials.agent_id
    body = {"touser": "zhangsan", "msgtype": "template_card", "template_card": card}
    msgid = stage.ok("message/send", agentid=agent_id, **body)["msgid"]
    return app(stage) | {"xyzxyz": stage.people.presses_card("zhangsan", msgid)}


def agreed_room(stage: Stage) -> Ids:
    chats_of_zhangsan(stage)
    stage.people.set_archived("zhangsan", enabled=True)
    stage.people.set_archived("XuJinSheng", enabled=True)
    return {}


def internal_room(stage: Stage) -> Ids:
    stage.people.set_archived("zhangsan", enabled=True)
    room = stage.people.room_opens("zhangsan", ["lisi"], "A", notice="b")
    return {"wrNplhCgAAIVZohLe57zKnvIV7xBKrig": room}


def robot(stage: Stage) -> Ids:
    room = stage.people.room_opens("zhangsan", ["lisi"], "A")
    return {"ROBOT": stage.people.robot_enters("zhangsan", room, "R")}


def archived_staff(stage: Stage) -> Ids:
    stage.people.set_archived("zhangsan", enabled=True)
    return {}


def opened_miniprogram(stage: Stage) -> Ids:
    chats_of_zhangsan(stage)
    return {"oAAAAAAA": stage.people.open_miniprogram_in_chat(CHATS[0])}


def page_visit(stage: Stage) -> Ids:
    visit = stage.people.opens_page("zhangsan", "https://a.example/", private=True)
    return {"CODE": visit["code"]}


def page_ticket(stage: Stage) -> Ids:
    (code,) = page_visit(stage).values()
    ticket = stage.ok("auth/getuserinfo", "GET", code=code)["user_ticket"]
    return {"USER_TICKET": ticket}


def service_session(stage: Stage) -> Ids:
    said: dict[str, str] = {}
    emit = stage.people.emit

    def listen(event: Any) -> None:
        said.update({name: str(value) for name, value in event.fields.items()})
        emit(event)

    stage.people.emit = listen  # type: ignore[method-assign]
    account = stage.people.service_account_opens("A")
    came = stage.people.customer_enters_service(account, {"name": "B"})
    stage.people.customer_writes_to_service(came["external_userid"], account, "C")
    return {
        "wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q": account,
        "wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw": came["external_userid"],
        "CODE": came.get("welcome_code", ""),
        "4gw7MepFLfgF2VC5npN": "",
        "ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR": said.get("Token", ""),
    }


def unionid(stage: Stage) -> Ids:
    stage.world.persons[WECHAT_CUSTOMER].unionid = "oAAAAAAA"
    return {}


def file_job(stage: Stage) -> Ids:
    body = {"scene": 1, "type": "video", "filename": "v.mp4", "url": "http://127.0.0.1:9/v.mp4"}
    made = stage.ok("media/upload_by_url", **body, md5="d41d8cd98f00b204e9800998ecf8427e")
    return {"jobid_1": made["jobid"]}


RECIPES: dict[str, Recipe] = {
    "add_contact_way.temp.req.json": picture,
    "add_corp_tag": new_tag_names,
    "add_moment_task.req.json": moment_picture,
    "add_moment_task.link.req.json": moment_picture,
    "add_moment_task.video.req.json": moment_film,
    "add_msg_template": media,
    "add_msg_template.by_tag.req.json": tagged_customer,
    "add_msg_template.group.req.json": lambda stage: media(stage) | chats_of_zhangsan(stage),
    "add_join_way": chats_of_zhangsan,
    "add_product_album": album_picture,
    "add_strategy_tag": strategy,
    "auth_getuserdetail": page_ticket,
    "auth_getuserinfo": page_visit,
    "ca_customer": link_with_customer,
    "ca_delete_link": link,
    "ca_get": link,
    "ca_get_chat_info": chat_of_link,
    "ca_list_link": link,
    "ca_statistic": link,
    "ca_update_link": link,
    "cancel_groupmsg_send": mass_message,
    "cancel_moment_task": moment,
    "close_temp_chat": temporary_chat,
    "customer_strategy_del": strategy,
    "customer_strategy_edit": strategy,
    "customer_strategy_get": strategy,
    "customer_strategy_get_range": strategy,
    "customer_strategy_list": strategy,
    "del_contact_way": contact_way,
    "del_corp_tag": corp_tags,
    "del_intercept_rule": intercept_rule,
    "del_join_way": join_way,
    "del_strategy_tag": strategy_tag,
    "delete_product_album": product,
    "edit_corp_tag": corp_tags,
    "edit_strategy_tag": strategy_tag,
    "externalcontact_remark": picture,
    "from_service_external_userid": id_of_a_provider,
    "get_contact_way": contact_way,
    "get_corp_tag_list": corp_tags,
    "get_groupmsg_list_v2": mass_message,
    "get_groupmsg_send_result": mass_message,
    "get_groupmsg_task": mass_message,
    "get_intercept_rule": intercept_rule,
    "get_intercept_rule_list": intercept_rule,
    "get_join_way": join_way,
    "get_moment_comments": published_moment,
    "get_moment_customer_list": published_moment,
    "get_moment_list": published_moment,
    "get_moment_send_result": published_moment,
    "get_moment_task": published_moment,
    "get_moment_task_result": moment,
    "get_product_album": product,
    "get_product_album_list": product,
    "get_strategy_tag_list": strategy_tag,
    "get_unassigned_list": somebody_left,
    "group_welcome_template_add": picture,
    "group_welcome_template_del": group_welcome,
    "group_welcome_template_edit": group_welcome,
    "group_welcome_template_get": group_welcome,
    "groupchat_onjob_transfer": chats_of_zhangsan,
    "groupchat_statistic": chats_of_zhangsan,
    "groupchat_statistic_group_by_day": chats_of_zhangsan,
    "groupchat_transfer": ownerless_chats,
    "idconvert_unionid_to_external_userid": unionid,
    "kf_send_msg": service_session,
    "kf_send_msg_on_event": service_session,
    "kf_sync_msg": service_session,
    "list_contact_way": contact_way,
    "mark_tag": corp_tags,
    "media_get_upload_by_url_result": file_job,
    "message_recall": sent_app_message,
    "message_send": app,
    "message_update_template_card": answered_card,
    "msgaudit_check_room_agree": agreed_room,
    "msgaudit_check_single_agree": agreed_room,
    "msgaudit_get_permit_user_list": archived_staff,
    "msgaudit_get_robot_info": robot,
    "msgaudit_groupchat_get": internal_room,
    "opengid_to_chatid": opened_miniprogram,
    "remind_groupmsg_send": mass_message,
    "resigned_transfer_customer": somebody_left,
    "resigned_transfer_result": somebody_left,
    "send_welcome_msg": welcome,
    "update_contact_way": contact_way,
    "update_intercept_rule": intercept_rule,
    "update_join_way": join_way,
    "update_product_album": product,
}


def prepare(stage: Stage, name: str) -> Ids:
    """Make what the file's request needs; `name` is that of a file or the slug of an endpoint."""
    recipe = RECIPES.get(name) or RECIPES.get(name.partition(".")[0])
    return recipe(stage) if recipe else {}
