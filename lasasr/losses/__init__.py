"""What training minimises: one contract, one file per loss."""
