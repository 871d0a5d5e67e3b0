"""What only the contact-sync secret may read."""

from scrm.sandbox.call import Call
from scrm.sandbox.cursors import make_cursor, read_position
from scrm.sandbox.endpoints.registry import Answer, endpoint
from scrm.sandbox.errors import Refused
from scrm.sandbox.tokens import CONTACT_SYNC

ROWS = 10_000


@endpoint("POST", "user/list_id", audience=CONTACT_SYNC)
def list_ids(call: Call) -> Answer:
    """Answer one row for each department of each member."""
    limit = call.integer("limit", ROWS)
    if not 1 <= limit <= ROWS:
        raise Refused(40058, "limit")
    # Members come and go while the list is walked, so the cursor names a place among all of them.
    start, after = read_position(call) or [0, 0]
    rows = [
        ((index, place), member.userid, department_id)
        for index, member in enumerate(call.world.members.values())
        for place, department_id in enumerate(member.departments, start=1)
        if not member.has_left and (index, place) > (start, after)
    ]
    page = rows[:limit]
    return {
        "next_cursor": make_cursor(call, page[-1][0]) if len(rows) > limit else "",
        "dept_user": [{"userid": userid, "department": d} for _, userid, d in page],
    }
