"""The base form, and the parser of urlencoded, multipart and JSON bodies."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar, cast
from urllib.parse import parse_qsl

from flask import g, request
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest, UnsupportedMediaType
from wtforms import Field, PasswordField

from app.core.database import release_connection
from app.core.errors import AccountError, ValidationError
from app.text import _l
from app.web.negotiation import is_browser

MAX_BODY_BYTES = 64 * 1024
MAX_FIELDS = 100
# Far below what any Python's JSON parser can take: 3.11 gives up near 1,000, later versions by the
# size of the stack.
MAX_NESTING = 100
# A JSON string, or what an unclosed one leaves. Possessive, so that no input makes it backtrack.
_JSON_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_ABSENT = object()


class BaseForm(FlaskForm):  # type: ignore[misc]
    """A form whose fields are all required but those named in `optional`."""

    class Meta:
        """Cross-site request forgery is refused for all forms at once, in `create_app`."""

        csrf = False

    optional: ClassVar[frozenset[str]] = frozenset()
    # The last refusal that was shown, if trying again makes sense later.
    waiting: AccountError | None = None
    _count: Callable[[], None] | None = None

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **values)
        if g and "refused_form" in g:  # by shown_again.py, for the form of the page that it shows
            error, typed = g.pop("refused_form")
            for field in self:
                if field.name in typed and not isinstance(field, PasswordField):
                    field.data = typed[field.name]
            self.show(error)

    def values(self) -> dict[str, str]:
        """What was sent, by field name, if every rule holds; counts the limit of the route, once.

        Raises:
            ValidationError: with the messages of every field at fault.
            TooManyRequestsError: the form is valid, and beyond the limit of the route.

        """
        if self.errors:
            raise ValidationError(self.errors)
        values = {
            name: field.data for name, field in self._fields.items() if field.data is not None
        }
        self.check_together(values)
        count, self._count = self._count, None
        if count is not None:
            count()
        return values

    def check_together(self, values: Mapping[str, str]) -> None:
        """Check what no field can check alone.

        Raises:
            ValidationError: the values do not go together.

        """

    @classmethod
    def of(cls, values: Mapping[str, Any], **attributes: Any) -> Self:
        """A form filled by a command, not from a request; arguments as those of `parse_form`."""
        return validate_fields(cls, values, **attributes)

    def show(self, error: AccountError) -> None:
        """Show a refusal beside its fields, or above the form if it names none."""
        for name, messages in error.errors.items():
            if name in self:
                self[name].errors = [*messages, error.advice] if error.advice else messages
        if not error.errors:
            said = (error.page_detail or error.detail, error.advice)
            self.form_errors = [" ".join(str(sentence) for sentence in said if sentence)]
        self.waiting = error if error.retry_after is not None else None


F = TypeVar("F", bound=BaseForm)


def parse_form(form_class: type[F], **attributes: Any) -> F:
    """Fill and validate a form from the request's body: urlencoded, multipart or JSON.

    Only strings are accepted. The form comes back with its errors; `values` raises them, and
    counts the limit of the route's access mark.

    Args:
        form_class: which fields are declared; others are ignored.
        attributes: set on the form before its rules are asked.

    Raises:
        BadRequest: the body is broken, or names a declared field twice.
        UnsupportedMediaType: the body is of another kind.
        RequestEntityTooLarge: the body is larger than 64 KiB, or has too many parts.

    """
    release_connection()  # a body may take seconds to arrive
    form = validate_fields(form_class, _body(), for_person=is_browser(), **attributes)
    form._count = g.pop("count_valid_form", None)
    return form


def validate_fields(
    form_class: type[F], body: Mapping[str, Any], *, for_person: bool = False, **attributes: Any
) -> F:
    """Fill a form from values by name; messages are for a person or for a program."""
    form = form_class(formdata=None)
    for name, value in attributes.items():
        setattr(form, name, value)
    faults = {}
    sent = MultiDict[str, str]()
    for name, field in form._fields.items():
        value = _filtered(field, body.get(name, _ABSENT))
        fault = _fault(value, optional=name in form.optional)
        if for_person and (value == "" or (value is _ABSENT and name not in form.optional)):
            fault = (field.render_kw or {}).get("data-missing") or fault
        if fault:
            faults[name] = [fault]
        elif name in body:
            sent[name] = str(value)
    form.process(sent)
    _validate(form, sent)
    for name, messages in faults.items():
        form[name].errors = messages
    for name, value in body.items():  # what was typed stays in the page's form
        if name in faults and isinstance(value, str):
            form[name].data = value
    return form


def _validate(form: BaseForm, sent: Iterable[str]) -> None:
    """Validate each field that was sent; the others have the value None."""
    for name, field in form._fields.items():
        if name in sent:
            field.validate(form)
        else:
            field.data = None


def _filtered(field: Field, value: object) -> object:
    """What was sent, as the field takes it: without the spaces around a username, for one."""
    if isinstance(value, str):
        for clean in field.filters:
            value = clean(value)
    return value


def _fault(value: object, *, optional: bool) -> str | None:
    """Why a value is refused before any field rule, in SimpleJWT's words."""
    if value is _ABSENT:
        return None if optional else _l("This field is required.")
    if value is None:
        return _l("This field may not be null.")
    if not isinstance(value, str) or not _encodable(value):
        return _l("Not a valid string.")
    if value == "":
        return _l("This field may not be blank.")
    if "\0" in value:
        return _l("Null characters are not allowed.")
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _body() -> Mapping[str, Any]:
    kind = request.mimetype
    if kind == "multipart/form-data":
        return _multipart()
    raw = request.get_data(cache=True)
    if kind == "application/x-www-form-urlencoded" or (not kind and not raw):
        return _urlencoded(raw)
    if kind == "application/json":
        return _json(raw)
    raise UnsupportedMediaType(
        _l('Unsupported media type "%(media_type)s" in request.', media_type=kind)
    )


def _urlencoded(raw: bytes) -> Mapping[str, Any]:
    try:
        pairs = parse_qsl(
            raw.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise BadRequest(_l("The form is not valid UTF-8, or has too many fields.")) from None
    return _unique(pairs)


def _multipart() -> Mapping[str, Any]:
    pairs = [*request.form.items(multi=True), *request.files.items(multi=True)]
    if any(isinstance(value, str) and "\N{REPLACEMENT CHARACTER}" in value for _, value in pairs):
        raise BadRequest(_l("The multipart form is not valid UTF-8."))
    return _unique(pairs)


def _json(raw: bytes) -> Mapping[str, Any]:
    try:
        text = raw.decode("utf-8")
        _refuse_deep_nesting(text)
        body = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except ValueError:
        raise BadRequest(_l("JSON parse error - the body is not valid JSON in UTF-8.")) from None
    if not isinstance(body, dict):
        kind = type(body).__name__
        message = _l("Invalid data. Expected a dictionary, but got %(datatype)s.", datatype=kind)
        raise ValidationError({"non_field_errors": [message]})
    return cast("dict[str, Any]", body)


def _unique(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise BadRequest(_l("A field was sent twice. Send each field once."))
        values[name] = value
    return values


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _refuse_deep_nesting(text: str) -> None:
    """Refuse JSON nested deeper than `MAX_NESTING`, before a parser recurses into it.

    Raises:
        ValueError: it is nested deeper.

    """
    depth = 0
    for character in _JSON_STRING.sub("", text):
        if character in "[{":
            depth += 1
            if depth > MAX_NESTING:
                raise ValueError("nested too deep")
        elif character in "]}":
            depth -= 1
