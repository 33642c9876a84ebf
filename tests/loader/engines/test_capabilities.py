"""loader.engines: every engine states what it can do, before its libraries are imported."""

from loader.artifacts.artifact import ENGINES
from tests.loader.children import answer_of


def test_every_engine_states_its_capabilities_without_its_libraries():
    found, imported = answer_of("""
        import importlib, json, sys
        modules = {name: importlib.import_module(f"loader.engines.{name}") for name in sys.argv[1:]}
        capabilities = {name: [each.CAPABILITIES.uses_device, each.CAPABILITIES.speaks_whole] for name, each in modules.items()}
        print(json.dumps([capabilities, [name for name in ("onnxruntime", "torch", "TTS") if name in sys.modules]]))
        """, *ENGINES)

    assert {"onnx": [False, False], "pytorch": [True, False], "coqui": [True, True]} == found
    assert [] == imported
