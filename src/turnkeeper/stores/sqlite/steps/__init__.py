"""What happens inside one write transaction: each function is one transition, validates first and then writes."""
