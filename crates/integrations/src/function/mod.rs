//! Functions: how they are found, what they are sent, and what their replies mean.

mod action;
mod event_v1;
mod event_v2;
mod proxy;
mod registry;
mod remote;
mod reply;
mod target;

use event_v1::event_v1;
use event_v2::event_v2;
use reply::{reply_v1, reply_v2};

pub(crate) use target::FunctionUri;

pub use action::LambdaAction;
pub use proxy::{FunctionProxy, PayloadFormat};
pub use registry::{Functions, FunctionsBuilder};
