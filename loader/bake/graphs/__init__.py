"""The three graphs of a VITS voice, built from its weights with numpy and onnx alone."""
