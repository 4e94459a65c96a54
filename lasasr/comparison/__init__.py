"""Runs become systems, systems a comparison: plain values for the terminal, a README and the HTML page."""
