"""Watch the stores: keep rows as they are saved, report those that are lost, and put them back if asked."""
