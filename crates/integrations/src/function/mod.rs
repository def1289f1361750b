//! Functions: where they are, what they are given, and what they give back.

mod action;
mod alias;
mod builder;
mod event;
mod event_stream;
mod event_v1;
mod event_v2;
mod http_service;
mod invoke_api;
mod lambda;
mod local;
mod proxy;
mod registry;
mod remote;
mod reply;
mod stream_reply;
mod target;
mod typed;

pub(crate) use event::{authorizer, client_cert, spelled};

pub use {
    action::LambdaAction,
    alias::FunctionAlias,
    builder::FunctionsBuilder,
    proxy::{FunctionProxy, PayloadFormat},
    registry::Functions,
    target::{FunctionTarget, FunctionUri},
};
