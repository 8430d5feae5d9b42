"""The operator's pages of this room."""

from holders.admin.balances import HolderAdmin, HolderUpdateAdmin, SnapshotAdmin
from holders.admin.credits import CreditsAdmin
from holders.admin.jobs import JobAdmin
from holders.admin.wallets import ClusterAdmin, QualityAdmin, WalletAdmin

__all__ = [
    "ClusterAdmin",
    "CreditsAdmin",
    "HolderAdmin",
    "HolderUpdateAdmin",
    "JobAdmin",
    "QualityAdmin",
    "SnapshotAdmin",
    "WalletAdmin",
]
