from customers.models.automation import ChannelRule, StageRule, TagRule
from customers.models.commerce import BrandEvent, EventType, Order, OrderQuerySet
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
from customers.models.identities import Awaited, Identity, IdentityKind
from customers.models.segments import (
    Segment,
    SegmentMember,
    SegmentMove,
    SegmentSnapshot,
    SnapshotMember,
)
from customers.models.sync import SyncSighting
from customers.models.tags import (
    CustomerTagSet,
    PastTagAssignment,
    PreTag,
    Tag,
    TagAssignment,
    TagGroup,
    TagKind,
    TagQuerySet,
)
from customers.models.timeline import TimelineEntry
from customers.models.value import (
    Child,
    CustomerValue,
    ValueChange,
    ValueClass,
    ValueSettings,
)

__all__ = [
    "Awaited",
    "BrandEvent",
    "ChannelRule",
    "Child",
    "Customer",
    "CustomerQuerySet",
    "CustomerTagSet",
    "CustomerValue",
    "EventType",
    "Follow",
    "FollowQuerySet",
    "HandoverItem",
    "HandoverItemQuerySet",
    "HandoverKind",
    "HandoverLeg",
    "HandoverLegQuerySet",
    "HandoverPlan",
    "HandoverPlanQuerySet",
    "Identity",
    "IdentityKind",
    "Order",
    "OrderQuerySet",
    "PastTagAssignment",
    "PreTag",
    "Segment",
    "SegmentMember",
    "SegmentMove",
    "SegmentSnapshot",
    "SnapshotMember",
    "Stage",
    "StageRule",
    "SyncSighting",
    "Tag",
    "TagAssignment",
    "TagGroup",
    "TagKind",
    "TagQuerySet",
    "TagRule",
    "TimelineEntry",
    "ValueChange",
    "ValueClass",
    "ValueSettings",
    "WaitingCustomer",
]
