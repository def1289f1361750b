//! Issuers and makers of tokens that are not ours: `oauth2-mock-server` with `jose` of npm, and PyJWT.
//!
//! `cargo xtask test` installs them; without them the tests say that they are left out.

mod load;
mod minted;
