"""How declared phrases are found in an utterance, and how well each intent fits it."""
