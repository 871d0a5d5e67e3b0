"""Ids of others as ours."""

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused


@endpoint("POST", "idconvert/unionid_to_external_userid")
def convert_unionid(call: Call) -> Answer:
    """Answer providers' apps only; a self-built app reads unionids in the details of customers."""
    _check_delegated(call)
    unionid, _ = call.text("unionid"), call.text("openid")
    if call.integer("subject_type", 0) not in {0, 1}:
        raise Refused(40058, "subject_type")
    found = _find_customer(call, unionid)
    if found:
        return {"external_userid": found}
    return {"external_userid": "", "pending_id": call.world.foreign_ids.pending_id(unionid)}


@endpoint("POST", "externalcontact/unionid_to_external_userid")
def convert_unionid_of_customer(call: Call) -> Answer:
    _check_delegated(call)
    unionid, _ = call.text("unionid"), call.text("openid")
    found = _find_customer(call, unionid)
    if not found:
        raise Refused(84061)
    return {"external_userid": found}


@endpoint("POST", "externalcontact/from_service_external_userid")
def convert_provider_id(call: Call) -> Answer:
    text = call.text("external_userid", missing=41035)
    agent_id = call.integer("source_agentid")
    known = call.world.foreign_ids.find(text)
    if known is None:
        raise Refused(40096, text)
    if known.agent_id != agent_id:
        raise Refused(40056, str(agent_id))
    return {"external_userid": known.external_userid}


def _check_delegated(call: Call) -> None:
    if not call.world.options.is_delegated_app:
        raise Refused(48002)


def _find_customer(call: Call, unionid: str) -> str:
    """Return whom somebody follows and who has the unionid, or nothing."""
    for person in call.world.persons.values():
        if person.unionid == unionid and call.world.followers_of(person.external_userid):
            return person.external_userid
    return ""
