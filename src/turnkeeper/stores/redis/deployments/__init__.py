"""The wire to where Redis runs: one server, a primary that sentinels watch, or a cluster."""
