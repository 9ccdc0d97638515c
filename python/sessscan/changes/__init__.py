"""Any change to a user's files: planned, applied, taken back."""
