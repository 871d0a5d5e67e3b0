from customers.models.automation import ChannelRule, StageRule
from customers.models.customers import (
    Customer,
    CustomerQuerySet,
    Follow,
    FollowQuerySet,
    Stage,
)
from customers.models.handover import (
    HandoverItem,
    HandoverItemQuerySet,
    HandoverKind,
    HandoverLeg,
    HandoverLegQuerySet,
    HandoverPlan,
    HandoverPlanQuerySet,
    WaitingCustomer,
)
from customers.models.segments import Segment
from customers.models.sync import SyncSighting
from customers.models.tags import (
    CustomerTagSet,
    Tag,
    TagAssignment,
    TagGroup,
    TagKind,
    TagQuerySet,
)
from customers.models.timeline import TimelineEntry

__all__ = [
    "ChannelRule",
    "Customer",
    "CustomerQuerySet",
    "CustomerTagSet",
    "Follow",
    "FollowQuerySet",
    "HandoverItem",
    "HandoverItemQuerySet",
    "HandoverKind",
    "HandoverLeg",
    "HandoverLegQuerySet",
    "HandoverPlan",
    "HandoverPlanQuerySet",
    "Segment",
    "Stage",
    "StageRule",
    "SyncSighting",
    "Tag",
    "TagAssignment",
    "TagGroup",
    "TagKind",
    "TagQuerySet",
    "TimelineEntry",
    "WaitingCustomer",
]
