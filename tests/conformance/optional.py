"""Endpoints without a body, and what documented answers have that the stage cannot show.

A field in `MAY_LACK` depends on what the documented corp had (an empty list has no rows to compare, a
customer without a company none); one in `MAY_ADD` is told by the page and left out of its sample.
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
NOT_ASKED: dict[str, str] = {
    "gettoken.resp.json": "asked before each of the others",
    "media_upload.resp.json": "a file, tested in tests/sandbox/test_media.py",
    "media_upload_attachment.resp.json": "a file, tested in tests/sandbox/test_media.py",
    "media_uploadimg.resp.json": "a file, tested in tests/sandbox/test_media.py",
    "auth_getuserinfo.external.resp.json": "a visitor from outside, tested in tests/sandbox",
    "get_moment_task_result.pending.resp.json": "a job that is not done, tested in tests/sandbox",
}
MAY_LACK: dict[str, set[str]] = {
    "add_msg_template.resp.json": {".fail_list[]"},
    "ca_get.resp.json": {".priority_option", ".range.department_list[]"},
    "externalcontact_batch_get_by_user.resp.json": {
        ".external_contact_list[].follow_info.remark_corp_name",
        ".external_contact_list[].follow_info.remark_mobiles",
        ".external_contact_list[].follow_info.wechat_channels",
    },
    "externalcontact_contact_list.resp.json": {".info_list[].chat_name"},
    "externalcontact_get.resp.json": {".next_cursor"},
    "get_contact_way.resp.json": {".contact_way.conclusions", ".contact_way.party[]"},
    "get_groupmsg_list_v2.resp.json": {".group_msg_list[]"},
    "get_groupmsg_send_result.group.resp.json": {".send_list[].chat_id", ".send_list[].send_time"},
    "get_groupmsg_send_result.resp.json": {".send_list[].send_time"},
    "get_groupmsg_task.resp.json": {".task_list[].send_time"},
    "get_intercept_rule.resp.json": {".rule.semantics_list[]"},
    "get_moment_list.resp.json": {".moment_list[]"},
    "get_moment_task_result.resp.json": {
        ".result.invalid_external_contact_list.tag_list[]",
        ".result.invalid_sender_list.department_list[]",
        ".result.invalid_sender_list.user_list[]",
    },
    "get_user_behavior_data.resp.json": {
        ".behavior_data[].avg_reply_time",
        ".behavior_data[].reply_percentage",
    },
    "group_welcome_template_get.resp.json": {".image"},
    "groupchat_list.resp.json": {".group_chat_list[]"},
    "groupchat_onjob_transfer.resp.json": {".failed_chat_list[]"},
    "groupchat_transfer.resp.json": {".failed_chat_list[]"},
    "idconvert_unionid_to_external_userid.resp.json": {".pending_id"},
    "kf_sync_msg.resp.json": {
        ".msg_list[].event.change_type",
        ".msg_list[].event.fail_msgid",
        ".msg_list[].event.fail_type",
        ".msg_list[].event.msg_code",
        ".msg_list[].event.new_servicer_userid",
        ".msg_list[].text.menu_id",
    },
    "list_contact_way.resp.json": {".contact_way[]"},
    "media_get_upload_by_url_result.resp.json": {".detail"},
    "message_send.template_card.resp.json": {".response_code"},
    "msgaudit_check_single_agree.resp.json": {".agreeinfo[]"},
    "resigned_transfer_result.resp.json": {".customer[]"},
    "transfer_result.resp.json": {".customer[]"},
    "user_get.resp.json": {
        ".address",
        ".avatar",
        ".biz_mail",
        ".email",
        ".extattr.attrs[]",
        ".external_profile",
        ".gender",
        ".mobile",
        ".open_userid",
        ".qr_code",
        ".thumb_avatar",
    },
    "user_list.resp.json": {".userlist[].english_name"},
    "user_simplelist.resp.json": {".userlist[].open_userid"},
}
MAY_ADD: dict[str, set[str]] = {
    "add_strategy_tag.resp.json": {".tag_group.strategy_id"},
    "externalcontact_contact_list.resp.json": {".info_list[].chat_id"},
    "externalcontact_get.wechat_customer.resp.json": {".follow_user[].tags"},
    "get_groupmsg_send_result.group.resp.json": {".send_list[].external_userid"},
    "message_send.template_card.resp.json": {".invalidparty", ".invalidtag", ".unlicenseduser"},
    "user_get.selfbuilt_after_2022.resp.json": {".external_position"},
    "user_list.resp.json": {".userlist[].external_position"},
}
