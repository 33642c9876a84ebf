"""loader.text.isolated_import: import a few modules of a package without importing the package."""

import sys
import weakref
from types import ModuleType

import pytest

from loader.text.isolated_import import import_privately

ROOT = "whole_package"


def reader(**sources):
    """Return a reader of sources by dotted name, given with `__` for the dots."""
    named = {name.replace("__", "."): source.encode() for name, source in sources.items()}
    return named.get


def modules_of_root():
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == ROOT}


def test_a_deep_module_is_imported_from_its_source():
    (deep,) = import_privately(ROOT, [f"{ROOT}.a.b.deep"], reader(whole_package__a__b__deep="VALUE = 7"))

    assert 7 == deep.VALUE


def test_modules_import_each_other():
    read = reader(whole_package__a__one="from .two import VALUE", whole_package__a__two="VALUE = __name__")

    assert f"{ROOT}.a.two" == import_privately(ROOT, [f"{ROOT}.a.one"], read)[0].VALUE


def test_no_module_of_the_root_stays_in_sys_modules():
    path = list(sys.meta_path)

    import_privately(ROOT, [f"{ROOT}.a.one"], reader(whole_package__a__one="import json"))

    assert {} == modules_of_root()
    assert path == sys.meta_path


def test_modules_that_were_imported_before_are_restored(monkeypatch):
    real, child = ModuleType(ROOT), ModuleType(f"{ROOT}.a")
    monkeypatch.setitem(sys.modules, ROOT, real)
    monkeypatch.setitem(sys.modules, f"{ROOT}.a", child)

    (private,) = import_privately(ROOT, [f"{ROOT}.a"], reader(whole_package__a="VALUE = 1"))

    assert private is not child
    assert {ROOT: real, f"{ROOT}.a": child} == modules_of_root()


def test_a_package_with_a_similar_name_is_not_affected(monkeypatch):
    neighbour = ModuleType(f"{ROOT}_two")
    monkeypatch.setitem(sys.modules, f"{ROOT}_two", neighbour)
    read = reader(whole_package__a=f"import {ROOT}_two as VALUE")

    assert import_privately(ROOT, [f"{ROOT}.a"], read)[0].VALUE is neighbour


def test_two_versions_can_be_loaded_together():
    function = "from .b import VERSION\ndef version(): return VERSION"
    old, new = (
        import_privately(
            ROOT, [f"{ROOT}.a"], reader(whole_package__a=function, whole_package__b=f"VERSION = {version}")
        )[0]
        for version in (1, 2)
    )

    assert (1, 2) == (old.version(), new.version())


def test_a_module_that_fails_leaves_no_module_behind(monkeypatch):
    real = ModuleType(ROOT)
    monkeypatch.setitem(sys.modules, ROOT, real)
    path = list(sys.meta_path)
    read = reader(whole_package__a="import whole_package.b", whole_package__b="raise ImportError('no such thing')")

    with pytest.raises(ImportError, match="no such thing"):
        import_privately(ROOT, [f"{ROOT}.a"], read)

    assert {ROOT: real} == modules_of_root()
    assert path == sys.meta_path


def test_a_syntax_error_names_the_module():
    with pytest.raises(SyntaxError) as caught:
        import_privately(ROOT, [f"{ROOT}.a"], reader(whole_package__a="def"))

    assert f"<{ROOT}.a>" == caught.value.filename
    assert {} == modules_of_root()


class Sources:
    """A reader that may be gone."""

    def __call__(self, name):
        return reader(whole_package__a="VALUE = 1")(name)


def test_an_imported_module_does_not_keep_the_sources():
    sources = Sources()
    (module,) = import_privately(ROOT, [f"{ROOT}.a"], sources)
    gone = weakref.ref(sources)
    del sources

    assert (1, None) == (module.VALUE, gone())
