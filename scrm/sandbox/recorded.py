"""A world out of the platform's own documented answers, as far as they tell."""

import json
from pathlib import Path
from typing import Any

from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.oauth import PRIVATE_FIELDS
from scrm.sandbox.options import Options
from scrm.sandbox.records import (
    Chat,
    ChatMember,
    ContactType,
    CorpTag,
    CorpTagGroup,
    Department,
    Member,
    MemberStatus,
    Person,
    Relation,
    RuleTag,
)
from scrm.sandbox.world import World

Record = dict[str, Any]

PERSON_FIELDS = {"external_userid", "name", "type", "gender", "unionid", "avatar", "corp_name"}
MEMBER_EXTRA = {"extattr", "external_profile", *PRIVATE_FIELDS}
FOLLOW_FIELDS = {
    "remark",
    "description",
    "state",
    "add_way",
    "oper_userid",
    "remark_corp_name",
    "remark_mobiles",
    "wechat_channels",
}


def load_recorded(
    directory: Path | str,
    *,
    seed: int = 1,
    clock: VirtualClock | None = None,
    options: Options | None = None,
) -> World:
    """Return the union of the staff, customers, tags and groups in `*.resp.json` files.

    Whoever is only named somewhere exists as well, with his id for a name.
    """
    world = World(seed=seed, clock=clock, options=options)
    _Loader(world, Path(directory)).load()
    return world


class _Loader:
    def __init__(self, world: World, directory: Path) -> None:
        self._world = world
        self._directory = directory

    def load(self) -> None:
        self._load_departments()
        self._load_members()
        self._load_tags()
        self._load_customers()
        self._load_chats()

    def _read(self, name: str) -> Record:
        path = self._directory / f"{name}.resp.json"
        if not path.exists():
            return {}
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        return record

    def _load_departments(self) -> None:
        rows = self._read("department_list").get("department") or [
            {"id": 1, "name": "总部", "parentid": 0}
        ]
        for row in rows:
            self._world.add_department(
                Department(
                    row["id"],
                    row["name"],
                    row["parentid"],
                    row.get("order", 0),
                    row.get("name_en", ""),
                    list(row.get("department_leader", [])),
                )
            )

    def _load_members(self) -> None:
        # The longer answer about one whom both name comes last, and stays.
        for row in [*self._read("user_list").get("userlist", []), self._read("user_get")]:
            if row:
                self._world.add_member(_read_member(row))
        for department in self._world.departments.values():
            for userid in department.leaders:
                self._mention(userid)
        for member in list(self._world.members.values()):
            if member.direct_leader:
                self._mention(member.direct_leader)
        for userid in self._read("externalcontact_get_follow_user_list").get("follow_user", []):
            self._mention(userid, as_follower=True)

    def _mention(self, userid: str, *, as_follower: bool = False) -> str:
        """Make sure that a member exists; return his userid."""
        member = self._world.find_member(userid)
        if member is None:
            root = next(iter(self._world.departments))
            member = Member(userid, userid, [root], customer_contact=False)
            self._world.add_member(member)
        member.customer_contact |= as_follower
        return member.userid

    def _load_tags(self) -> None:
        for row in self._read("get_corp_tag_list").get("tag_group", []):
            group = CorpTagGroup(
                row["group_id"], row["group_name"], row["create_time"], row["order"]
            )
            self._world.tags.add_group(group)
            for tag in row["tag"]:
                self._world.tags.add_tag(
                    CorpTag(
                        tag["id"],
                        tag["name"],
                        group.id,
                        tag["create_time"],
                        tag["order"],
                        is_deleted=tag.get("deleted", False),
                    )
                )
            group.is_deleted = row.get("deleted", False)

    def _load_customers(self) -> None:
        for name in ("externalcontact_get", "externalcontact_get.wechat_customer"):
            record = self._read(name)
            for follow in record.get("follow_user", []):
                self._add_relation(record["external_contact"], follow)
        batch = self._read("externalcontact_batch_get_by_user")
        for row in batch.get("external_contact_list", []):
            self._add_relation(row["external_contact"], row["follow_info"])
        for external_userid in self._read("externalcontact_list").get("external_userid", []):
            self._person({"external_userid": external_userid, "name": external_userid})

    def _person(self, fields: Record) -> Person:
        known = self._world.persons.get(fields["external_userid"])
        if known is not None:
            return known
        facts = {name: value for name, value in fields.items() if name in PERSON_FIELDS}
        facts["type"] = ContactType(facts.get("type", ContactType.WECHAT))
        extra = {name: value for name, value in fields.items() if name not in PERSON_FIELDS}
        return self._world.add_person(Person(**facts, extra=extra))

    def _add_relation(self, contact: Record, follow: Record) -> None:
        person = self._person(contact)
        userid = self._mention(follow["userid"], as_follower=True)
        if self._world.find_relation(userid, person.external_userid) is not None:
            return
        relation = Relation(
            userid,
            person.external_userid,
            self._world.next_number(),
            follow["createtime"],
            last_chat_at=follow["createtime"],
            **{name: value for name, value in follow.items() if name in FOLLOW_FIELDS},
        )
        for tag_id in follow.get("tag_id", []):
            self._carry(relation, tag_id, {})
        for tag in follow.get("tags", []):
            self._carry(relation, tag.get("tag_id", ""), tag)
        self._world.add_relation(relation)

    def _carry(self, relation: Relation, tag_id: str, tag: Record) -> None:
        """Put a corp, personal or rule-group tag on a relation."""
        names = tag.get("group_name", ""), tag.get("tag_name", "")
        if tag.get("type") == 2:
            relation.personal_tags.append(names)
            return
        if tag.get("type") == 3 or tag_id.startswith("st"):
            rule_tag = RuleTag(tag_id, names[1] or tag_id, names[0])
            self._world.tags.rule_tags.setdefault(tag_id, rule_tag)
        relation.tag_ids.add(tag_id)

    def _load_chats(self) -> None:
        detail = self._read("groupchat_get").get("group_chat")
        if detail:
            self._add_chat(detail)
        for row in self._read("groupchat_list").get("group_chat_list", []):
            if row["chat_id"] not in self._world.chats:
                self._add_unknown_chat(row["chat_id"])
            self._world.chats[row["chat_id"]].status = row["status"]

    def _add_chat(self, detail: Record) -> None:
        chat = Chat(
            detail["chat_id"],
            detail["name"],
            self._mention(detail["owner"], as_follower=True),
            detail["create_time"],
            number=self._world.next_number(),
            notice=detail.get("notice", ""),
            admins=[self._mention(row["userid"]) for row in detail.get("admin_list", [])],
            member_version=detail.get("member_version", ""),
        )
        for row in detail["member_list"]:
            chat.members[row["userid"]] = self._read_chat_member(row)
        self._world.add_chat(chat)

    def _read_chat_member(self, row: Record) -> ChatMember:
        if row["type"] == 1:
            self._mention(row["userid"])
        else:
            self._person(
                {
                    "external_userid": row["userid"],
                    "name": row.get("name", ""),
                    "unionid": row.get("unionid", ""),
                }
            )
        invitor = row.get("invitor", {}).get("userid", "")
        return ChatMember(
            row["userid"],
            row["type"],
            row["join_time"],
            row["join_scene"],
            self._mention(invitor) if invitor else "",
            row.get("state", ""),
            row.get("group_nickname", ""),
        )

    def _add_unknown_chat(self, chat_id: str) -> None:
        """Add a group of which only the id is told; it belongs to the first follower."""
        owner = next(m.userid for m in self._world.members.values() if m.can_follow)
        now = self._world.now()
        chat = Chat(chat_id, "", owner, now, number=self._world.next_number())
        chat.member_version = self._world.mint_member_version()
        chat.members[owner] = ChatMember(owner, 1, now)
        self._world.add_chat(chat)


def _read_member(row: Record) -> Member:
    leads = zip(row["department"], row["is_leader_in_dept"], strict=True)
    return Member(
        row["userid"],
        row["name"],
        row["department"],
        position=row.get("position", ""),
        status=MemberStatus(row["status"]),
        customer_contact=False,
        leads={department for department, is_leader in leads if is_leader},
        direct_leader=next(iter(row.get("direct_leader", [])), ""),
        alias=row.get("alias", ""),
        telephone=row.get("telephone", ""),
        external_position=row.get("external_position", ""),
        extra={name: value for name, value in row.items() if name in MEMBER_EXTRA},
    )
