//! Functions: their events, their replies, and the ways to reach them.

mod custom;
mod events;
mod failures;
mod remote;
mod streams;
mod support;
mod typed;
mod versions;
