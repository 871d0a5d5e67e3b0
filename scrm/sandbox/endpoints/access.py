"""Access tokens and the platform's own addresses."""

from scrm.sandbox.call import Call
from scrm.sandbox.endpoints.registry import Answer, endpoint


@endpoint("GET", "gettoken", needs_token=False)
def get_token(call: Call) -> Answer:
    corp_id = call.text("corpid", missing=41002)
    secret = call.text("corpsecret", missing=41004)
    token, expires_in = call.tokens.issue(corp_id, secret)
    return {"access_token": token, "expires_in": expires_in}


@endpoint("GET", "getcallbackip", audience="")
@endpoint("GET", "get_api_domain_ip", audience="")
def list_addresses(call: Call) -> Answer:
    return {"ip_list": ["127.0.0.1"]}
