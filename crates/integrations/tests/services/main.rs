//! AWS services: what they are asked, as whom, and what becomes of their answers.

mod actions;
mod credentials;
mod subtypes;
mod support;
