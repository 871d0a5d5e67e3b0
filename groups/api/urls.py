from rest_framework.routers import SimpleRouter

from groups.api.join_code_views import JoinCodeViewSet
from groups.api.views import GroupChatViewSet

router = SimpleRouter()
router.register("groups", GroupChatViewSet, basename="group")
router.register("join-codes", JoinCodeViewSet, basename="join-code")
urlpatterns = router.urls
