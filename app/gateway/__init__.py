"""A process beside the server for clients that do not speak HTTP: Wyoming, and WebSocket for text that is still being written.

It has no voice. It asks the server's HTTP API for speech, so that admission, fairness, limits and rollouts are the server's.
"""
