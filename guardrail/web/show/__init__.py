"""Values made fit for a page and for a person who decides by it."""
