"""Print results: text for people, JSON and CSV for scripts. No other package uses rich."""
