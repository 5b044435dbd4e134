"""Every refusal is one class with a status, a code and a sentence, stated once."""

from __future__ import annotations

import re
from http import HTTPStatus

import pytest

from app.core.errors import (
    AccountError,
    ServiceUnavailableError,
    TooManyRequestsError,
)
from app.web.errors import problems
from tests.support.refusals import REFUSALS


@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: error.__name__)
def test_a_refusal_has_a_status_a_code_and_a_sentence(error: type[AccountError]) -> None:
    assert HTTPStatus(error.status) >= HTTPStatus.BAD_REQUEST
    assert re.fullmatch("[a-z_]+", error.code)
    if error is not ServiceUnavailableError and error is not TooManyRequestsError:
        assert error.detail


def test_a_code_is_declared_once() -> None:
    declared = [error.code for error in REFUSALS if "code" in vars(error)]
    assert len(declared) == len(set(declared))


def test_a_refusal_of_the_rules_and_one_of_flask_agree_on_the_status_of_a_code() -> None:
    statuses = {code: status for status, code in problems._CODES.items()}
    for error in REFUSALS:
        assert statuses.get(error.code, error.status) == error.status
