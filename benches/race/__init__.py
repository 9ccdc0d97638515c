"""The race: sessscan and its peers, side by side, on data made from a seed. `../run.py` starts it."""
