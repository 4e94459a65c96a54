"""The processes of one run: how they were started, and all that they say to each other."""
