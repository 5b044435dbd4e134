"""Whatever comes in, the answer is a refusal that names the fault, and nothing is stored."""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from app import create_app
from tests.support.application import BROWSER, DUMMY, assert_problem, close
from tests.support.databases import make_config, migrate_database, stored_rows
from tests.support.servers import Server, run_server

FIELDS = {"/register": ["username", "email", "password"], "/login": ["username", "password"]}
PLACES = [(path, field) for path, fields in FIELDS.items() for field in fields]
PATHS = pytest.mark.parametrize("path", FIELDS)
EACH_FIELD = pytest.mark.parametrize(("path", "field"), PLACES)
JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=X"
MEGABYTES = b"a" * 10_000_000
DEEP = 30_000


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("bad-input")
    migrate_database(f"sqlite:///{folder / 'test.db'}", folder)
    return f"sqlite:///{folder / 'test.db'}"


@pytest.fixture(scope="module")
def client(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    app = create_app(make_config(url, tmp_path_factory.mktemp("instance")))
    yield app.test_client()
    close(app)


@pytest.fixture(autouse=True)
def nothing_is_stored(url: str) -> Iterator[None]:
    yield
    assert stored_rows(url) == 0


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'--X\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + value + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--X--\r\n"


def whole(kind: str, replaced: str = "", value: bytes = b"") -> bytes:
    """The assignment's registration in one of the three kinds, one value being replaced raw."""
    fields = {name: text.encode() for name, text in DUMMY.items()}
    if replaced:
        fields[replaced] = value
    if kind == JSON:
        return b"{%s}" % b",".join(b'"%s":"%s"' % (n.encode(), v) for n, v in fields.items())
    if kind == FORM:
        return b"&".join(b"%s=%s" % (n.encode(), v) for n, v in fields.items())
    return multipart(*(part(name, text) for name, text in fields.items()))


# --- the value of a field ------------------------------------------------------------------------


@EACH_FIELD
@pytest.mark.parametrize(
    "value",
    [
        None, "", 0, 7, -1.5, 1e400, True, False,
        [], ["dummy"], [["a"]], {}, {"x": 1}, "\ud800", "a\0b",
    ],
    ids=repr,
)  # fmt: skip
def test_a_json_value_that_is_no_text_is_refused_by_name(
    client: FlaskClient, path: str, field: str, value: object
) -> None:
    body = json.dumps(DUMMY | {field: value}).replace("Infinity", "1e400")
    assert_problem(client.post(path, data=body, content_type=JSON), 400, "validation_error", field)


@EACH_FIELD
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
def test_a_missing_field_is_named(client: FlaskClient, path: str, field: str, kind: str) -> None:
    body = whole(kind).replace(f"{field}".encode(), b"other", 1)
    assert_problem(client.post(path, data=body, content_type=kind), 400, "validation_error", field)


@EACH_FIELD
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
def test_a_blank_field_is_named(client: FlaskClient, path: str, field: str, kind: str) -> None:
    answer = client.post(path, data=whole(kind, field, b""), content_type=kind)
    assert_problem(answer, 400, "validation_error", field)


@EACH_FIELD
@pytest.mark.parametrize(
    ("kind", "value"), [(FORM, b"a%00b"), (FORM, b"a\0b"), (MULTIPART, b"a\0")]
)
def test_a_null_character_is_refused_by_name(
    client: FlaskClient, path: str, field: str, kind: str, value: bytes
) -> None:
    answer = client.post(path, data=whole(kind, field, value), content_type=kind)
    assert_problem(answer, 400, "validation_error", field)


@EACH_FIELD
def test_a_file_in_place_of_a_field_is_refused_by_name(
    client: FlaskClient, path: str, field: str
) -> None:
    fields = DUMMY | {field: (io.BytesIO(b"dummyuser"), "cat.txt")}
    assert_problem(client.post(path, data=fields), 400, "validation_error", field)


@PATHS
def test_every_field_at_fault_is_named_at_once(client: FlaskClient, path: str) -> None:
    assert_problem(client.post(path, json={}), 400, "validation_error", *FIELDS[path])


@PATHS
def test_no_body_at_all_names_every_field(client: FlaskClient, path: str) -> None:
    assert_problem(client.post(path), 400, "validation_error", *FIELDS[path])


# --- size ----------------------------------------------------------------------------------------


@EACH_FIELD
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
def test_ten_megabytes_are_too_large(client: FlaskClient, path: str, field: str, kind: str) -> None:
    answer = client.post(path, data=whole(kind, field, MEGABYTES), content_type=kind)
    assert_problem(answer, 413, "content_too_large")


@PATHS
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b"&".join(b"f%d=1" % n for n in range(50_000))),
        (FORM, b"&" * 60_000),
        (FORM, b"a=&" * 20_000),
        (MULTIPART, multipart(*(part(f"f{n}", b"1") for n in range(50_000)))),
        (MULTIPART, multipart(*(part("f", b"") for _ in range(900)))),
    ],
    ids=["50,000 fields", "60,000 separators", "20,000 in 60 KB", "50,000 parts", "900 parts"],
)
def test_too_many_fields_are_refused(
    client: FlaskClient, path: str, kind: str, body: bytes
) -> None:
    answer = client.post(path, data=body, content_type=kind)
    assert answer.status_code in {400, 413}
    assert answer.get_json()["code"] in {"bad_request", "content_too_large"}


# --- text that is none -------------------------------------------------------------------------


@EACH_FIELD
@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80"], ids=repr)
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART, "percent"])
def test_bytes_that_are_not_utf8_are_refused(
    client: FlaskClient, path: str, field: str, kind: str, value: bytes
) -> None:
    if kind == "percent":
        kind, value = FORM, "".join(f"%{byte:02x}" for byte in value).encode()
    answer = client.post(path, data=whole(kind, field, value), content_type=kind)
    assert_problem(answer, 400, "bad_request")
    assert "UTF-8" in answer.get_json()["detail"]


@PATHS
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART, "percent"])
def test_a_field_name_that_is_not_utf8_is_refused(
    client: FlaskClient, path: str, kind: str
) -> None:
    name = b"user\xff"
    if kind == "percent":
        kind, name = FORM, b"user%ff"
    body = whole(kind).replace(b"username", name)
    assert_problem(client.post(path, data=body, content_type=kind), 400, "bad_request")


@PATHS
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"}", b"{'a':1}", b'{"username":"a",}', b"username=a", b"\xef\xbb\xbf{}", b"\0",
        json.dumps(DUMMY).encode("utf-16"), json.dumps(DUMMY).encode("utf-32-le"),
        b'{"username":NaN}', b'{"x":Infinity}', b'{"x":-Infinity}', b'{"x":' + b"9" * 5000 + b"}",
        b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"username":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"a":' * 9_000 + b"1" + b"}" * 9_000, b'{"username":"a\nb"}', b'{"username":"\\x"}',
    ],
    ids=range(20),
)  # fmt: skip
def test_broken_json_is_refused(client: FlaskClient, path: str, body: bytes) -> None:
    answer = client.post(path, data=body, content_type=JSON)
    assert_problem(answer, 400, "bad_request")
    assert "JSON" in answer.get_json()["detail"]


@PATHS
@pytest.mark.parametrize(("brackets", "code"), [(99, "validation_error"), (100, "bad_request")])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")], ids=["array", "object"])
def test_json_is_read_up_to_one_depth_on_every_python(
    client: FlaskClient, path: str, brackets: int, code: str, pair: tuple[bytes, bytes]
) -> None:
    nested = pair[0] * brackets + b"0" + pair[1] * brackets
    body = b'{"username":"' + rb"[{\"[{" * 100 + b'","other":' + nested + b"}"
    answer = client.post(path, data=body, content_type=JSON)
    assert (answer.status_code, answer.get_json()["code"]) == (400, code)


@PATHS
def test_json_nested_100_000_deep_is_too_large(client: FlaskClient, path: str) -> None:
    body = b'{"username":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    assert_problem(client.post(path, data=body, content_type=JSON), 413, "content_too_large")


@PATHS
@pytest.mark.parametrize("body", [[], [DUMMY], "text", 7, None, True])
def test_json_that_is_no_object_is_refused(client: FlaskClient, path: str, body: object) -> None:
    answer = client.post(path, data=json.dumps(body), content_type=JSON)
    assert_problem(answer, 400, "validation_error", "non_field_errors")


# --- the kind of body ----------------------------------------------------------------------------


@PATHS
@pytest.mark.parametrize(
    "kind", ["text/plain", "", "text/json", "application/xml", "multipart/mixed; boundary=X", "x"]
)
def test_another_kind_of_body_is_not_read(client: FlaskClient, path: str, kind: str) -> None:
    for body in (json.dumps(DUMMY), urlencode(DUMMY)):
        answer = client.post(path, data=body, headers=[("Content-Type", kind)] if kind else None)
        assert_problem(answer, 415, "unsupported_media_type")


BROKEN_MULTIPART = {
    "no boundary": (whole(MULTIPART), "multipart/form-data"),
    "an empty boundary": (whole(MULTIPART), "multipart/form-data; boundary="),
    "another boundary": (whole(MULTIPART), "multipart/form-data; boundary=Y"),
    "a boundary of 300": (whole(MULTIPART), f"multipart/form-data; boundary={'X' * 300}"),
    "a boundary of 201": (whole(MULTIPART).replace(b"X", b"X" * 201), MULTIPART + "X" * 200),
    "no end": (whole(MULTIPART).removesuffix(b"--X--\r\n"), MULTIPART),
    "an end within a value": (whole(MULTIPART)[:100], MULTIPART),
    "an end within a header": (whole(MULTIPART)[:30], MULTIPART),
    "a part without headers": (multipart(b"--X\r\n\r\nabc\r\n"), MULTIPART),
    "a part without a name": (multipart(b"--X\r\nContent-Type: x/y\r\n\r\na\r\n"), MULTIPART),
    "a header without a colon": (multipart(b"--X\r\nContent Disposition\r\n\r\na\r\n"), MULTIPART),
    "zeros": (b"\0" * 100, MULTIPART),
    "a urlencoded body": (whole(FORM), MULTIPART),
}  # fmt: skip


@PATHS
@pytest.mark.parametrize("body", BROKEN_MULTIPART.values(), ids=BROKEN_MULTIPART)
def test_broken_multipart_is_refused(
    client: FlaskClient, path: str, body: tuple[bytes, str]
) -> None:
    answer = client.post(path, data=body[0], content_type=body[1])
    assert_problem(answer, 400, "bad_request")
    assert "multipart" in answer.get_json()["detail"]


@EACH_FIELD
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
@pytest.mark.parametrize("second", [b"other", b""])
def test_a_field_sent_twice_is_refused(
    client: FlaskClient, path: str, field: str, kind: str, second: bytes
) -> None:
    name, value = field.encode(), DUMMY[field].encode()
    body = {
        JSON: b'{"%s":"%s",' % (name, second) + whole(JSON)[1:],
        FORM: b"%s=%s&" % (name, second) + whole(FORM),
        MULTIPART: part(field, second) + whole(MULTIPART),
    }[kind]
    assert value in body
    assert_problem(client.post(path, data=body, content_type=kind), 400, "bad_request")


@EACH_FIELD
def test_a_field_sent_as_text_and_as_a_file_is_refused(
    client: FlaskClient, path: str, field: str
) -> None:
    body = part(field, b"other", '; filename="cat.txt"') + whole(MULTIPART)
    assert_problem(client.post(path, data=body, content_type=MULTIPART), 400, "bad_request")


@PATHS
def test_fields_in_the_address_do_not_count(client: FlaskClient, path: str) -> None:
    answer = client.post(f"{path}?{urlencode(DUMMY)}")
    assert_problem(answer, 400, "validation_error", *FIELDS[path])


# --- chunks, on the real server ------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with run_server(tmp_path_factory.mktemp("server"), url, WORKERS="1") as server:
        yield server


def send_chunked(server: Server, path: str, kind: str, body: bytes) -> tuple[int, str, str]:
    connection = HTTPConnection(server.url.removeprefix("http://"), timeout=20)
    pieces = (body[at : at + 5000] for at in range(0, len(body), 5000))
    with suppress(ConnectionError):  # a server may refuse before it has heard everything
        connection.request("POST", path, pieces, {"Content-Type": kind}, encode_chunked=True)
    answer = connection.getresponse()
    code = json.loads(answer.read())["code"]
    connection.close()
    return answer.status, answer.headers["Content-Type"], code


@pytest.mark.system
@PATHS
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
def test_a_chunked_body_is_read(server: Server, path: str, kind: str) -> None:
    body = whole(kind, "password", b"") + b" " * 12_000 * (kind == JSON)
    status, shape, code = send_chunked(server, path, kind, body)
    assert (status, shape, code) == (400, "application/problem+json", "validation_error")


@pytest.mark.system
@PATHS
@pytest.mark.parametrize("kind", [JSON, FORM, MULTIPART])
def test_ten_megabytes_in_chunks_are_too_large(server: Server, path: str, kind: str) -> None:
    status, shape, code = send_chunked(server, path, kind, whole(kind, "password", MEGABYTES))
    assert (status, shape, code) == (413, "application/problem+json", "content_too_large")


# --- a person's browser --------------------------------------------------------------------------


@PATHS
@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [(b"[]", JSON, 400), (b"\xff", FORM, 400), (b"\0", MULTIPART, 400), (b"a", "text/plain", 400),
     (MEGABYTES, FORM, 413), (b"&" * 60_000, FORM, 400)],
    ids=["JSON", "not UTF-8", "broken multipart", "text", "10 MB", "60,000 fields"],
)  # fmt: skip
def test_a_browser_gets_a_page_for_it(
    client: FlaskClient, path: str, body: bytes, kind: str, status: int
) -> None:
    answer = client.post(path, data=body, content_type=kind, headers=BROWSER)
    assert (answer.status_code, answer.mimetype) == (status, "text/html")


# --- anything ------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from([*DUMMY, "id", "csrf_token", "next"]) | st.text(max_size=5)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5).map(lambda body: json.dumps(body).encode())
FORMS = st.lists(st.tuples(NAMES, st.binary(max_size=20)), max_size=5)
PARTS = st.lists(st.binary(max_size=80).map(lambda b: b"--X\r\n" + b), max_size=4).map(b"".join)
BODIES = st.one_of(
    st.tuples(st.just(JSON), OBJECTS | st.binary(max_size=200)),
    st.tuples(st.just(FORM), FORMS.map(lambda f: urlencode(f, errors="replace").encode())),
    st.tuples(st.just(FORM), st.binary(max_size=200)),
    st.tuples(st.just(MULTIPART), FORMS.map(lambda f: multipart(*(part("f", v) for _, v in f)))),
    st.tuples(st.just(MULTIPART), PARTS),
    st.tuples(st.text(st.characters(codec="latin-1", exclude_categories=["C"])), st.binary()),
)


def assert_answered(answer: TestResponse) -> None:
    assert 400 <= answer.status_code < 500
    assert answer.content_type == "application/problem+json"


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(list(FIELDS)), sent=BODIES)
def test_no_body_breaks_the_service(
    client: FlaskClient, path: str, sent: tuple[str, bytes]
) -> None:
    assert_answered(client.post(path, data=sent[1], headers=[("Content-Type", sent[0])]))


@settings(max_examples=200, deadline=None)
@given(fields=st.fixed_dictionaries({"username": st.text(), "password": st.text()}))
def test_no_text_breaks_a_login(client: FlaskClient, fields: dict[str, str]) -> None:
    assert_answered(client.post("/login", data=json.dumps(fields), content_type=JSON))


def test_a_heap_of_accents_is_not_put_in_order(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes the square of their number, whatever the limits are."""
    lengths, real = [0], unicodedata.normalize

    def normalize(form: Any, text: str) -> str:
        lengths.append(len(text))
        return real(form, text)

    monkeypatch.setattr(unicodedata, "normalize", normalize)
    heap = "a" + "\u0345\u0315\u0316" * 3000
    for path in ("/login", "/api/auth/login/"):
        assert client.post(path, json=DUMMY | {"username": heap}).status_code == 401
        assert client.post(path, json=DUMMY | {"password": heap}).status_code == 401
    for fields in ({"username": heap}, {"password": heap}, {"email": f'"{heap}" <a@b.org>'}):
        answer = client.post("/register", json=DUMMY | fields)
        assert_problem(answer, 400, "validation_error", *fields)
    assert max(lengths) < 300
