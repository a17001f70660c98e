# The fair comparison in equal time: each model is timed first and then takes the steps that fit.
_base_ = 'fair_comparison_synthetic.py'

title = 'Window models on generated clips, equal seconds'
budget = 'seconds'
seconds = 400
