"""The base form, and the fields of a request by a form or by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Self, TypeVar

from flask import g
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Field, PasswordField

from app.core.errors import AccountError, ValidationError
from app.text import _l
from app.web.negotiation import is_browser
from app.web.parsing import parse_body

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
        HTTPException, ValidationError: as `parse_body`.

    """
    form = validate_fields(form_class, parse_body(), for_person=is_browser(), **attributes)
    form._count = g.pop("count_valid_form", None)
    return form


def required_strings(*names: str) -> dict[str, str]:
    """The named fields of the request's body, which all are required and have no other rule.

    For a call of programs that needs no form: no page shows it, and no limit counts it.

    Raises:
        HTTPException: as `parse_body`.
        ValidationError: with the messages of every field at fault.

    """
    body = parse_body()
    found = {name: _fault(body.get(name, _ABSENT), optional=False) for name in names}
    if faults := {name: [fault] for name, fault in found.items() if fault}:
        raise ValidationError(faults)
    return {name: body[name] for name in names}


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
