//! The route that a request matched.

use std::sync::Arc;

use http::Uri;

/// A route of an API: what is the same for every request that matches it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Route {
    /// The resource's path with its variables: `/pets/{id}`. For `$default`, `$default`.
    pub template: String,
    /// The id of a REST API's resource.
    pub resource_id: Option<String>,
    /// The key of an HTTP API's route: `GET /pets/{id}`.
    pub route_key: Option<String>,
}

impl Route {
    /// The route with this template.
    #[must_use]
    pub fn new(template: impl Into<String>) -> Self {
        Self {
            template: template.into(),
            resource_id: None,
            route_key: None,
        }
    }
}

/// A route together with the path that matched it. Parameters are looked up when they are asked for.
///
/// ```
/// use portcullis_core::{MatchedRoute, Route};
///
/// let uri: http::Uri = "/prod/pets/7/photos/a%2Fb/c/?size=big".parse()?;
/// let matched = MatchedRoute::new(Route::new("/pets/{id}/photos/{path+}"), &uri, "/prod".len());
/// assert_eq!(matched.path(), "/pets/7/photos/a%2Fb/c/");
/// assert_eq!(matched.parameter("id"), Some("7"));
/// assert_eq!(matched.parameter("path"), Some("a%2Fb/c"));
/// assert_eq!(matched.parameter("size"), None);
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
#[derive(Clone, Debug)]
pub struct MatchedRoute {
    route: Arc<Route>,
    uri: Uri,
    start: usize,
}

impl MatchedRoute {
    /// `start` is where in the path of `uri` the part begins that the route matched: behind the
    /// stage or the base path. (Beyond the end, or inside a character, it counts as the end.)
    #[must_use]
    pub fn new(route: impl Into<Arc<Route>>, uri: &Uri, start: usize) -> Self {
        Self {
            route: route.into(),
            uri: uri.clone(),
            start,
        }
    }

    /// The route.
    #[must_use]
    pub const fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// Where in the request's path the part begins that the route matched.
    #[must_use]
    pub const fn start(&self) -> usize {
        self.start
    }

    /// The part of the path that the route matched, as the client sent it.
    #[must_use]
    pub fn path(&self) -> &str {
        match self.uri.path().get(self.start..) {
            Some("") | None => "/",
            Some(path) => path,
        }
    }

    /// The value of a path parameter, as the client sent it: percent-encoded, and without a trailing
    /// slash if it is greedy.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters()
            .find_map(|(own, value)| (own == name).then_some(value))
    }

    /// The path parameters with their values, in the order of the path.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let path = self.path();
        let mut path = Some(path.strip_prefix('/').unwrap_or(path));
        let mut template = self.route.template.strip_prefix('/');
        std::iter::from_fn(move || {
            loop {
                let (segment, below) = cut(template?);
                let rest = path?;
                template = below;
                let name = segment
                    .strip_prefix('{')
                    .and_then(|name| name.strip_suffix('}'));
                if let Some(greedy) = name.and_then(|name| name.strip_suffix('+')) {
                    path = None;
                    return Some((greedy, rest.strip_suffix('/').unwrap_or(rest)));
                }
                let (value, rest) = cut(rest);
                path = rest;
                if let Some(name) = name {
                    return Some((name, value));
                }
            }
        })
    }
}

/// The text before the first slash, and what follows the slash. (Segments are short: a search made for long texts costs
/// more than it finds.)
fn cut(text: &str) -> (&str, Option<&str>) {
    match text.bytes().position(|byte| byte == b'/') {
        Some(slash) => (&text[..slash], Some(&text[slash + 1..])),
        None => (text, None),
    }
}
