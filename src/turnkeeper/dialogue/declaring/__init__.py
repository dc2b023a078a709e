"""What a flow is made of, as it is declared: handlers and jobs by their decorators, kept as plain data."""
