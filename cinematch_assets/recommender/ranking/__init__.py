"""Top-N recommendations: ``ranker`` is the entry point, the other modules are its parts.

Every trainer is ``fit_x(train, catalogue, config, rng, progress)``. ``fit_ranker`` takes ``train`` as ratings and makes
their user histories once; its parts take ``train`` as these histories. A part that needs no catalogue, or draws no
random numbers, ignores that argument.
"""
