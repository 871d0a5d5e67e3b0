"""The acts of `scrm.sandbox.people`, performed in a sandbox elsewhere."""

from collections.abc import Mapping, Sequence
from typing import Any

from scrm.sandbox.wire import Wire


class _RemoteActor:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def _act(self, act: str, /, **arguments: Any) -> Any:
        return self._wire.post(f"acts/{act}", **arguments)["result"]


class _RemoteContactActs(_RemoteActor):
    def add_customer(
        self,
        userid: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        state: str = "",
        add_way: int = 1,
        half: bool = False,
    ) -> str:
        return str(
            self._act(
                "add_customer",
                userid=userid,
                person=person,
                state=state,
                add_way=add_way,
                half=half,
            )
        )

    def accept_customer(self, userid: str, external_userid: str) -> None:
        self._act("accept_customer", userid=userid, external_userid=external_userid)

    def customer_deletes(self, external_userid: str, userid: str) -> None:
        self._act("customer_deletes", external_userid=external_userid, userid=userid)

    def member_deletes(self, userid: str, external_userid: str) -> None:
        self._act("member_deletes", userid=userid, external_userid=external_userid)

    def retag_in_client(
        self,
        userid: str,
        external_userid: str,
        *,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> None:
        self._act(
            "retag_in_client",
            userid=userid,
            external_userid=external_userid,
            add=list(add),
            remove=list(remove),
        )

    def remark_in_client(self, userid: str, external_userid: str, remark: str) -> None:
        self._act("remark_in_client", userid=userid, external_userid=external_userid, remark=remark)

    def rename_customer(self, external_userid: str, name: str) -> None:
        self._act("rename_customer", external_userid=external_userid, name=name)

    def talk(self, userid: str, external_userid: str) -> None:
        self._act("talk", userid=userid, external_userid=external_userid)


class _RemoteSendingActs(_RemoteActor):
    def confirm(self, msgid: str, userid: str) -> dict[str, int]:
        return dict(self._act("confirm", msgid=msgid, userid=userid))

    def confirm_all(self, msgid: str, *, besides: Sequence[str] = ()) -> dict[str, int]:
        return dict(self._act("confirm_all", msgid=msgid, besides=list(besides)))

    def use_up_quota(self, recipient: str) -> int:
        return int(self._act("use_up_quota", recipient=recipient))

    def send_personally(
        self,
        userid: str,
        text: str,
        external_userids: Sequence[str] | None = None,
        *,
        attachments: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        return str(
            self._act(
                "send_personally",
                userid=userid,
                text=text,
                external_userids=None if external_userids is None else list(external_userids),
                attachments=[dict(attachment) for attachment in attachments],
            )
        )


class _RemoteChatActs(_RemoteActor):
    def chat_create(self, owner: str, name: str = "", members: Sequence[str] = ()) -> str:
        return str(self._act("chat_create", owner=owner, name=name, members=list(members)))

    def chat_join(
        self,
        chat_id: str,
        members: Sequence[str],
        *,
        scene: int = 3,
        invitor: str = "",
        state: str = "",
    ) -> None:
        self._act(
            "chat_join",
            chat_id=chat_id,
            members=list(members),
            scene=scene,
            invitor=invitor,
            state=state,
        )

    def scan_join_code(
        self, config_id: str, person: str | Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        return dict(self._act("scan_join_code", config_id=config_id, person=person))

    def chat_leave(self, chat_id: str, members: Sequence[str], *, removed: bool = False) -> None:
        self._act("chat_leave", chat_id=chat_id, members=list(members), removed=removed)

    def chat_rename(self, chat_id: str, name: str) -> None:
        self._act("chat_rename", chat_id=chat_id, name=name)

    def chat_notice(self, chat_id: str, notice: str) -> None:
        self._act("chat_notice", chat_id=chat_id, notice=notice)

    def chat_change_owner(self, chat_id: str, owner: str) -> None:
        self._act("chat_change_owner", chat_id=chat_id, owner=owner)

    def open_miniprogram_in_chat(self, chat_id: str) -> str:
        return str(self._act("open_miniprogram_in_chat", chat_id=chat_id))

    def chat_dismiss(self, chat_id: str) -> None:
        self._act("chat_dismiss", chat_id=chat_id)


class _RemoteHandoverActs(_RemoteActor):
    def customer_refuses_transfer(self, external_userid: str, handover_userid: str = "") -> int:
        return int(
            self._act(
                "customer_refuses_transfer",
                external_userid=external_userid,
                handover_userid=handover_userid,
            )
        )


class _RemoteStaffActs(_RemoteActor):
    def member_joins(
        self,
        userid: str,
        name: str,
        departments: Sequence[int] = (1,),
        *,
        customer_contact: bool = True,
    ) -> str:
        return str(
            self._act(
                "member_joins",
                userid=userid,
                name=name,
                departments=list(departments),
                customer_contact=customer_contact,
            )
        )

    def member_moves(self, userid: str, departments: Sequence[int]) -> None:
        self._act("member_moves", userid=userid, departments=list(departments))

    def member_leaves(self, userid: str) -> None:
        self._act("member_leaves", userid=userid)

    def set_customer_contact(self, userid: str, *, enabled: bool) -> None:
        self._act("set_customer_contact", userid=userid, enabled=enabled)

    def set_capacity(self, userid: str, capacity: int | None) -> None:
        self._act("set_capacity", userid=userid, capacity=capacity)

    def set_verified(self, userid: str, *, verified: bool) -> None:
        self._act("set_verified", userid=userid, verified=verified)

    def set_last_login(self, userid: str, days_ago: float) -> None:
        self._act("set_last_login", userid=userid, days_ago=days_ago)

    def department_create(self, name: str, parent_id: int = 1) -> int:
        return int(self._act("department_create", name=name, parent_id=parent_id))

    def department_delete(self, department_id: int) -> None:
        self._act("department_delete", department_id=department_id)


class _RemoteTagActs(_RemoteActor):
    def tag_create_in_console(self, group_name: str, name: str) -> str:
        return str(self._act("tag_create_in_console", group_name=group_name, name=name))

    def tag_rename_in_console(self, tag_or_group_id: str, name: str) -> None:
        self._act("tag_rename_in_console", tag_or_group_id=tag_or_group_id, name=name)

    def tag_delete_in_console(self, tag_or_group_id: str) -> None:
        self._act("tag_delete_in_console", tag_or_group_id=tag_or_group_id)

    def tag_shuffle_in_console(self, group_id: str, tag_ids: Sequence[str]) -> None:
        self._act("tag_shuffle_in_console", group_id=group_id, tag_ids=list(tag_ids))


class _RemoteTalkActs(_RemoteActor):
    def staff_says(
        self,
        userid: str,
        external_userid: str = "",
        text: str = "",
        *,
        room: str = "",
        kind: str = "text",
        body: Mapping[str, Any] | None = None,
    ) -> str:
        return str(
            self._act(
                "staff_says",
                userid=userid,
                external_userid=external_userid,
                text=text,
                room=room,
                kind=kind,
                body=body,
            )
        )

    def customer_says(
        self,
        external_userid: str,
        userid: str = "",
        text: str = "",
        *,
        room: str = "",
        kind: str = "text",
        body: Mapping[str, Any] | None = None,
    ) -> str:
        return str(
            self._act(
                "customer_says",
                external_userid=external_userid,
                userid=userid,
                text=text,
                room=room,
                kind=kind,
                body=body,
            )
        )

    def recall_message(self, msgid: str) -> str:
        return str(self._act("recall_message", msgid=msgid))

    def replies_to_message(self, sender: str, msgid: str, text: str) -> str:
        return str(self._act("replies_to_message", sender=sender, msgid=msgid, text=text))

    def robot_says(self, robot_id: str, room: str, text: str) -> str:
        return str(self._act("robot_says", robot_id=robot_id, room=room, text=text))

    def switches_corp(self, userid: str) -> str:
        return str(self._act("switches_corp", userid=userid))

    def keep_file(self, content: str) -> dict[str, Any]:
        return dict(self._act("keep_file", content=content))

    def agrees_to_archiving(
        self, external_userid: str, userid: str = "", *, room: str = ""
    ) -> None:
        self._act("agrees_to_archiving", external_userid=external_userid, userid=userid, room=room)

    def disagrees_to_archiving(
        self, external_userid: str, userid: str = "", *, room: str = ""
    ) -> None:
        self._act(
            "disagrees_to_archiving", external_userid=external_userid, userid=userid, room=room
        )

    def rotate_archive_key(self) -> int:
        return int(self._act("rotate_archive_key"))

    def set_archived(self, userid: str, *, enabled: bool) -> None:
        self._act("set_archived", userid=userid, enabled=enabled)


class _RemoteMomentActs(_RemoteActor):
    def publish_moment(self, moment_id: str, userid: str) -> int:
        return int(self._act("publish_moment", moment_id=moment_id, userid=userid))

    def publish_moment_everywhere(self, moment_id: str, *, besides: Sequence[str] = ()) -> int:
        return int(
            self._act("publish_moment_everywhere", moment_id=moment_id, besides=list(besides))
        )

    def post_moment(
        self,
        userid: str,
        text: str,
        external_userids: Sequence[str] | None = None,
        *,
        location: Mapping[str, str] | None = None,
    ) -> str:
        chosen = None if external_userids is None else list(external_userids)
        return str(
            self._act(
                "post_moment",
                userid=userid,
                text=text,
                external_userids=chosen,
                location=location,
            )
        )

    def delete_moment(self, moment_id: str, userid: str) -> None:
        self._act("delete_moment", moment_id=moment_id, userid=userid)

    def customer_likes_moment(self, external_userid: str, moment_id: str, userid: str) -> None:
        self._act(
            "customer_likes_moment",
            external_userid=external_userid,
            moment_id=moment_id,
            userid=userid,
        )

    def customer_comments_moment(self, external_userid: str, moment_id: str, userid: str) -> None:
        self._act(
            "customer_comments_moment",
            external_userid=external_userid,
            moment_id=moment_id,
            userid=userid,
        )

    def member_comments_moment(self, userid: str, moment_id: str) -> None:
        self._act("member_comments_moment", userid=userid, moment_id=moment_id)


class _RemoteContactWayActs(_RemoteActor):
    def scan_contact_way(
        self,
        config_id: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        confirmed: bool = True,
    ) -> dict[str, str]:
        return dict(
            self._act("scan_contact_way", config_id=config_id, person=person, confirmed=confirmed)
        )


class _RemoteAcquisitionActs(_RemoteActor):
    def open_link(self, link_id: str, *, channel: str = "") -> None:
        self._act("open_link", link_id=link_id, channel=channel)

    def add_by_link(
        self,
        link_id: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        channel: str = "",
        confirmed: bool = True,
    ) -> dict[str, str]:
        return dict(
            self._act(
                "add_by_link",
                link_id=link_id,
                person=person,
                channel=channel,
                confirmed=confirmed,
            )
        )

    def buy_link_quota(self, count: int, days: int = 365) -> int:
        return int(self._act("buy_link_quota", count=count, days=days))

    def delete_link_in_console(self, link_id: str) -> None:
        self._act("delete_link_in_console", link_id=link_id)


class _RemoteGreetingActs(_RemoteActor):
    def set_console_welcome(self, userid: str, *, enabled: bool) -> None:
        self._act("set_console_welcome", userid=userid, enabled=enabled)

    def set_chat_welcome(self, chat_id: str, template_id: str = "") -> None:
        self._act("set_chat_welcome", chat_id=chat_id, template_id=template_id)

    def group_welcome_in_console(self, text: str) -> str:
        return str(self._act("group_welcome_in_console", text=text))


class _RemoteCardActs(_RemoteActor):
    def presses_card(
        self,
        userid: str,
        msgid: str,
        key: str = "",
        *,
        selected: Mapping[str, Sequence[str]] | None = None,
    ) -> str:
        return str(
            self._act("presses_card", userid=userid, msgid=msgid, key=key, selected=selected)
        )

    def picks_from_card_menu(self, userid: str, msgid: str, key: str) -> str:
        return str(self._act("picks_from_card_menu", userid=userid, msgid=msgid, key=key))


class _RemotePageActs(_RemoteActor):
    def opens_page(
        self,
        visitor: str,
        redirect_uri: str = "",
        *,
        state: str = "",
        private: bool = False,
        consents: bool = True,
    ) -> dict[str, str]:
        return dict(
            self._act(
                "opens_page",
                visitor=visitor,
                redirect_uri=redirect_uri,
                state=state,
                private=private,
                consents=consents,
            )
        )


class _RemoteRoomActs(_RemoteActor):
    def room_opens(
        self, creator: str, members: Sequence[str], name: str = "", *, notice: str = ""
    ) -> str:
        return str(
            self._act(
                "room_opens", creator=creator, members=list(members), name=name, notice=notice
            )
        )

    def robot_enters(self, creator: str, room: str, name: str = "") -> str:
        return str(self._act("robot_enters", creator=creator, room=room, name=name))


class _RemoteConsoleActs(_RemoteActor):
    def set_trusted_ips(self, ips: Sequence[str], *, archive: bool = False) -> None:
        self._act("set_trusted_ips", ips=list(ips), archive=archive)

    def shares_with_provider(self, external_userid: str, agent_id: int) -> str:
        return str(
            self._act("shares_with_provider", external_userid=external_userid, agent_id=agent_id)
        )

    def strategy_create_in_console(
        self, name: str, admins: Sequence[str], departments: Sequence[int]
    ) -> int:
        return int(
            self._act(
                "strategy_create_in_console",
                name=name,
                admins=list(admins),
                departments=list(departments),
            )
        )

    def strategy_tag_create_in_console(self, strategy_id: int, group_name: str, name: str) -> str:
        return str(
            self._act(
                "strategy_tag_create_in_console",
                strategy_id=strategy_id,
                group_name=group_name,
                name=name,
            )
        )


class _RemoteServiceActs(_RemoteActor):
    def service_account_opens(self, name: str) -> str:
        return str(self._act("service_account_opens", name=name))

    def customer_enters_service(
        self,
        open_kfid: str,
        person: str | Mapping[str, Any] | None = None,
        *,
        scene: str = "",
        scene_param: str = "",
    ) -> dict[str, str]:
        return dict(
            self._act(
                "customer_enters_service",
                open_kfid=open_kfid,
                person=person,
                scene=scene,
                scene_param=scene_param,
            )
        )

    def customer_writes_to_service(
        self,
        external_userid: str,
        open_kfid: str,
        text: str = "",
        *,
        kind: str = "text",
        body: Mapping[str, Any] | None = None,
    ) -> str:
        return str(
            self._act(
                "customer_writes_to_service",
                external_userid=external_userid,
                open_kfid=open_kfid,
                text=text,
                kind=kind,
                body=body,
            )
        )

    def servicer_writes(self, userid: str, external_userid: str, open_kfid: str, text: str) -> str:
        return str(
            self._act(
                "servicer_writes",
                userid=userid,
                external_userid=external_userid,
                open_kfid=open_kfid,
                text=text,
            )
        )

    def service_session_moves(
        self, external_userid: str, open_kfid: str, state: int, servicer: str = ""
    ) -> str:
        return str(
            self._act(
                "service_session_moves",
                external_userid=external_userid,
                open_kfid=open_kfid,
                state=state,
                servicer=servicer,
            )
        )

    def servicer_changes_status(self, userid: str, open_kfid: str, *, accepts: bool) -> None:
        self._act("servicer_changes_status", userid=userid, open_kfid=open_kfid, accepts=accepts)

    def service_message_fails(self, msgid: str, fail_type: int = 0) -> None:
        self._act("service_message_fails", msgid=msgid, fail_type=fail_type)

    def customer_recalls_service_message(self, msgid: str) -> None:
        self._act("customer_recalls_service_message", msgid=msgid)

    def customer_rejects_service(
        self, external_userid: str, open_kfid: str, *, rejects: bool
    ) -> None:
        self._act(
            "customer_rejects_service",
            external_userid=external_userid,
            open_kfid=open_kfid,
            rejects=rejects,
        )


class RemotePeople(
    _RemoteCardActs,
    _RemotePageActs,
    _RemoteRoomActs,
    _RemoteConsoleActs,
    _RemoteServiceActs,
    _RemoteContactActs,
    _RemoteContactWayActs,
    _RemoteAcquisitionActs,
    _RemoteGreetingActs,
    _RemoteSendingActs,
    _RemoteChatActs,
    _RemoteHandoverActs,
    _RemoteMomentActs,
    _RemoteStaffActs,
    _RemoteTagActs,
    _RemoteTalkActs,
):
    """Every act by its name in process."""
