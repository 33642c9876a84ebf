"""The files of the page: content types, security headers, caching, and references among themselves only."""

import re

import pytest
from flask import Flask

import app.web
from app.web import page

FOLDER = app.web._FOLDER
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in app.web._TYPES)
#: Of the server, relative to the page; the first is the page itself.
ROUTES = ("", "openapi.json", "reference")
#: A reference to another file, relative to the page or to the file itself.
REFERENCE = re.compile(r"""(?:href|src)="([^"]*)"|from "([^"]*)"|import\("?([^)"]*)|\burl\(["']?([^)"']*)""")


@pytest.fixture(scope="module")
def client():
    flask = Flask("page", static_folder=None)
    flask.register_blueprint(page)
    return flask.test_client()


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_its_type_and_a_strict_policy(client, name):
    answer = client.get(f"/page/{name}")

    assert 200 == answer.status_code
    assert (FOLDER / name).read_bytes() == answer.data
    expected = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    assert expected[name.rpartition(".")[2]] == answer.mimetype
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "*" not in policy and ":" not in policy
    assert ("nosniff", "no-cache") == (answer.headers["X-Content-Type-Options"], answer.headers["Cache-Control"])


def test_the_root_is_the_page(client):
    assert (FOLDER / "index.html").read_bytes() == client.get("/").data


def test_a_known_etag_gets_304(client):
    first = client.get("/")
    again = client.get("/", headers={"If-None-Match": first.headers["ETag"]})
    other = client.get("/", headers={"If-None-Match": '"another"'})

    assert (304, b"") == (again.status_code, again.data)
    assert first.headers["ETag"] == again.headers["ETag"]
    assert first.data == other.data


@pytest.mark.parametrize(
    "path", ["__init__.py", "none.js", ".html", "..%2fserver.py", "%2e%2e/server.py", "../page/page.js", "__pycache__", "a/b.js"]
)
def test_other_paths_are_404(client, path):
    assert 404 == client.get(f"/page/{path}").status_code


@pytest.mark.parametrize("name", FILES)
def test_every_reference_is_to_a_file_of_the_page(name):
    text = (FOLDER / name).read_text()
    named = [each.removeprefix("./").removeprefix("page/") for groups in REFERENCE.findall(text) if (each := "".join(groups))]

    assert [] == [each for each in named if each not in {*FILES, *ROUTES}]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".html")])
def test_scripts_and_styles_are_never_inline(name):
    text = (FOLDER / name).read_text()

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", text)
    assert all('src="' in tag for tag in re.findall(r"<script[^>]*>", text))


def test_the_package_data_include_every_file():
    distribution = pytest.importorskip("setuptools").Distribution()
    distribution.parse_config_files(["setup.cfg"])
    build = distribution.get_command_obj("build_py")
    build.ensure_finalized()

    carried = next(names for package, _, _, names in build.data_files if package == "app.web")
    assert FILES == sorted(carried)
