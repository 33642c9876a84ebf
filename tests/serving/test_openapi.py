"""/openapi.json: what it says about paths, fields, bounds, examples and errors is true of the server."""

import json
import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.app import BLUEPRINTS
from app.api.fields import Body, CaptionsBody
from app.api.openapi import OPERATIONS, openapi_document
from loader.config.validation import keys_of

CHOIR = ("joe", "choir")
DOCUMENT = openapi_document()
SPEECH = DOCUMENT["components"]["schemas"]["Body"]["properties"]
#: Routes that are no part of the API: the page and its files.
PAGES = {"/", "/page/{name}", "/reference"}


def inner(schema):
    """Return the schema of a field without null."""
    return next(each for each in schema["anyOf"] if each != {"type": "null"}) if "default" in schema else schema


def bounded():
    for name, schema in SPEECH.items():
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in inner(schema):
                value = inner(schema)[bound] + step
                # -1 draws a seed, as in other servers.
                value += step if value in (keys_of(Body)[name].declaration.extra("unset") or ()) else 0
                yield pytest.param(name, value, id=f"{name} {bound}")


def test_the_document_is_openapi_3_1():
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_the_server_returns_it(choir):
    assert json.loads(json.dumps(DOCUMENT)) == choir.ask("GET", "/openapi.json").json()


def test_it_has_every_route_and_no_other():
    from flask import Flask

    flask = Flask("routes")
    for blueprint in BLUEPRINTS:
        flask.register_blueprint(blueprint)
    rules = [rule for rule in flask.url_map.iter_rules() if rule.endpoint != "static"]
    routes = {(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower()) for rule in rules for method in rule.methods}
    described = {(path, method) for path, methods in OPERATIONS.items() for method in methods}

    assert described == {(path, method) for path, method in routes if method not in ("head", "options") and path not in PAGES}


def test_every_field_of_a_body_has_a_meaning_and_an_example():
    for kind in (Body, CaptionsBody):
        properties = DOCUMENT["components"]["schemas"][kind.__name__]["properties"]
        assert list(keys_of(kind)) == list(properties)
        assert all(inner(schema)["description"] and inner(schema)["examples"] for schema in properties.values())


@pytest.mark.parametrize("name", SPEECH)
def test_the_example_of_every_field_is_accepted(choir, name):
    (example,) = inner(SPEECH[name])["examples"]
    voice = {"voice": "choir"} if name in ("speaker", "language") else {}
    answer = choir.ask("POST", "/v1/audio/speech", {"input": "Hello.", **voice, name: example})

    assert 200 == answer.status, answer.body
    assert "X-Ignored-Fields" not in answer.headers


@pytest.mark.parametrize(("name", "value"), list(bounded()))
def test_a_value_beyond_a_bound_is_refused(choir, name, value):
    answer = choir.ask("POST", "/v1/audio/speech", {"input": "Hello.", name: value})

    assert (400, name) == (answer.status, answer.json()["error"]["param"])


@pytest.mark.parametrize("title", ["simple", "repeatable", "streamed with times"])
def test_every_example_of_a_body_is_accepted(choir, title):
    speech = DOCUMENT["paths"]["/v1/audio/speech"]["post"]
    body = speech["requestBody"]["content"]["application/json"]["examples"][title]["value"]
    answer = choir.ask("POST", "/v1/audio/speech", body)

    assert 200 == answer.status, answer.body
    assert answer.headers["Content-Type"].partition(";")[0] in speech["responses"]["200"]["content"]


@pytest.mark.parametrize("path", [path for path, methods in OPERATIONS.items() if "get" in methods])
def test_every_get_without_parameters_answers_with_a_described_status_and_type(choir, path):
    responses = DOCUMENT["paths"][path]["get"]["responses"]
    answer = choir.ask("GET", path.replace("{name}", "joe"))

    assert str(answer.status) in responses
    assert answer.headers["Content-Type"].partition(";")[0] in (*responses[str(answer.status)]["content"], "text/plain")
    if answer.status == 400 and path.startswith("/v1"):
        assert {"message", "type", "param", "code"} == set(answer.json()["error"])


def test_a_get_of_audio_has_parts_and_tags(choir):
    path = "/v1/audio/speech?input=Hello.&response_format=wav"
    whole, part = choir.ask("GET", path), choir.ask("GET", path, headers={"Range": "bytes=0-43"})
    kept = choir.ask("GET", path, headers={"If-None-Match": whole.headers["ETag"]})

    assert [200, 206, 304] == [whole.status, part.status, kept.status]
    assert {"200", "206", "304", "412", "416"} <= set(DOCUMENT["paths"]["/v1/audio/speech"]["get"]["responses"])
