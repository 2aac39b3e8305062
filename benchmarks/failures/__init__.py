"""Parts of the failure table: the systems, what is done to them, and what is counted."""
