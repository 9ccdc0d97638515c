"""Measure sessscan and its peers side by side, on data made from a seed; started by `../run.py`."""
