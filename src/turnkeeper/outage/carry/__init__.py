"""The policy `carry_on`: conversations that go on on this machine, and their way back into the store."""
