//! What a look-up answers.

use std::error::Error;
use std::fmt;

use crate::method::RouteMethod;
use crate::template::{Parameters, PathTemplate};

/// The route that a request takes in a REST API. It borrows the routes (`'r`) and the path (`'p`).
#[derive(Debug)]
pub struct Match<'r, 'p, T> {
    pub(crate) template: &'r PathTemplate,
    pub(crate) method: RouteMethod,
    pub(crate) value: &'r T,
    pub(crate) path: &'p str,
}

/// Why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a route is a path and a method")]
pub enum Miss {
    /// Nothing is at this path.
    Path,
    /// Something is at this path, but not for this method.
    Method,
}

/// The route that a request without one most likely meant.
#[derive(Debug)]
pub struct Nearest<'r, T> {
    route: &'r str,
    value: &'r T,
}

impl<'r, 'p, T> Match<'r, 'p, T> {
    /// What was given for the route when it was added.
    #[must_use]
    pub fn value(&self) -> &'r T {
        self.value
    }

    /// The resource's path. A clone of it, with the path, answers parameters after the match is gone.
    #[must_use]
    pub fn template(&self) -> &'r PathTemplate {
        self.template
    }

    /// The resource's method: the request's own, or [`RouteMethod::Any`].
    #[must_use]
    pub fn method(&self) -> RouteMethod {
        self.method
    }

    /// What a path variable holds: raw, as the client wrote it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'p str> {
        self.template.parameter(self.path, name)
    }

    /// The path variables with what they hold, left to right.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'r, 'p> {
        self.template.parameters(self.path)
    }
}

impl<T> Clone for Match<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Match<'_, '_, T> {}

impl fmt::Display for Miss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "no route has this path",
            Self::Method => "no route of this path has this method",
        })
    }
}

impl Error for Miss {}

impl<'r, T> Nearest<'r, T> {
    pub(crate) fn new(route: &'r str, value: &'r T) -> Self {
        Self { route, value }
    }

    /// The route: the resource's path in a REST API, the route key in an HTTP API.
    #[must_use]
    pub fn route(&self) -> &'r str {
        self.route
    }

    /// What was given for one of its methods when it was added.
    #[must_use]
    pub fn value(&self) -> &'r T {
        self.value
    }
}

impl<T> Clone for Nearest<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Nearest<'_, T> {}
