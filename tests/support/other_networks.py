"""The real voice over networks that do something else besides: for applications of tests."""

import dataclasses

from app import wsgi
from loader.config.settings import Settings
from loader.engines.onnx import OnnxNetworks
from loader.voices.catalog import Catalog


def open_with(networks: type[OnnxNetworks], settings: Settings) -> Catalog:
    """Open the configured voices, each over its own graphs through `networks`."""
    catalogue = wsgi.open_voices(settings)
    for voice in catalogue.voices:
        parts = voice.open()
        other = networks.__new__(networks)
        other.__dict__.update(parts.engine.networks.__dict__)
        voice._parts = dataclasses.replace(parts, engine=dataclasses.replace(parts.engine, networks=other))
    return catalogue
