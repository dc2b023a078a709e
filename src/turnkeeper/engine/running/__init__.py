"""How a turn runs: messages that were granted become a run of the flow, and its draft a commit."""
