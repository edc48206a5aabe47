"""The evidence: what pruning plus rtmc buys on this machine, against what else could be used, and how far it is from the limit."""
