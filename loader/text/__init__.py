"""The text side: text to sentences to phonemes to ids, as Coqui does it, without torch."""
