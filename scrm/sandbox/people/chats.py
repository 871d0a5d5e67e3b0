"""Life of customer groups."""

from collections.abc import Mapping, Sequence
from typing import Any

from scrm.sandbox.conversations import Departure
from scrm.sandbox.dice import draw_text
from scrm.sandbox.events import chat_event
from scrm.sandbox.handing_over import give_chat, is_chat_full
from scrm.sandbox.people.acting import Actor, ActRefused, act
from scrm.sandbox.records import Chat, ChatMember, JoinWay

# The event and the detail count scenes differently: invited is 0 there and 1 here.
EVENT_JOIN_SCENES = {1: 0, 2: 0, 3: 3}
SCANNED = 3
OUTSIDER = 2


class ChatActs(Actor):
    @act
    def chat_create(self, owner: str, name: str = "", members: Sequence[str] = ()) -> str:
        """Let the owner open a group with members (userids and external_userids); return its id."""
        return self._open_chat(self.follower(owner).userid, name, members).chat_id

    @act
    def chat_join(
        self,
        chat_id: str,
        members: Sequence[str],
        *,
        scene: int = 3,
        invitor: str = "",
        state: str = "",
    ) -> None:
        """Let people enter: scene 1 invited, 2 by invite link, 3 by QR code."""
        chat = self.chat(chat_id)
        newcomers = [m for m in dict.fromkeys(members) if m not in chat.members]
        if not newcomers or scene not in EVENT_JOIN_SCENES:
            raise ActRefused("nobody new, or no such scene")
        self._enter(chat, newcomers, scene=scene, invitor=invitor, state=state)

    @act
    def scan_join_code(
        self, config_id: str, person: str | Mapping[str, Any] | None = None
    ) -> dict[str, str]:
        """Let a person (as in `add_customer`) enter the first group of a code that has room.

        When all are full, one that grows opens another. Returns chat_id and external_userid.
        """
        way = self.world.join_ways.get(config_id)
        if way is None:
            raise ActRefused(f"no join code {config_id!r}")
        chat = self._find_room(way)
        external_userid = self.meet(person).external_userid
        if external_userid in chat.members:
            raise ActRefused(f"{external_userid!r} is in {chat.chat_id!r} already")
        self._enter(chat, [external_userid], scene=SCANNED, state=way.state)
        return {"chat_id": chat.chat_id, "external_userid": external_userid}

    @act
    def chat_leave(self, chat_id: str, members: Sequence[str], *, removed: bool = False) -> None:
        """Let people leave, or be removed by the owner."""
        chat = self.chat(chat_id)
        leavers = [m for m in dict.fromkeys(members) if m in chat.members and m != chat.owner]
        if not leavers:
            raise ActRefused("none of them can leave")
        for member_id in leavers:
            stay, now = chat.members.pop(member_id), self.world.clock.now()
            self.world.conversations.departures.append(
                Departure(chat_id, member_id, stay.join_time, now)
            )
        chat.admins = [userid for userid in chat.admins if userid in chat.members]
        self._change_members(chat, "del_member", leavers, QuitScene=int(removed))

    @act
    def chat_rename(self, chat_id: str, name: str) -> None:
        self.chat(chat_id).name = name
        self._update(chat_id, "change_name", name=name)

    @act
    def chat_notice(self, chat_id: str, notice: str) -> None:
        self.chat(chat_id).notice = notice
        self._update(chat_id, "change_notice", notice=notice)

    @act
    def chat_change_owner(self, chat_id: str, owner: str) -> None:
        chat, member = self.chat(chat_id), self.follower(owner)
        self._announce_owner(chat, is_new=give_chat(self.world, chat, member.userid, status=0))

    def announce_given(self, chat: Chat, is_new: bool) -> None:  # noqa: FBT001 - a callback
        """Tell of a group whose new owner was named by the API."""
        self._announce_owner(chat, is_new=is_new)
        self.callbacks.wake()

    @act
    def chat_dismiss(self, chat_id: str) -> None:
        self.chat(chat_id).dismissed_at = self.world.clock.now()
        self.world.ledger.append("chat.dismissed", chat_id=chat_id)
        self.emit(chat_event("dismiss", chat_id, self.world.now()))

    @act
    def open_miniprogram_in_chat(self, chat_id: str) -> str:
        """Let somebody open a mini-program in a group; return the name it knows the group by."""
        opengids = self.world.conversations.opengids
        known = next((gid for gid, known in opengids.items() if known == chat_id), "")
        opengid = known or "o" + draw_text(self.world.dice, 27)
        opengids[opengid] = self.chat(chat_id).chat_id
        self.world.ledger.append("chat.miniprogram_opened", chat_id=chat_id, opengid=opengid)
        return opengid

    def _open_chat(self, owner: str, name: str, members: Sequence[str] = ()) -> Chat:
        chat = Chat(
            chat_id=self.world.mint_id("wr"),
            name=name,
            owner=owner,
            create_time=self.world.now(),
            number=self.world.next_number(),
            member_version=self.world.mint_member_version(),
        )
        for member_id in dict.fromkeys([owner, *members]):
            chat.members[member_id] = self._make_member(member_id, 1, owner, "")
        self.world.add_chat(chat)
        self.world.ledger.append("chat.created", chat_id=chat.chat_id, owner=owner)
        self.emit(chat_event("create", chat.chat_id, self.world.now()))
        return chat

    def _find_room(self, way: JoinWay) -> Chat:
        """Return the first group of a code with room, or a new one of the last group's owner."""
        chat_ids = [*way.chat_ids, *way.grown_chat_ids]
        chats = [self.world.chats[chat_id] for chat_id in chat_ids]
        living = [chat for chat in chats if chat.dismissed_at is None]
        for chat in living:
            if not is_chat_full(self.world, chat):
                return chat
        owners = [c.owner for c in living if self.world.members[c.owner].can_follow]
        if not way.auto_create_room or not owners:
            raise ActRefused(f"every group of {way.config_id!r} is full or dismissed")
        number = way.room_base_id + len(way.grown_chat_ids)
        base_name = way.room_base_name or living[0].name
        chat = self._open_chat(owners[-1], f"{base_name}{number}")
        way.grown_chat_ids.append(chat.chat_id)
        return chat

    def _enter(
        self,
        chat: Chat,
        newcomers: list[str],
        *,
        scene: int,
        invitor: str = "",
        state: str = "",
    ) -> None:
        for member_id in newcomers:
            chat.members[member_id] = self._make_member(member_id, scene, invitor, state)
        self._change_members(chat, "add_member", newcomers, JoinScene=EVENT_JOIN_SCENES[scene])
        self._greet(chat, newcomers)

    def _greet(self, chat: Chat, newcomers: list[str]) -> None:
        """Send what the group greets with, if anything, to outsiders who have just entered."""
        template = self.world.group_welcomes.of_chat(chat.chat_id)
        if template is None:
            return
        for member_id in newcomers:
            if chat.members[member_id].type == OUTSIDER:
                name = self.world.persons[member_id].name
                self.world.ledger.append(
                    "group_welcome.sent",
                    chat_id=chat.chat_id,
                    external_userid=member_id,
                    template_id=template.template_id,
                    text=template.content.text.replace("%NICKNAME%", name),
                    attachments=[a["msgtype"] for a in template.content.attachments],
                )

    def _announce_owner(self, chat: Chat, *, is_new: bool) -> None:
        if is_new:
            self._change_members(chat, "add_member", [chat.owner], JoinScene=0)
        self._update(chat.chat_id, "change_owner", owner=chat.owner)

    def _make_member(self, member_id: str, scene: int, invitor: str, state: str) -> ChatMember:
        kind = 1 if self.world.find_member(member_id) else 2
        if kind == 2:
            self.person(member_id)
        return ChatMember(
            member_id, kind, self.world.now(), scene, invitor if scene < 3 else "", state
        )

    def _change_members(self, chat: Chat, detail: str, members: list[str], **scene: int) -> None:
        before, chat.member_version = chat.member_version, self.world.mint_member_version()
        self.world.ledger.append(f"chat.{detail}", chat_id=chat.chat_id, members=members)
        self.emit(
            chat_event(
                "update",
                chat.chat_id,
                self.world.now(),
                UpdateDetail=detail,
                JoinScene=scene.get("JoinScene", 0),
                QuitScene=scene.get("QuitScene", 0),
                MemChangeCnt=len(members),
                MemChangeList=members,
                LastMemVer=before,
                CurMemVer=chat.member_version,
            )
        )

    def _update(self, chat_id: str, detail: str, **data: str) -> None:
        self.world.ledger.append(f"chat.{detail}", chat_id=chat_id, **data)
        self.emit(chat_event("update", chat_id, self.world.now(), UpdateDetail=detail))
