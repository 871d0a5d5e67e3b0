from rest_framework.routers import SimpleRouter

from scrm.channels.api.media import MediaFileViewSet
from scrm.channels.api.views import InboundEventViewSet, OutboxOperationViewSet

router = SimpleRouter()
router.register("inbox-events", InboundEventViewSet, basename="inbox-event")
router.register("outbox-operations", OutboxOperationViewSet, basename="outbox-operation")
router.register("media-files", MediaFileViewSet, basename="media-file")
urlpatterns = router.urls
