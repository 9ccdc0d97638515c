"""Keep what transcripts said when they were last scanned, so that only what is new of them is read again."""

USE_INDEX = False
"""The default of every `index` parameter. With `index` only what is new of the transcripts is read, and what
they say is kept in sessscan's state folder. The library writes there only when told to; the command line does
unless `--no-index` is given."""
