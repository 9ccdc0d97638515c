"""Count the tokens of responses in transcripts, each response once."""
