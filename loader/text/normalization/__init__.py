"""Text normalization: from written text to spoken text, aligned character by character."""
