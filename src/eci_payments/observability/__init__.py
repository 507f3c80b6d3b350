"""What the service says about itself: logs that hide what must be hidden, whose request it is, and metrics."""
