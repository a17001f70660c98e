"""Losses."""

from .foreground_losses import ForegroundKLLoss, ForegroundMSELoss
from .mutual_information_loss import MutualInformationLoss

__all__ = ['ForegroundKLLoss', 'ForegroundMSELoss', 'MutualInformationLoss']
