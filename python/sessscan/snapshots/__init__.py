"""Keep the bytes of healthy rows, so that a lost row can be put back as it was."""
