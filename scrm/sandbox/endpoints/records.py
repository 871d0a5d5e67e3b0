"""Mass messages: what became of them."""

from typing import Any

from scrm.sandbox.call import Call
from scrm.sandbox.cursors import take_page
from scrm.sandbox.endpoints.mass_messages import find_message
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.records import MassMessage, Receipt, ReceiptStatus, SendTask, TaskStatus

LONGEST_SPAN = 31 * 24 * 3600


@endpoint("POST", "externalcontact/get_groupmsg_list_v2")
def list_messages(call: Call) -> Answer:
    chat_type = call.text("chat_type")
    start, end = call.integer("start_time"), call.integer("end_time")
    kind, creator = call.integer("filter_type", 2), call.optional_text("creator")
    limit = call.page_size(default=50, maximum=100, clamp=False)
    if chat_type not in {"single", "group"}:
        raise Refused(86214)
    if not 0 <= end - start <= LONGEST_SPAN or kind not in {0, 1, 2}:
        raise Refused(40058, "start_time, end_time or filter_type")
    messages = [
        message
        for message in call.world.messages.values()
        if message.chat_type == chat_type
        and start <= int(message.created_at) <= end
        and (kind == 2 or message.is_personal == (kind == 1))
        and (not creator or message.creator == creator)
    ]
    page, next_cursor = take_page(call, messages, limit, chat_type, start, end, kind, creator)
    return {"next_cursor": next_cursor, "group_msg_list": [_describe(row) for row in page]}


@endpoint("POST", "externalcontact/get_groupmsg_task")
def list_tasks(call: Call) -> Answer:
    message = _find_dispatched(call)
    limit = call.page_size(default=500, maximum=1000, clamp=False)
    page, next_cursor = take_page(call, list(message.tasks.values()), limit, message.msgid)
    return {"next_cursor": next_cursor, "task_list": [_describe_task(task) for task in page]}


@endpoint("POST", "externalcontact/get_groupmsg_send_result")
def list_results(call: Call) -> Answer:
    message = _find_dispatched(call)
    userid = call.text("userid")
    limit = call.page_size(default=500, maximum=1000, clamp=False)
    # The results of one who has left since remain readable.
    task = message.tasks.get(userid) or message.tasks.get(call.find_member(userid).userid)
    receipts = list(task.receipts.values()) if task else []
    if message.chat_type == "group":
        receipts = [receipt for receipt in receipts if receipt.status == ReceiptStatus.SENT]
    page, next_cursor = take_page(call, receipts, limit, message.msgid, userid)
    key = "chat_id" if message.chat_type == "group" else "external_userid"
    rows = [_describe_receipt(receipt, key, userid) for receipt in page]
    return {"next_cursor": next_cursor, "send_list": rows}


def _find_dispatched(call: Call) -> MassMessage:
    message = find_message(call)
    if call.world.clock.now() < message.created_at + call.world.options.dispatch_seconds:
        raise Refused(41063)
    return message


def _describe(message: MassMessage) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "msgid": message.msgid,
        "create_time": int(message.created_at),
        "create_type": int(message.is_personal),
        "text": {"content": message.text},
        "attachments": [_show(attachment) for attachment in message.attachments],
    }
    return fields | ({"creator": message.creator} if message.is_personal else {})


def _show(attachment: dict[str, Any]) -> dict[str, Any]:
    """Return an attachment as records tell it: without the picture on a mini-program's card."""
    kind = attachment["msgtype"]
    body = {name: value for name, value in attachment[kind].items() if name != "pic_media_id"}
    return {"msgtype": kind, kind: body}


def _describe_task(task: SendTask) -> dict[str, Any]:
    fields: dict[str, Any] = {"userid": task.userid, "status": int(task.status)}
    return fields | ({"send_time": task.send_time} if task.status == TaskStatus.SENT else {})


def _describe_receipt(receipt: Receipt, key: str, userid: str) -> dict[str, Any]:
    fields: dict[str, Any] = {key: receipt.recipient, "userid": userid}
    fields["status"] = int(receipt.status)
    return fields | ({"send_time": receipt.send_time} if receipt.send_time is not None else {})
