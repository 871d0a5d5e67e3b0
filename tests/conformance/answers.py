"""What the world must hold for answers to show everything that is documented of them.

A scene makes it and says what is asked: most ask the documented request. Some samples show at once what
never comes together (a moment has pictures or a film); those have several scenes, and their answers are
compared together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from scrm.sandbox.conversations import Said
from scrm.sandbox.formats import paint
from scrm.sandbox.media import JobStatus, UploadJob
from scrm.sandbox.records import Member, Person, Relation
from tests.conformance import recipes
from tests.conformance.recipes import CHATS, Ids
from tests.conformance.stage import WECHAT_CUSTOMER, WECOM_CUSTOMER, YESTERDAY, Stage

HOUR = 3600
THIRD_CUSTOMER = "wmOgQhDgAAuXFJGwbve4g4iXknfOAAAA"
# A day that all documented spans of time hold once they are moved to end yesterday.
LATELY = int(YESTERDAY.timestamp()) - 600


@dataclass(frozen=True)
class Scene:
    """`body` replaces the documented request; `upload` is a file that goes with it as its query."""

    prepare: Callable[[Stage], Ids]
    body: Mapping[str, Any] | None = None
    upload: bytes = b""


def nothing(_stage: Stage) -> Ids:
    return {}


def credentials(stage: Stage) -> Ids:
    known = stage.world.credentials
    return {"CORP": known.corp_id, "SECRET": known.secret}


def visit_from_outside(stage: Stage) -> Ids:
    return {"CODE": stage.people.opens_page(WECHAT_CUSTOMER, "https://a.example/")["code"]}


def unfinished_moment(stage: Stage) -> Ids:
    stage.world.options.moment_job_seconds = 60
    body = {"text": {"content": "Hello"}}
    return {"JOBID": stage.ok("externalcontact/add_moment_task", **body)["jobid"]}


def one_customer_lost(stage: Stage) -> Ids:
    relation_of(stage, "zhangsan", WECOM_CUSTOMER).deleted_by_member_at = stage.world.clock.now()
    return recipes.media(stage)


def full_link(stage: Stage) -> Ids:
    body = {
        "link_name": "A",
        "range": {"user_list": ["zhangsan"], "department_list": [2, 3]},
        "priority_option": {"priority_type": 2, "priority_userid_list": ["tom"]},
    }
    made = stage.ok("externalcontact/customer_acquisition/create_link", **body)
    return {"cawcdea7783d7330b4": made["link"]["link_id"]}


def remarked_customer(stage: Stage) -> Ids:
    relation = relation_of(stage, "zhangsan", WECHAT_CUSTOMER)
    relation.remark_corp_name, relation.remark_mobiles = "A", ["13800000001"]
    relation.wechat_channels = {"nickname": "B", "source": 1}
    return {}


def contacts_of_every_kind(stage: Stage) -> Ids:
    recipes.chats_of_zhangsan(stage)
    stage.world.add_person(Person("wmSTRANGER", "路人"))
    stage.people.chat_join(CHATS[0], ["wmSTRANGER"])
    other = stage.people.chat_create("abel", "Group", ["wmSTRANGER"])
    # A group of somebody without customer contact is no customer group: it has but a name.
    stage.people.set_customer_contact("abel", enabled=False)
    assert stage.world.chats[other].owner == "abel"
    return {}


def hundreds_of_followers(stage: Stage) -> Ids:
    for number in range(501):
        member = stage.world.add_member(Member(f"seller{number}", "A", [1]))
        stage.befriend(member.userid, WECOM_CUSTOMER)
    return {}


def customer_without_tags(stage: Stage) -> Ids:
    for relation in stage.world.followers_of(WECHAT_CUSTOMER):
        relation.tag_ids.clear()
    return {}


def way_of_departments(stage: Stage) -> Ids:
    body = {"type": 2, "scene": 2, "user": ["zhangsan"], "party": [3], "state": "a", "remark": "b"}
    return {"42b34949e138eb6e027c123cba77fAAA": _add_way(stage, body)}


def way_with_conclusions(stage: Stage) -> Ids:
    recipes.picture(stage)
    conclusions = {"text": {"content": "A"}, "image": {"media_id": "MEDIA_ID"}}
    body = {"type": 1, "scene": 2, "user": ["zhangsan"], "is_temp": True}
    made = _add_way(stage, body | {"state": "a", "remark": "b", "conclusions": conclusions})
    return {"42b34949e138eb6e027c123cba77fAAA": made}


def way_made_lately(stage: Stage) -> Ids:
    config_id = _add_way(stage, {"type": 2, "scene": 2, "user": ["zhangsan"]})
    ways = stage.world.contact_ways.ways
    ways[config_id] = replace(ways[config_id], created_at=float(LATELY))
    return {}


def _add_way(stage: Stage, body: Mapping[str, Any]) -> str:
    return str(stage.ok("externalcontact/add_contact_way", **body)["config_id"])


def personal_message(stage: Stage) -> Ids:
    recipes.media(stage)
    stage.befriend("zhangshan", WECHAT_CUSTOMER)
    attachments = [
        {"msgtype": "image", "image": {"media_id": "3a8h0MEDIAIDimage"}},
        {"msgtype": "link", "link": {"title": "A", "picurl": "B", "desc": "C", "url": "D"}},
        {
            "msgtype": "miniprogram",
            "miniprogram": {
                "title": "A",
                "pic_media_id": "3a8h0MEDIAIDcover",
                "appid": "B",
                "page": "C",
            },
        },
        {"msgtype": "video", "video": {"media_id": "3a8h0MEDIAIDvideo"}},
        {"msgtype": "file", "file": {"media_id": "3a8h0MEDIAIDfile"}},
    ]
    msgid = stage.people.send_personally("zhangshan", "Hello", attachments=attachments)
    stage.world.messages[msgid].created_at = LATELY
    return {}


def message_to_chats(stage: Stage) -> Ids:
    recipes.chats_of_zhangsan(stage)
    body = {"chat_type": "group", "sender": "zhangsan", "text": {"content": "Hello"}}
    return _ask_and_confirm(stage, body)


def message_with_every_outcome(stage: Stage) -> Ids:
    stage.world.add_person(Person(THIRD_CUSTOMER, "A"))
    stage.befriend("zhangsan", THIRD_CUSTOMER)
    stage.people.use_up_quota(THIRD_CUSTOMER)
    customers = [WECHAT_CUSTOMER, WECOM_CUSTOMER, THIRD_CUSTOMER]
    body = {"sender": "zhangsan", "external_userid": customers, "text": {"content": "Hello"}}
    relation_of(stage, "zhangsan", WECOM_CUSTOMER).deleted_by_customer_at = 1.0
    return _ask_and_confirm(stage, body)


def message_of_two(stage: Stage) -> Ids:
    now = stage.world.clock.now()
    relation_of(stage, "zhangsan", WECHAT_CUSTOMER).last_chat_at = now
    relation_of(stage, "zhangyisheng", WECOM_CUSTOMER).last_chat_at = now
    customers = [WECHAT_CUSTOMER, WECOM_CUSTOMER]
    return _ask_and_confirm(stage, {"external_userid": customers, "text": {"content": "Hello"}})


def _ask_and_confirm(stage: Stage, body: Mapping[str, Any]) -> Ids:
    msgid = stage.ok("externalcontact/add_msg_template", **body)["msgid"]
    stage.people.confirm(msgid, "zhangsan")
    return {"msgGCAAAXtWyujaWJHDDGi0mAAAA": msgid}


def full_rule(stage: Stage) -> Ids:
    body = {
        "rule_name": "A",
        "word_list": ["b"],
        "semantics_list": [1, 2],
        "intercept_type": 1,
        "applicable_range": {"user_list": ["zhangsan"], "department_list": [3]},
    }
    made = stage.ok("externalcontact/add_intercept_rule", **body)
    return {"ir0001": made["rule_id"]}


def moments_of_every_kind(stage: Stage) -> Ids:
    place = {"latitude": "23.1", "longitude": "113.3", "name": "A"}
    own = stage.people.post_moment("zhangsan", "Hello", location=place)
    attached = [
        ("image", recipes.moment_picture(stage)["MEDIA_ID"], {}),
        ("video", recipes.moment_film(stage)["MEDIA_ID"], {}),
        ("link", "moment-image", {"title": "A", "url": "https://a.example/"}),
    ]
    for kind, media_id, more in attached:
        attachments = [{"msgtype": kind, kind: {"media_id": media_id} | more}]
        stage.ok("externalcontact/add_moment_task", attachments=attachments)
    for moment in stage.world.moments.moments.values():
        moment.created_at = moment.ready_at = LATELY
    assert own in stage.world.moments.moments
    return {}


def moment_with_strangers(stage: Stage) -> Ids:
    recipes.corp_tags(stage)
    senders = {"user_list": ["zhangsan", "nobody"], "department_list": [404]}
    tags = {"tag_list": [recipes.TAGS[0], "etNOTHING"]}
    body = {
        "text": {"content": "Hello"},
        "visible_range": {"sender_list": senders, "external_contact_list": tags},
    }
    return {"JOBID": stage.ok("externalcontact/add_moment_task", **body)["jobid"]}


def conversation(stage: Stage) -> Ids:
    noon = YESTERDAY.timestamp() + 12 * HOUR
    for seconds, by_customer in ((0, True), (60, False)):
        said = Said(noon + seconds, "zhangsan", WECHAT_CUSTOMER, by_customer=by_customer)
        stage.world.conversations.said.append(said)
    return {}


def picture_welcome(stage: Stage) -> Ids:
    recipes.picture(stage)
    body = {"text": {"content": "Hello"}, "image": {"media_id": "MEDIA_ID"}}
    made = stage.ok("externalcontact/group_welcome_template/add", **body)
    return {"msgXXXXXX": made["template_id"]}


def chats_of_abel(stage: Stage) -> Ids:
    stage.people.chat_create("abel", "Group")
    return {}


def one_unknown_chat(stage: Stage) -> Ids:
    recipes.chats_of_zhangsan(stage)
    del stage.world.chats[CHATS[1]]
    return {}


def one_owner_stays(stage: Stage) -> Ids:
    recipes.chats_of_zhangsan(stage)
    stage.world.chats[CHATS[1]].owner = "tom"
    stage.people.member_leaves("zhangsan")
    return {}


def busy_service(stage: Stage) -> Ids:
    ids = recipes.service_session(stage)
    account, customer = (
        ids["wkAJ2GCAAASSm4_FhToWMFea0xAFfd3Q"],
        ids["wmAJ2GCAAAme1XQRC-NI-q0_ZM9ukoAw"],
    )
    pressed = {"content": "A", "menu_id": "101"}
    stage.people.customer_writes_to_service(customer, account, body=pressed)
    stage.people.customer_enters_service(account, customer, scene="123", scene_param="abc")
    answered = {"touser": customer, "open_kfid": account, "msgtype": "text"}
    sent = stage.ok("kf/send_msg", **answered, text={"content": "B"})
    stage.people.service_message_fails(sent["msgid"], 4)
    stage.people.service_session_moves(customer, account, 3, "zhangsan")
    return ids


def fetched_file(stage: Stage) -> Ids:
    now = stage.world.clock.now()
    stage.add_medium("fetched", "video")
    job = UploadJob("jobid_1", "video", "v.mp4", "http://127.0.0.1/v.mp4", "", now)
    job.status, job.medium = JobStatus.DONE, stage.world.media.media["fetched"]
    stage.world.media.jobs[job.jobid] = job
    return {}


def agreed_chat(stage: Stage) -> Ids:
    stage.befriend("XuJinSheng", WECHAT_CUSTOMER)
    stage.people.set_archived("XuJinSheng", enabled=True)
    stage.people.agrees_to_archiving(WECHAT_CUSTOMER, "XuJinSheng")
    return {}


def handed_over(stage: Stage) -> Ids:
    stage.ok("externalcontact/transfer_customer", **HANDOVER)
    return {}


def handed_over_of_one_who_left(stage: Stage) -> Ids:
    stage.people.member_leaves("zhangsan")
    stage.ok("externalcontact/resigned/transfer_customer", **HANDOVER)
    return {}


HANDOVER = {
    "handover_userid": "zhangsan",
    "takeover_userid": "lisi",
    "external_userid": [WECOM_CUSTOMER],
}


def app_of_old(stage: Stage) -> Ids:
    stage.world.options.shows_private_staff = True
    return {}


def plain_member(stage: Stage) -> Ids:
    member = stage.world.members["zhangsan"]
    member.external_position = ""
    member.extra.clear()
    return {}


def relation_of(stage: Stage, userid: str, external_userid: str) -> Relation:
    relation = stage.world.find_relation(userid, external_userid)
    assert relation
    return relation


CARD = {
    "touser": "zhangsan",
    "msgtype": "template_card",
    "agentid": 1000002,
    "template_card": {
        "card_type": "button_interaction",
        "task_id": "t1",
        "main_title": {"title": "A"},
        "button_list": [{"text": "B", "key": "b"}],
    },
}
EVERYBODYS_MOMENTS = {"start_time": 1605000000, "end_time": 1605172726, "filter_type": 2}
UNKNOWN = {"unionid": "oNOBODY", "openid": "oBBBB", "subject_type": 1}

SCENES: dict[str, tuple[Scene, ...]] = {
    "add_msg_template.resp.json": (Scene(one_customer_lost),),
    "auth_getuserinfo.external.resp.json": (Scene(visit_from_outside, {"code": "CODE"}),),
    "ca_get.resp.json": (Scene(full_link),),
    "externalcontact_batch_get_by_user.resp.json": (Scene(remarked_customer),),
    "externalcontact_contact_list.resp.json": (Scene(contacts_of_every_kind),),
    "externalcontact_get.resp.json": (Scene(hundreds_of_followers),),
    "externalcontact_get.wechat_customer.resp.json": (Scene(customer_without_tags),),
    "get_contact_way.resp.json": (Scene(way_of_departments), Scene(way_with_conclusions)),
    "get_groupmsg_list_v2.resp.json": (Scene(personal_message),),
    "get_groupmsg_send_result.group.resp.json": (Scene(message_to_chats),),
    "get_groupmsg_send_result.resp.json": (Scene(message_with_every_outcome),),
    "get_groupmsg_task.resp.json": (Scene(message_of_two),),
    "get_intercept_rule.resp.json": (Scene(full_rule),),
    "get_moment_list.resp.json": (Scene(moments_of_every_kind, EVERYBODYS_MOMENTS),),
    "get_moment_task_result.pending.resp.json": (Scene(unfinished_moment),),
    "get_moment_task_result.resp.json": (Scene(moment_with_strangers),),
    "get_user_behavior_data.resp.json": (Scene(conversation),),
    "gettoken.resp.json": (Scene(credentials, {"corpid": "CORP", "corpsecret": "SECRET"}),),
    "group_welcome_template_get.resp.json": (Scene(picture_welcome),),
    "groupchat_list.resp.json": (Scene(chats_of_abel),),
    "groupchat_onjob_transfer.resp.json": (Scene(one_unknown_chat),),
    "groupchat_transfer.resp.json": (Scene(one_owner_stays),),
    "idconvert_unionid_to_external_userid.resp.json": (
        Scene(recipes.unionid),
        Scene(nothing, UNKNOWN),
    ),
    "kf_sync_msg.resp.json": (Scene(busy_service),),
    "list_contact_way.resp.json": (Scene(way_made_lately),),
    "media_get_upload_by_url_result.resp.json": (Scene(fetched_file),),
    "media_upload.resp.json": (Scene(nothing, {"type": "image"}, paint(9, 9)),),
    "media_upload_attachment.resp.json": (
        Scene(nothing, {"media_type": "image", "attachment_type": 1}, paint(9, 9)),
    ),
    "media_uploadimg.resp.json": (Scene(nothing, {}, paint(9, 9)),),
    "message_send.template_card.resp.json": (Scene(recipes.app, CARD),),
    "msgaudit_check_single_agree.resp.json": (Scene(agreed_chat),),
    "resigned_transfer_result.resp.json": (Scene(handed_over_of_one_who_left),),
    "transfer_result.resp.json": (Scene(handed_over),),
    "user_get.resp.json": (Scene(app_of_old),),
    "user_get.selfbuilt_after_2022.resp.json": (Scene(plain_member),),
    "user_list.resp.json": (Scene(plain_member),),
}
