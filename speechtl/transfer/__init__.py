"""Transfer methods, one file per way of borrowing experience."""
