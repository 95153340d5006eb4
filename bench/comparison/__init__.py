"""Models beside each other on the same users: paired differences, tie groups, Pareto fronts."""
