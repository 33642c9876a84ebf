"""Requests to audio. Imports `loader`; never torch, TTS or onnxruntime."""
