"""The addresses of the program, and what they answer."""

from django.urls import path
from rest_framework.decorators import api_view
from rest_framework.request import Request
from rest_framework.response import Response


@api_view()
def resource(request: Request) -> Response:
    """Answer those who are logged in; `request.user` is a row of this program's own."""
    return Response({"message": "akses sukses", "user": request.auth["sub"]})


urlpatterns = [path("resource", resource)]
