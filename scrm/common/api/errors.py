"""Django's own error pages, told as problems below /api/."""

from django.http import HttpRequest, HttpResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from scrm.common.api.problems import not_found, plain_problem, problem_of, server_failure


@csrf_exempt
def unknown_address(request: HttpRequest) -> HttpResponse:
    return plain_problem(request, not_found())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return plain_problem(request, problem_of(exception))
    return defaults.bad_request(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return plain_problem(request, not_found())
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        return plain_problem(request, server_failure())
    return defaults.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
