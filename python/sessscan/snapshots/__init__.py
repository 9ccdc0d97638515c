"""Rows kept while they are healthy."""
