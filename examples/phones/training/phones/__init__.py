"""A phone recogniser on real speech: trained, pruned with rtmc.pruning, judged, exported."""
