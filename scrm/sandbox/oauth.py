"""People who open a page of the app in their client, and the codes that tell who they are."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scrm.sandbox.dice import draw_text, make_dice

if TYPE_CHECKING:
    from scrm.sandbox.world import World

# What apps made since 2022-06-20 learn of a member from himself only.
PRIVATE_FIELDS = (
    "address",
    "avatar",
    "biz_mail",
    "email",
    "gender",
    "mobile",
    "qr_code",
    "thumb_avatar",
)
DEFAULT_AVATAR = "https://example.com/avatar/default.png"


@dataclass(slots=True)
class Visit:
    """One opening of a page; a visitor is a member or somebody outside the corp."""

    code: str
    at: float
    userid: str = ""
    external_userid: str = ""
    # Whether the page asked for private facts, and whether the member agreed to show his.
    is_private: bool = False
    consents: bool = True
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class UserTicket:
    userid: str
    at: float
    consents: bool


class OauthDesk:
    """Codes and tickets in virtual time; guarded by the world's lock."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._dice = make_dice("oauth", world.seed)
        self._visits: dict[str, Visit] = {}
        self._tickets: dict[str, UserTicket] = {}

    def open_page(
        self, *, userid: str = "", external_userid: str = "", is_private: bool, consents: bool
    ) -> Visit:
        visit = Visit(
            code=draw_text(self._dice, 43),
            at=self._world.clock.now(),
            userid=userid,
            external_userid=external_userid,
            is_private=is_private,
            consents=consents,
        )
        self._visits[visit.code] = visit
        return visit

    def is_good(self, code: str) -> bool:
        """Whether the code is known, fresh and unused."""
        visit = self._visits.get(code)
        if visit is None or visit.is_used:
            return False
        return 0 <= self._world.clock.now() - visit.at < self._world.options.oauth_code_seconds

    def redeem(self, code: str) -> Visit | None:
        """Use a code up; None when it is not good."""
        if not self.is_good(code):
            return None
        visit = self._visits[code]
        visit.is_used = True
        return visit

    def issue_ticket(self, visit: Visit) -> str:
        ticket = draw_text(self._dice, 64)
        self._tickets[ticket] = UserTicket(visit.userid, self._world.clock.now(), visit.consents)
        return ticket

    def find_ticket(self, ticket: str) -> UserTicket | None:
        return self._tickets.get(ticket)

    def is_over(self, ticket: UserTicket) -> bool:
        age = self._world.clock.now() - ticket.at
        return not 0 <= age < self._world.options.user_ticket_seconds

    def open_id(self, external_userid: str) -> str:
        """Return what the app knows an outsider by, be he a customer or not."""
        dice = make_dice("openid", self._world.seed, external_userid)
        return "o" + draw_text(dice, 27)

    def describe_privately(self, userid: str, *, consents: bool) -> dict[str, Any]:
        """Return the made-up private facts of a member, as far as he and the console allow."""
        if not consents:
            return {"gender": "0", "avatar": DEFAULT_AVATAR}
        dice = make_dice("private", self._world.seed, userid)
        digits = draw_text(dice, 8, "0123456789")
        return {
            "gender": dice.choice("12"),
            "avatar": f"https://example.com/avatar/{digits}.png",
            "qr_code": f"https://example.com/card/{digits}",
            "mobile": f"139{digits}",
            "email": f"{userid.lower()}@example.com",
            "biz_mail": f"{userid.lower()}@brand.example.com",
            "address": f"上海市徐汇区示例路{int(digits) % 900 + 1}号",
        }
