//! Functions: where they are, what they are given, and what they give back.

mod action;
mod event;
mod event_v1;
mod event_v2;
mod proxy;
mod registry;
mod remote;
mod reply;
mod target;

pub(crate) use event::{authorizer, client_cert, spelled};

pub use {
    action::LambdaAction,
    proxy::{FunctionProxy, PayloadFormat},
    registry::{Functions, FunctionsBuilder},
    target::{FunctionTarget, FunctionUri},
};
