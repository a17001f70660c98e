"""Losses."""

from .foreground_mse_loss import ForegroundMSELoss
from .mutual_information_loss import MutualInformationLoss

__all__ = ['ForegroundMSELoss', 'MutualInformationLoss']
