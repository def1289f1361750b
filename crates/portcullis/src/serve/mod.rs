//! A listener.
