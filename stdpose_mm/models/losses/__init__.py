"""Losses."""

from .foreground_kl_loss import ForegroundKLLoss
from .foreground_mse_loss import ForegroundMSELoss
from .mutual_information_loss import MutualInformationLoss

__all__ = ['ForegroundKLLoss', 'ForegroundMSELoss', 'MutualInformationLoss']
