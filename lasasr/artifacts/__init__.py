"""What the toolkit writes and reads back: files, run folders, sweeps, results, bundles."""
