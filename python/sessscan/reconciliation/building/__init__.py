"""The bytes of a row that is put back."""
