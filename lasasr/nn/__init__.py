"""What models are built from: lengths and masks, trees of tensors, computations shared by the steps of a loop."""
