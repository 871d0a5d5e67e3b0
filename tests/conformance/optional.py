"""Endpoints without a body, and where the sandbox and a documented sample are meant to differ.

Each difference has its reason, and is needed: one that has become unnecessary fails the comparison. What
depends only on what a corp happens to have is no difference: `answers.py` makes it be there.
"""

from typing import Any

from tests.conformance.stage import WECHAT_CUSTOMER, WECOM_CUSTOMER

QUERIES: dict[str, dict[str, Any]] = {
    "auth_getuserinfo": {"code": "CODE"},
    "externalcontact_get": {"external_userid": WECOM_CUSTOMER},
    "externalcontact_get.wechat_customer.resp.json": {"external_userid": WECHAT_CUSTOMER},
    "externalcontact_list": {"userid": "zhangsan"},
    "get_moment_task_result": {"jobid": "JOBID"},
    "msgaudit_get_robot_info": {"robot_id": "ROBOT"},
    "ticket_get_agent_config": {"type": "agent_config"},
    "user_get": {"userid": "zhangsan"},
    "user_list": {"department_id": 1},
    "user_simplelist": {"department_id": 1},
}
# file → field → why the sandbox leaves it out
MAY_LACK: dict[str, dict[str, str]] = {
    "user_get.resp.json": {".open_userid": "only for third-party apps"},
    "user_list.resp.json": {
        ".userlist[].english_name": "in the sample only; neither page of members names it",
    },
    "user_simplelist.resp.json": {".userlist[].open_userid": "only for third-party apps"},
}
# file → field → why the sandbox answers it though the sample does not
MAY_ADD: dict[str, dict[str, str]] = {
    "add_strategy_tag.resp.json": {
        ".tag_group.strategy_id": "answers about tags of rule groups carry it",
    },
    "externalcontact_contact_list.resp.json": {
        ".info_list[].chat_id": "only with customer groups, of which the sample has none",
    },
    "get_contact_way.resp.json": {
        ".contact_way.chat_expires_in": "only with temporary codes; the sample mixes both kinds",
        ".contact_way.expires_in": "only with temporary codes; the sample mixes both kinds",
        ".contact_way.unionid": "only with temporary codes; the sample mixes both kinds",
    },
    "message_send.template_card.resp.json": {
        ".invalidparty": "all kinds of messages are answered alike; the sample is cut short",
        ".invalidtag": "all kinds of messages are answered alike; the sample is cut short",
        ".unlicenseduser": "all kinds of messages are answered alike; the sample is cut short",
    },
}
# file → lists that are empty in the sample itself, so that nothing is known of their rows
WITHOUT_SAMPLE: dict[str, dict[str, str]] = {
    "externalcontact_batch_get_by_user.resp.json": {
        ".fail_info.unlicensed_userid_list": "userids; licences are for third-party apps",
    },
    "message_update_template_card.resp.json": {
        ".invaliduser": "userids; compared in tests/sandbox/test_template_cards.py",
    },
    "user_get.selfbuilt_after_2022.resp.json": {
        ".extattr.attrs": "rows are compared in user_get.resp.json",
    },
    "user_list.resp.json": {
        ".userlist[].extattr.attrs": "rows are compared in user_get.resp.json",
    },
}
