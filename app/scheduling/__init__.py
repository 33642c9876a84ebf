"""Which request may use the processor, and for how long its client is waited for."""
