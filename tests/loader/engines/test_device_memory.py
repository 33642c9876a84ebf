"""loader.engines.device_memory: what a process has of a device, asked of a library that is there already."""

import sys
from types import SimpleNamespace

import pytest

from loader.engines.device_memory import allocated_bytes


def library(is_initialized, *allocated):
    """Return what this module uses of torch, over devices that have so much handed out."""
    cuda = SimpleNamespace(
        is_initialized=lambda: is_initialized, device_count=lambda: len(allocated), memory_allocated=allocated.__getitem__
    )
    return SimpleNamespace(cuda=cuda)


def test_all_devices_are_counted(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", library(True, 1000, 200))

    assert 1200 == allocated_bytes()


@pytest.mark.parametrize("torch", [None, library(False, 1000)])
def test_a_process_without_a_device_has_none_of_its_memory(torch, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", torch)

    assert allocated_bytes() is None
