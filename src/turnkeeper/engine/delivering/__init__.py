"""How deliveries leave: replies by channel, jobs, timers and forwarded messages, and how each one fared."""
