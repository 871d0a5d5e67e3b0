"""WeCom as a `Channel`: one thin call per question, in the platform's own words."""

from collections.abc import Container, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from scrm.channels.base import (
    AskedMessage,
    CustomerPage,
    CustomerRecord,
    DeliveryPage,
    DepartmentRecord,
    FollowRecord,
    GroupChatPage,
    GroupChatRecord,
    ItemAnswer,
    JoinCodeRecord,
    JoinCodeWish,
    MassMessage,
    SenderStatePage,
    StaffRecord,
    TagGroupRecord,
    TransferStatePage,
    UnassignedPage,
)
from scrm.channels.errors import AnswerLost, ChannelError, Misconfigured, NotReady, Stale
from scrm.channels.wecom import join_codes, parsing, transfers
from scrm.channels.wecom.client import WeComClient
from scrm.channels.wecom.errcodes import DETAILS_WITHHELD, MEDIA_GONE, NO_RECEIVER, NO_RELATION
from scrm.channels.wecom.lost_messages import find_lost_message
from scrm.channels.wecom.media import MediaDesk
from scrm.channels.wecom.paging import pages_of

_CUSTOMERS_A_PAGE = 100  # more are clamped [doc 92994]
_CHATS_A_PAGE = 1000
_RESULTS_A_PAGE = 1000  # more fall back to 500 [doc 93338]


class WeComChannel:
    """The platform as one corp's apps see it: one reads the directory, one serves customers.

    wechatpy's own methods are not used: most are missing, some send a wrong body.
    """

    def __init__(
        self, directory: WeComClient, contact: WeComClient, *, agent_id: str, media: MediaDesk
    ) -> None:
        self._directory = directory
        self._contact = contact
        self._agent_id = agent_id
        self._media = media

    def check_credentials(self) -> None:
        self._directory.check_credentials()
        if self._contact is not self._directory:
            self._contact.check_credentials()

    def departments(self) -> Sequence[DepartmentRecord]:
        try:
            answer = self._directory.get("department/list")
        except ChannelError as error:
            if error.errcode not in DETAILS_WITHHELD:
                raise
            return [self._department(row) for row in self._department_ids()]
        return [parsing.department_of(row) for row in parsing.objects(answer.get("department"))]

    def staff(self, department_ids: Iterable[int]) -> Sequence[StaffRecord]:
        """Everybody in the departments, once, with all departments they were found in."""
        found: dict[str, StaffRecord] = {}
        for department_id in department_ids:
            for row in self._members_of(department_id):
                record = parsing.staff_of(row)
                # Ids are case-insensitive, and answers differ in case.
                name = record.userid.lower()
                found[name] = _merge(found.get(name), record, department_id)
        return list(found.values())

    def staff_with_customer_contact(self) -> Sequence[str]:
        answer = self._contact.get("externalcontact/get_follow_user_list")
        return parsing.texts(answer.get("follow_user"))

    def tag_groups(self) -> Sequence[TagGroupRecord]:
        answer = self._post("get_corp_tag_list", {})
        groups = parsing.objects(answer.get("tag_group"))
        return [parsing.tag_group_of(group) for group in groups if not group.get("deleted")]

    def customer_page(self, userids: Sequence[str], cursor: str) -> CustomerPage:
        body = {"userid_list": list(userids), "cursor": cursor, "limit": _CUSTOMERS_A_PAGE}
        try:
            answer = self._post("batch/get_by_user", body)
        except Stale as error:
            # Not printed on the page: a member without customers is answered as "no relation".
            if error.errcode != NO_RELATION:
                raise
            return CustomerPage((), "")
        rows = parsing.objects(answer.get("external_contact_list"))
        pairs = [_customer_and_follow(row) for row in rows]
        return CustomerPage(tuple(pairs), parsing.text(answer.get("next_cursor")))

    def customer(self, external_userid: str) -> tuple[CustomerRecord, tuple[FollowRecord, ...]]:
        params = {"external_userid": external_userid}
        pages = list(pages_of(self._get_contact, "get", params))
        follows = [row for page in pages for row in parsing.objects(page.get("follow_user"))]
        record = parsing.customer_of(pages[0].get("external_contact") or params)
        return record, tuple(parsing.follow_of(row) for row in follows)

    def group_chat_page(self, owners: Sequence[str], cursor: str) -> GroupChatPage:
        body: dict[str, Any] = {"status_filter": 0, "cursor": cursor, "limit": _CHATS_A_PAGE}
        if owners:
            body["owner_filter"] = {"userid_list": list(owners)}
        answer = self._post("groupchat/list", body)
        rows = parsing.objects(answer.get("group_chat_list"))
        ids = [
            (parsing.text(row.get("chat_id")), parsing.number(row.get("status"))) for row in rows
        ]
        return GroupChatPage(tuple(ids), parsing.text(answer.get("next_cursor")))

    def group_chat(self, chat_id: str) -> GroupChatRecord:
        answer = self._post("groupchat/get", {"chat_id": chat_id, "need_name": 1})
        return parsing.group_chat_of({"chat_id": chat_id} | (answer.get("group_chat") or {}))

    def mark_tags(
        self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]
    ) -> None:
        body: dict[str, Any] = {"userid": userid, "external_userid": external_userid}
        # An empty list is "tag count must be 1..1000" to some versions of the platform.
        lists = {"add_tag": list(add), "remove_tag": list(remove)}
        self._post("mark_tag", body | {name: ids for name, ids in lists.items() if ids})

    def add_tags(
        self, names: Sequence[str], *, group_id: str = "", group_name: str = "", order: int = 0
    ) -> TagGroupRecord:
        group = {"group_id": group_id} if group_id else {"group_name": group_name, "order": order}
        tags = [{"name": name} for name in names]
        answer = self._post("add_corp_tag", {"tag": tags} | group)
        return parsing.tag_group_of(answer.get("tag_group") or {})

    def edit_tag(self, wecom_id: str, *, name: str = "", order: int | None = None) -> None:
        given = {"name": name or None, "order": order}
        body = {field: value for field, value in given.items() if value is not None}
        self._post("edit_corp_tag", {"id": wecom_id} | body)

    def delete_tags(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        given = {"tag_id": list(tag_ids), "group_id": list(group_ids)}
        self._post("del_corp_tag", {name: ids for name, ids in given.items() if ids})

    def ask_mass_message(self, message: MassMessage) -> AskedMessage:
        body: dict[str, Any] = {"chat_type": "single", "sender": message.sender}
        if message.chat_ids:
            body |= {"chat_type": "group", "chat_id_list": list(message.chat_ids)}
        else:
            body["external_userid"] = list(message.external_userids)
        if message.content:
            body["text"] = {"content": message.content}
        if message.attachments:
            spelled = map(self._media.spelled, message.attachments)
            body["attachments"] = [_attachment(one) for one in spelled]
        answer = self._post_with_media("add_msg_template", body, message.attachments)
        msgid = parsing.text(answer.get("msgid"))
        if not msgid:
            raise AnswerLost(_("The platform took the message without giving it an id."))
        return AskedMessage(msgid, parsing.texts(answer.get("fail_list")))

    def find_mass_message(
        self, message: MassMessage, *, since: datetime, until: datetime, known: Container[str]
    ) -> AskedMessage | None:
        return find_lost_message(self._post, message, since=since, until=until, known=known)

    def sender_states(self, msgid: str, cursor: str) -> SenderStatePage:
        body = {"msgid": msgid, "limit": _RESULTS_A_PAGE, "cursor": cursor}
        answer = self._post("get_groupmsg_task", body)
        rows = [parsing.sender_state_of(row) for row in parsing.objects(answer.get("task_list"))]
        return SenderStatePage(tuple(rows), parsing.text(answer.get("next_cursor")))

    def deliveries(self, msgid: str, userid: str, cursor: str) -> DeliveryPage:
        body = {"msgid": msgid, "userid": userid, "limit": _RESULTS_A_PAGE, "cursor": cursor}
        answer = self._post("get_groupmsg_send_result", body)
        rows = [parsing.delivery_of(row) for row in parsing.objects(answer.get("send_list"))]
        return DeliveryPage(tuple(rows), parsing.text(answer.get("next_cursor")))

    def remind(self, msgid: str) -> None:
        self._post("remind_groupmsg_send", {"msgid": msgid})

    def cancel(self, msgid: str) -> None:
        self._post("cancel_groupmsg_send", {"msgid": msgid})

    def unassigned_page(self, cursor: str) -> UnassignedPage:
        return transfers.unassigned_page(self._post, cursor)

    def transfer_customers(
        self,
        from_userid: str,
        to_userid: str,
        external_userids: Sequence[str],
        *,
        is_resigned: bool,
        message: str = "",
    ) -> Sequence[ItemAnswer]:
        how = {"is_resigned": is_resigned, "message": message}
        return transfers.transfer_customers(
            self._post, from_userid, to_userid, external_userids, **how
        )

    def transfer_states(
        self, from_userid: str, to_userid: str, cursor: str, *, is_resigned: bool
    ) -> TransferStatePage:
        return transfers.transfer_states(
            self._post, from_userid, to_userid, cursor, is_resigned=is_resigned
        )

    def transfer_chats(
        self, chat_ids: Sequence[str], to_userid: str, *, is_resigned: bool
    ) -> Sequence[ItemAnswer]:
        return transfers.transfer_chats(self._post, chat_ids, to_userid, is_resigned=is_resigned)

    def change_remark(
        self, userid: str, external_userid: str, *, remark: str, description: str
    ) -> None:
        body = {"userid": userid, "external_userid": external_userid}
        # At least one must be given; an empty text would wipe what is there.
        given = {"remark": remark[:20], "description": description[:150]}
        self._post("remark", body | {name: text for name, text in given.items() if text})

    def create_join_code(self, wish: JoinCodeWish) -> str:
        return join_codes.create_join_code(self._post, wish)

    def join_code(self, config_id: str) -> JoinCodeRecord:
        return join_codes.join_code(self._post, config_id)

    def update_join_code(self, config_id: str, wish: JoinCodeWish) -> None:
        join_codes.update_join_code(self._post, config_id, wish)

    def delete_join_code(self, config_id: str) -> None:
        self._post("groupchat/del_join_way", {"config_id": config_id})

    def picture(self, url: str) -> tuple[str, bytes]:
        return self._contact.fetch_picture(url)

    def send_app_message(self, userids: Sequence[str], text: str) -> Sequence[str]:
        if not self._agent_id.isdecimal():
            raise Misconfigured(_("The corp has no agent id: copy it from the app's page."))
        body = {
            "touser": "|".join(userids),
            "msgtype": "text",
            "agentid": int(self._agent_id),
            "text": {"content": text},
            # What was sent and whose answer was lost is not shown twice within half an hour.
            "enable_duplicate_check": 1,
            "duplicate_check_interval": 1800,
        }
        try:
            answer: dict[str, Any] = self._directory.post("message/send", data=body)
        except ChannelError as error:
            if error.errcode != NO_RECEIVER:
                raise
            return list(userids)
        # Ids come back in lower case.
        missed = {one.lower() for one in parsing.text(answer.get("invaliduser")).split("|")}
        return [userid for userid in userids if userid.lower() in missed]

    def upload_media(self, kind: str, name: str, content: bytes) -> str:
        answer: dict[str, Any] = self._contact.post(
            "media/upload", params={"type": kind}, files={"media": (name, content)}
        )
        media_id = parsing.text(answer.get("media_id"))
        if not media_id:
            raise AnswerLost(_("The platform took the file without giving it an id."))
        return media_id

    def _post_with_media(
        self, path: str, body: dict[str, Any], attachments: Sequence[dict[str, Any]]
    ) -> dict[str, Any]:
        """Post what names media; those the platform has forgotten are uploaded and it is asked again."""
        try:
            return self._post(path, body)
        except ChannelError as error:
            if error.errcode not in MEDIA_GONE or not self._media.forget(attachments):
                raise
            raise NotReady(error.detail, errcode=error.errcode) from None

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._contact.post(f"externalcontact/{path}", data=body)
        return answer

    def _get_contact(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._contact.get(f"externalcontact/{path}", params=params)
        return answer

    def _department_ids(self) -> list[parsing.Json]:
        answer = self._directory.get("department/simplelist")
        return parsing.objects(answer.get("department_id"))

    def _department(self, row: parsing.Json) -> DepartmentRecord:
        answer = self._directory.get("department/get", params={"id": row.get("id")})
        return parsing.department_of({**row, **(answer.get("department") or {})})

    def _members_of(self, department_id: int) -> Iterator[parsing.Json]:
        params = {"department_id": department_id}
        try:
            answer = self._directory.get("user/list", params=params)
        except ChannelError as error:
            if error.errcode not in DETAILS_WITHHELD:
                raise
            answer = self._directory.get("user/simplelist", params=params)
        yield from parsing.objects(answer.get("userlist"))


def _merge(known: StaffRecord | None, record: StaffRecord, department_id: int) -> StaffRecord:
    before = known.department_ids if known else ()
    ids = dict.fromkeys((*before, *record.department_ids, department_id))
    return StaffRecord(
        userid=known.userid if known else record.userid,
        name=record.name,
        department_ids=tuple(ids),
        status=record.status,
        alias=record.alias,
        position=record.position,
    )


def _customer_and_follow(row: parsing.Json) -> tuple[CustomerRecord, FollowRecord]:
    customer = parsing.customer_of(row.get("external_contact") or {})
    return customer, parsing.follow_of(row.get("follow_info") or {})


def _attachment(ours: dict[str, Any]) -> dict[str, Any]:
    """`{"kind": "link", "title": …}` as the platform spells it: `{"msgtype", "link": {…}}`."""
    kind = ours["kind"]
    return {"msgtype": kind, kind: {name: text for name, text in ours.items() if name != "kind"}}
