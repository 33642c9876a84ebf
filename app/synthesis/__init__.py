"""One request from checked fields to encoded audio. Knows no HTTP."""
