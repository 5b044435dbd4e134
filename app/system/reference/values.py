"""What the page of the API description shows."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body, a parameter of an address, or a member of an answer.

    Attributes:
        name: as it is sent.
        kind: its type and limits in words.
        schema: the schema that describes it further, or None.
        required: "required", "optional", or "one of these".
        description: what it is.

    """

    name: str
    kind: Markup
    schema: str | None
    required: str
    description: Markup


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of one status.

    Attributes:
        name: of the component, or "".
        status: of HTTP.
        description: when it comes.
        example: a body of it as JSON or text, or None.
        schema: the schema of its body, or None.
        refusals: `code` and `detail` of each refusal that comes so.
        headers: name and meaning of each header of its own.

    """

    name: str
    status: str
    description: Markup
    example: Markup | None
    schema: str | None
    refusals: tuple[tuple[Markup, Markup], ...]
    headers: tuple[tuple[str, Markup], ...]

    @property
    def title(self) -> str:
        """The status and the component's name, in words: AuthBadRequest is "400 Bad request"."""
        words = re.sub(r"\B(?=[A-Z])", " ", self.name.removeprefix("Auth"))
        return f"{self.status} {words.capitalize()}"


@dataclass(frozen=True, slots=True)
class Operation:
    """A request that the API answers.

    Attributes:
        id: unique in the document.
        method: in capitals.
        path: with parameters in braces.
        summary: what it does.
        description: what else to know.
        secured: whether it needs an access token.
        fields: what it takes.
        example: the request as a command of curl.
        answers: those that are its own.
        shared: the refusals that it has in common with others.

    """

    id: str
    method: str
    path: str
    summary: str
    description: Markup
    secured: bool
    fields: tuple[Field, ...]
    example: Markup
    answers: tuple[Answer, ...]
    shared: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The operations of a tag."""

    name: str
    anchor: str
    description: Markup
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """An object in an answer; `base` is the schema whose fields it has too, or None."""

    name: str
    description: Markup
    base: str | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """The whole description."""

    introduction: tuple[Markup, ...]
    authentication: Markup
    groups: tuple[Group, ...]
    shared: tuple[Answer, ...]
    schemas: tuple[Schema, ...]
