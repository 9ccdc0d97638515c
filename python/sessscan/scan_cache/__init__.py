"""Keep what transcripts said when they were last scanned, so that only what is new of them is read again."""
