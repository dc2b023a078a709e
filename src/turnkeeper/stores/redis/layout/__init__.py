"""What stands in Redis: key names, the head of a conversation, the envelope of a state, and what scripts answer."""
