"""The processes of one run: how they were started, and how they exchange results."""
