"""A made-up maternity brand, the same for the same seed."""

from itertools import accumulate
from random import Random

from scrm.sandbox import vocabulary as words
from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.dice import draw_id, draw_text, make_dice
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
)
from scrm.sandbox.world import World

DAY = 24 * 3600
HISTORY_DAYS = 730


def build_world(
    seed: int = 1,
    *,
    staff: int = 20,
    customers: int = 5000,
    groups: int = 60,
    clock: VirtualClock | None = None,
    options: Options | None = None,
) -> World:
    """Return a brand with exactly so many members, customers and groups; nobody deleted anybody."""
    world = World(seed=seed, clock=clock, options=options)
    _Builder(world).build(staff, customers, groups)
    return world


class _Builder:
    """Fills one world; every part has its own dice, so that one size does not shift the others."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._now = world.now()
        self._stores: list[Department] = []
        self._followers: list[Member] = []
        self._tag_ids: dict[str, list[str]] = {}

    def build(self, staff: int, customers: int, groups: int) -> None:
        self._build_departments(max(4, min(24, staff // 2)))
        self._build_staff(staff)
        self._build_tags()
        self._build_customers(customers)
        self._build_chats(groups)

    def _dice(self, part: str) -> Random:
        return make_dice("generate", self._world.seed, part)

    def _build_departments(self, stores: int) -> None:
        add = self._world.add_department
        add(Department(1, "总部", 0, order=100_000_000, name_en="HQ"))
        regions = [
            add(Department(number, name, 1, order=100 - number))
            for number, name in enumerate(words.REGIONS, start=2)
        ]
        for index in range(stores):
            region = regions[index % len(regions)]
            name = words.REGIONS[region.name][index // len(regions)]
            self._stores.append(add(Department(10 + index, name, region.id, order=50 - index)))

    def _build_staff(self, count: int) -> None:
        dice = self._dice("staff")
        for number in range(count):
            (surname, pinyin), (given, pinyin2) = _draw_name(dice)
            member = Member(f"{pinyin}{pinyin2}{number + 1:03d}", surname + given, [1])
            self._place(member, number, count)
            self._world.add_member(member)
        self._followers = [m for m in self._world.members.values() if m.can_follow]

    def _place(self, member: Member, number: int, count: int) -> None:
        """Put the first members into headquarters and regions, the rest into stores."""
        if number == 0:
            member.position, member.customer_contact = "运营总监", count == 1
            self._lead(member, 1)
        elif number <= len(words.REGIONS) and count > 12:
            member.position = "区域经理"
            self._lead(member, number + 1)
        else:
            store = self._stores[number % len(self._stores)]
            member.position = "育儿顾问" if store.leaders else "店长"
            member.direct_leader = store.leaders[0] if store.leaders else ""
            member.departments = [store.id]
            if not store.leaders:
                self._lead(member, store.id)
        if number and number == count - 1 and count > 12:
            member.status, member.customer_contact = MemberStatus.NOT_ACTIVATED, False

    def _lead(self, member: Member, department_id: int) -> None:
        member.departments, member.leads = [department_id], {department_id}
        self._world.departments[department_id].leaders.append(member.userid)

    def _build_tags(self) -> None:
        dice, book = self._dice("tags"), self._world.tags
        made = self._now - HISTORY_DAYS * DAY
        for position, (group_name, names) in enumerate(words.TAG_GROUPS.items()):
            by_app = group_name not in words.CONSOLE_GROUPS
            group = book.add_group(
                CorpTagGroup(
                    draw_id(dice, "et"), group_name, made, 100 - position, made_by_app=by_app
                )
            )
            for order, name in enumerate(names):
                tag = CorpTag(draw_id(dice, "et"), name, group.id, made, 100 - order)
                tag.made_by_app = by_app
                book.add_tag(tag)
            self._tag_ids[group_name] = list(group.tag_ids)

    def _build_customers(self, count: int) -> None:
        if not self._followers:
            return
        dice = self._dice("customers")
        # Members differ in how many customers they keep.
        weights = list(accumulate(dice.uniform(0.5, 2) for _ in self._followers))
        for _ in range(count):
            person = self._world.add_person(_draw_person(dice))
            first = dice.choices(self._followers, cum_weights=weights)[0]
            others = _draw_other_followers(dice, self._followers, first)
            added_at = self._now - int(dice.betavariate(1, 2.2) * HISTORY_DAYS * DAY) - 60
            for member in [first, *others]:
                self._world.add_relation(self._draw_relation(dice, person, member, added_at))
                added_at = min(self._now - 30, added_at + dice.randrange(90 * DAY))
            if dice.random() < 0.3:
                moments = [float(self._now - dice.randrange(DAY, 20 * DAY))]
                self._world.received_log[person.external_userid] = moments

    def _draw_relation(
        self, dice: Random, person: Person, member: Member, added_at: int
    ) -> Relation:
        is_scan = dice.random() < 0.7
        return Relation(
            userid=member.userid,
            external_userid=person.external_userid,
            number=self._world.next_number(),
            createtime=added_at,
            remark=person.name.strip()[:20] if dice.random() < 0.5 else "",
            description="预产期已登记" if dice.random() < 0.1 else "",
            state=f"store_{member.departments[0]:03d}" if is_scan else "",
            add_way=1 if is_scan else dice.choice([2, 3, 4, 6, 201]),
            oper_userid=person.external_userid if is_scan else member.userid,
            tag_ids=self._draw_tags(dice),
            remark_mobiles=[_draw_mobile(dice)] if dice.random() < 0.2 else [],
            last_chat_at=added_at + dice.random() * (self._now - added_at),
        )

    def _draw_tags(self, dice: Random) -> set[str]:
        if dice.random() < 0.15:
            return set()
        tags = set()
        for group, chance in [("孕育阶段", 0.85), ("客户等级", 0.6), ("渠道来源", 0.5)]:
            if dice.random() < chance:
                tags.add(dice.choice(self._tag_ids[group]))
        for group, most in [("消费偏好", 3), ("服务需求", 1), ("沟通状态", 1)]:
            tags.update(dice.sample(self._tag_ids[group], dice.randint(0, most)))
        return tags

    def _build_chats(self, count: int) -> None:
        dice = self._dice("chats")
        for number in range(count if self._followers else 0):
            owner = self._followers[number % len(self._followers)]
            store = self._world.departments[owner.departments[0]].name
            name = dice.choice(words.CHAT_FORMS).format(store=store) + str(number + 1)
            created = self._now - dice.randrange(2 * DAY, 400 * DAY)
            chat = Chat(
                draw_id(dice, "wr"),
                name if dice.random() < 0.95 else "",
                owner.userid,
                created,
                number=self._world.next_number(),
                notice=words.NOTICE if dice.random() < 0.6 else "",
                member_version=draw_text(dice, 32, "0123456789abcdef"),
            )
            self._fill_chat(dice, chat)
            self._world.add_chat(chat)

    def _fill_chat(self, dice: Random, chat: Chat) -> None:
        chat.members[chat.owner] = ChatMember(chat.owner, 1, chat.create_time)
        assistant = dice.choice(self._followers).userid
        if assistant != chat.owner:
            chat.members[assistant] = ChatMember(assistant, 1, chat.create_time, invitor=chat.owner)
            chat.admins.append(assistant)
        own = [relation.external_userid for relation in self._world.customers_of(chat.owner)]
        guests = dice.sample(own, min(len(own), dice.randint(8, 90)))
        guests += [self._draw_stranger(dice) for _ in range(len(guests) // 20)]
        for guest in guests:
            joined = chat.create_time + dice.randrange(max(1, self._now - chat.create_time))
            chat.members[guest] = self._draw_guest(dice, chat, guest, joined)

    def _draw_stranger(self, dice: Random) -> str:
        """Return someone in the group whom no member has as a customer."""
        return self._world.add_person(_draw_person(dice)).external_userid

    def _draw_guest(self, dice: Random, chat: Chat, guest: str, joined: int) -> ChatMember:
        scene = dice.choices([1, 2, 3], [3, 1, 6])[0]
        invitor = chat.owner if scene == 1 else ""
        state = f"join_{chat.number:04d}" if scene == 3 and dice.random() < 0.5 else ""
        return ChatMember(guest, 2, joined, scene, invitor, state)


def _draw_name(dice: Random) -> tuple[tuple[str, str], tuple[str, str]]:
    return dice.choice(words.SURNAMES), dice.choice(words.GIVEN_NAMES)


def _draw_person(dice: Random) -> Person:
    (surname, _), (given, _) = _draw_name(dice)
    if dice.random() < 0.02:
        return Person(
            draw_id(dice, "wo"),
            surname + given,
            type=ContactType.WECOM,
            gender=dice.choice([1, 2]),
            avatar=_draw_avatar(dice, "wwhead"),
            corp_name=dice.choice(words.PARTNERS),
            extra={"position": "商务经理"},
        )
    form = dice.choice(words.NICKNAME_FORMS)
    name = form.format(
        baby=dice.choice(words.BABY_NAMES), full=surname + given, given=given, surname=surname
    )
    return Person(
        draw_id(dice, "wm"),
        name,
        gender=dice.choices([2, 1, 0], [80, 12, 8])[0],
        unionid="o" + draw_text(dice, 27),
        avatar=_draw_avatar(dice, "mmhead"),
    )


def _draw_avatar(dice: Random, kind: str) -> str:
    return f"http://wx.qlogo.cn/{kind}/{draw_text(dice, 20)}/0"


def _draw_mobile(dice: Random) -> str:
    return f"1{dice.choice('35789')}{dice.randrange(10**9):09d}"


def _draw_other_followers(dice: Random, members: list[Member], first: Member) -> list[Member]:
    """Return the one or two members who follow the customer as well, for a fifth of them."""
    if dice.random() >= 0.2:
        return []
    others = [member for member in members if member is not first]
    return dice.sample(others, min(len(others), dice.choices([1, 2], [3, 1])[0]))
