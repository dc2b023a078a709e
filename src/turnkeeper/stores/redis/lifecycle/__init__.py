"""How conversations end, come back from what is left of them, and move in and out."""
