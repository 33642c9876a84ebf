"""What tests of releases share."""

import os

import pytest


@pytest.fixture
def quick_folder(tmp_path, monkeypatch):
    """A folder where nothing waits for the disk: a process that is killed, unlike a machine, loses nothing that it wrote."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return tmp_path
