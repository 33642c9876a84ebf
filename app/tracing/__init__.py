"""Tracing with OpenTelemetry, if its variables and packages are there: one span a request, sent by each worker for itself."""
