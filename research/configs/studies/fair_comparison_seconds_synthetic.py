# The same in equal time: every model takes the steps that fit, by a timing of each before.
_base_ = 'fair_comparison_synthetic.py'

title = 'Window models on generated clips, equal seconds'
budget = 'seconds'
seconds = 400
