"""A meal planner by text message: a week of dinners from what is in the farm box.

The conversation with one phone number is the truth: every change of it is a turn, and nothing else writes to it.
"""
