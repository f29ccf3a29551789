"""Services that translate, and the chain in which one stands in for another."""
