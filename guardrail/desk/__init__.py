"""Where a call that was assessed is let through, once, or held: what adapters share."""
