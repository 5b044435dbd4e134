"""One table of tokens for all examples: each is accepted or refused alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.examples.conftest import Service
from tests.examples.tokens import TABLE, Case, Material, prepare
from tests.support.kits import KITS, LARAVEL_13, Kit, Running, get

pytestmark = pytest.mark.examples


@pytest.fixture(scope="module")
def material(service: Service) -> Material:
    return prepare(service)


@pytest.fixture(scope="session", params=[*KITS.values(), LARAVEL_13], ids=lambda kit: kit.name)
def kit(request: pytest.FixtureRequest) -> Kit:
    """Each example, and Laravel in its newest version too."""
    found: Kit = request.param
    return found


@pytest.fixture(scope="module")
def verdicts() -> Iterator[dict[str, dict[str, str]]]:
    """What each example said to each token; printed as a table at the end."""
    found: dict[str, dict[str, str]] = {}
    yield found
    kits = list(dict.fromkeys(name for said in found.values() for name in said))
    print("\n\n" + " ".join([f"{'':35}", *(f"{name:11}" for name in kits)]))
    for case, said in found.items():
        print(" ".join([f"{case:35}", *(f"{said.get(name, ''):11}" for name in kits)]))


def sent(case: Case, material: Material) -> tuple[list[str], dict[str, str]]:
    made = case.make(material)
    authorization = made if isinstance(made, list) else [f"Bearer {made}"]
    where = {name: text.format(token=material.pair.access) for name, text in case.where.items()}
    return authorization, where


@pytest.mark.parametrize("case", TABLE, ids=lambda case: case.name)
def test_a_token_counts_alike_everywhere(
    material: Material, running: Running, case: Case, verdicts: dict[str, dict[str, str]]
) -> None:
    authorization, where = sent(case, material)
    if len(authorization) > 1 and running.kit.keeps_first_header:
        case = replace(case, code=None)  # the second never reaches the program
    answer = running.ask(
        *authorization, query=where.get("query", ""), cookie=where.get("cookie", "")
    )
    said = "accepted" if answer.status == 200 else answer.json()["code"].removeprefix("token_")
    verdicts.setdefault(case.name, {})[running.kit.name] = said
    assert answer.status == case.status, answer.body
    if case.code is None:
        user = material.service.user_id
        assert answer.json() == {"message": "akses sukses", "user": user}
        return
    assert answer.json()["code"] == case.code
    assert answer.json()["status"] == case.status
    assert answer.headers.get_content_type() == "application/problem+json"
    is_missing = case.code == "token_missing"
    challenge = "Bearer" if is_missing else 'Bearer error="invalid_token"'
    assert answer.headers["WWW-Authenticate"] == challenge


@pytest.mark.parametrize(
    "case", [case for case in TABLE if not case.is_lenient], ids=lambda case: case.name
)
def test_the_service_itself_says_the_same(material: Material, case: Case) -> None:
    authorization, where = sent(case, material)
    headers = [("Authorization", value) for value in authorization]
    headers += [("Cookie", where["cookie"])] if "cookie" in where else []
    answer = get(f"{material.service.url}/resource{where.get('query', '')}", headers)
    assert answer.status == case.status, answer.body
    if case.code is not None:
        assert answer.json()["code"] == case.code
