"""How a plan comes about: what is there, what could be cooked, which dinners win, and what a change does to them."""
