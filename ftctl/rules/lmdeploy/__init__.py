"""LMDeploy's rules, by subject."""
