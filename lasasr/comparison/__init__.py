"""Groups runs into systems and compares the systems; plain values for the terminal, a README and the HTML page."""
