"""Text and JSON for people and scripts: the only place that knows colour and width."""
