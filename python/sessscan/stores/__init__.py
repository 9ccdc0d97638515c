"""Find the stores and transcripts of a machine and read what their files say."""
