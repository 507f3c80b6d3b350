"""Use cases as phases: each phase is one commit or one call, and returns what comes next."""
