//! Several machines over a real Redis, in both conducts and with both stores: what one does the others see, whatever happens to the server and to the way there.

mod away;
mod http;
mod machine;
mod relay;
