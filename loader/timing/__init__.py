"""When each word and phoneme is heard."""
