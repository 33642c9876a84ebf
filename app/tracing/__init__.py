"""OpenTelemetry, for whoever sets its variables and has its packages: one span a request, sent by each worker for itself."""
