"""What transcripts said when they were last scanned."""
