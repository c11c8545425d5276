//! Upgrades as tables and as random stories.
