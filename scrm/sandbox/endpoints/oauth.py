"""Who opened a page of the app, and the tickets with which pages sign themselves."""

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.oauth import Visit

CODE_BYTES = 512
AGENT_CONFIG = "agent_config"


@endpoint("GET", "auth/getuserinfo")
def identify(call: Call) -> Answer:
    visit = _redeem(call)
    if visit.userid:
        return {"userid": visit.userid} | _give_ticket(call, visit)
    return {"openid": call.world.oauth.open_id(visit.external_userid)} | _name_customer(call, visit)


@endpoint("GET", "user/getuserinfo")
def identify_as_before(call: Call) -> Answer:
    """Answer like `auth/getuserinfo` in the older spelling."""
    visit = _redeem(call)
    if visit.userid:
        return {"UserId": visit.userid, "DeviceId": ""} | _give_ticket(call, visit)
    open_id = call.world.oauth.open_id(visit.external_userid)
    return {"OpenId": open_id, "DeviceId": ""} | _name_customer(call, visit)


@endpoint("POST", "auth/getuserdetail")
def describe_visitor(call: Call) -> Answer:
    desk = call.world.oauth
    ticket = desk.find_ticket(call.text("user_ticket"))
    if ticket is None:
        raise Refused(84015)
    if desk.is_over(ticket):
        raise Refused(84014)
    facts = desk.describe_privately(ticket.userid, consents=ticket.consents)
    shown = call.world.options.oauth_fields
    return {"userid": ticket.userid} | {n: value for n, value in facts.items() if n in shown}


@endpoint("GET", "get_jsapi_ticket")
def get_corp_ticket(call: Call) -> Answer:
    return _issue(call, "jsapi")


@endpoint("GET", "ticket/get")
def get_app_ticket(call: Call) -> Answer:
    kind = call.text("type")
    if kind != AGENT_CONFIG:
        raise Refused(91040, kind)
    return _issue(call, kind)


def _redeem(call: Call) -> Visit:
    code = call.text("code", missing=40029)
    if len(code.encode()) > CODE_BYTES:
        raise Refused(40029)
    visit = call.world.oauth.redeem(code)
    if visit is None:
        raise Refused(40029)
    call.world.ledger.append(
        "oauth.identified", userid=visit.userid, external_userid=visit.external_userid
    )
    return visit


def _give_ticket(call: Call, visit: Visit) -> Answer:
    return {"user_ticket": call.world.oauth.issue_ticket(visit)} if visit.is_private else {}


def _name_customer(call: Call, visit: Visit) -> Answer:
    """Return the visitor's id when somebody follows him whom the app sees."""
    is_customer = bool(call.world.followers_of(visit.external_userid))
    return {"external_userid": visit.external_userid} if is_customer else {}


def _issue(call: Call, kind: str) -> Answer:
    if not call.world.js_tickets.admits(kind):
        raise Refused(45009, kind)
    ticket, expires_in = call.world.js_tickets.issue(kind)
    return {"ticket": ticket, "expires_in": expires_in}
