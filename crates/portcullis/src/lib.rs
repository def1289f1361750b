//! The powers of a managed API gateway, in your own process.
