"""Keep what transcripts hold, so that one that is swept, cut, zeroed or rewritten can be put back."""
