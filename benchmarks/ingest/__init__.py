"""Parts of the intake benchmark: who sends, and the three servers that take."""
