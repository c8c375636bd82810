//! Which schemas exist, and which records obey them?
