"""How good predicted poses are.

``functional`` computes every figure from plain label structures and needs neither torch nor
MMPose; ``metrics`` wraps it for the MMEngine runner and is imported where the package registers
its classes.
"""
