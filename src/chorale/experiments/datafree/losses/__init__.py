"""What training minimises, one family a file. Each loss is a SUM over samples, to be divided by the GLOBAL batch.

A loss of the whole batch at once (an entropy of its mean, a logarithm of its mean) counts for every sample alike: it is
multiplied by the samples of this rank's slice. Its sums over ranks come from
:func:`~chorale.ranks.reduce.sum_over_ranks`, through which gradients flow; so the ranks' losses, each divided by
the global batch and then summed, are the loss of one process, and so are the gradients.
"""
