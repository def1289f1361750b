//! Resources, methods and routes, matched as Amazon API Gateway matches them.
//!
//! A table of routes is compiled once; a look-up borrows it and the path, and allocates nothing.
//!
//! ```
//! use http::Method;
//! use portcullis_routing::{Miss, RestRoutes};
//!
//! let routes = RestRoutes::builder()
//!     .route("GET", "/pets", "list")
//!     .route("POST", "/pets", "add")
//!     .route("GET", "/pets/{id}", "show")
//!     .route("ANY", "/{proxy+}", "everything else")
//!     .build()?;
//!
//! let found = routes.find(&Method::GET, "/pets/7%2F8/").expect("a route");
//! assert_eq!(*found.value(), "show");
//! assert_eq!(found.template().as_str(), "/pets/{id}");
//! assert_eq!(found.parameter("id"), Some("7%2F8"));
//!
//! // `/pets` has no DELETE. That blocks nothing: the greedy resource has it.
//! let found = routes.find(&Method::DELETE, "/pets").expect("a route");
//! assert_eq!(found.parameter("proxy"), Some("pets"));
//!
//! // A greedy variable holds at least one part, so `/` needs a route of its own.
//! assert_eq!(routes.find(&Method::GET, "/").err(), Some(Miss::Path));
//! # Ok::<(), portcullis_routing::RouteErrors>(())
//! ```
//!
//! [`HttpRoutes`] is the same for HTTP APIs and their route keys.
//!
//! All that is wrong with a table is said at once:
//!
//! ```
//! use portcullis_routing::RestRoutes;
//!
//! let faults = RestRoutes::builder()
//!     .route("GET", "/pets/{id}", ())
//!     .route("GET", "/pets/{name}/toys", ())
//!     .route("FETCH", "/pets", ())
//!     .build()
//!     .expect_err("two faults");
//! assert_eq!(
//!     faults.to_string(),
//!     "GET /pets/{name}/toys: `/pets` has the variable `{id}` already, `{name}` would be a second one; \
//!      call both `{id}`\n\
//!      FETCH /pets: a method is one of seven verbs, or ANY; \
//!      use DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT or ANY, in upper case"
//! );
//! ```
//!
//! # Semantics
//!
//! Of both kinds of API:
//!
//! - Paths are matched raw, byte by byte and in their case. `%2F` makes no part, `%61` is not `a`, and `.` and `..` are
//!   parts like any other. Values are handed out as the client wrote them.
//! - Slashes at the front of a path count as one: `//a` is matched as `/a`. Doubled slashes further in are an empty
//!   part, which no static part and no variable matches; a greedy variable takes it and keeps it.
//! - Seven verbs exist, and `ANY` stands for exactly those. `HEAD` is not implied by `GET`. On one resource a verb's
//!   own method goes before `ANY`; it does not make a less specific path win.
//! - A path that does not begin with a slash, such as the `*` of `OPTIONS *`, fits no resource (at most a `$default`); an empty
//!   one is `/`.
//!
//! Of REST APIs ([`RestRoutes`]):
//!
//! - At each level a static part goes before `{variable}`, and that before `{greedy+}`. A branch that does not end at a
//!   resource with a usable method is left again, for the next one of that level and then of the level above.
//! - Slashes at the end of a path are ignored, and are no part of a greedy variable's value.
//!
//! Of HTTP APIs ([`HttpRoutes`]):
//!
//! - Routes that match part by part go before greedy ones, wherever they stand; then `$default`. Within each of the
//!   three, static parts go before variables, level by level.
//! - A slash at the end of a path counts: `/pets/` is not `GET /pets`. A greedy variable below the root takes it, with
//!   an empty value (observed, not documented: `GET /pets/{proxy+}` is the known way to catch `/pets/`).
//! - `$default` takes the seven verbs too, and no other.
//!
//! # Caveats
//!
//! Going back costs steps: at worst a look-up visits every resource that is no deeper than the path is long, each once
//! (twice for an HTTP API, and once more to tell a wrong method from a wrong path). It takes a tree with a static and a
//! variable twin on every level to get there. Branches without the request's verb are not entered.
//!
//! A stage, a base path and a query are the caller's to cut off before a path comes here.
//!
//! # Features
//!
//! None.

mod error;
mod http_api;
mod method;
mod outcome;
mod rest;
mod route_key;
mod template;
mod tree;

pub use self::error::{RouteError, RouteErrors, RouteRule};
pub use self::http_api::{HttpMatch, HttpRoutes, HttpRoutesBuilder};
pub use self::method::{Methods, RouteMethod, UnknownMethod};
pub use self::outcome::{Match, Miss, Nearest};
pub use self::rest::{RestRoutes, RestRoutesBuilder};
pub use self::route_key::RouteKey;
pub use self::template::{Parameters, PathTemplate};
