"""Text to sentences to phonemes to ids, as Coqui does it, without torch."""
