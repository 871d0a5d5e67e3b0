from rest_framework.routers import SimpleRouter

from groups.api.views import GroupChatViewSet

router = SimpleRouter()
router.register("groups", GroupChatViewSet, basename="group")
urlpatterns = router.urls
