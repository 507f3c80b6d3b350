"""HTTP in: the wire's words into commands, answers and refusals back onto the wire."""
