// Keys, live updates and countdowns. Every page works without it.
