"""Error rates, their confidence intervals and system comparison."""
