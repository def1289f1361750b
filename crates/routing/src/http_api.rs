//! The routes of an HTTP API.

use http::Method;

use crate::error::{RouteError, RouteErrors, RouteRule};
use crate::method::{Methods, RouteMethod, Verb};
use crate::outcome::{Miss, Nearest};
use crate::rest::miss;
use crate::route_key::RouteKey;
use crate::template::{Kind, Parameters, inside};
use crate::tree::{Tree, Wanted, index};

/// The routes of an HTTP API, compiled; a `T` belongs to each.
///
/// ```
/// use http::Method;
/// use portcullis_routing::HttpRoutes;
///
/// let routes = HttpRoutes::builder()
///     .route("GET /pets/{id}", "one pet")
///     .route("ANY /{proxy+}", "anything else with a path")
///     .route("$default", "the rest")
///     .build()?;
///
/// let found = routes.find(&Method::GET, "/pets/7").expect("a route");
/// assert_eq!((*found.value(), found.parameter("id")), ("one pet", Some("7")));
/// assert_eq!(found.key().as_str(), "GET /pets/{id}");
///
/// let found = routes.find(&Method::POST, "/pets/7").expect("a route");
/// assert_eq!(found.parameter("proxy"), Some("pets/7"));
///
/// let found = routes.find(&Method::GET, "/").expect("a route");
/// assert!(found.key().is_default());
/// # Ok::<(), portcullis_routing::RouteErrors>(())
/// ```
///
/// See the [crate docs](crate) for what is matched.
#[derive(Clone, Debug)]
pub struct HttpRoutes<T> {
    tree: Tree,
    routes: Vec<(RouteKey, T)>,
    /// Where `$default` is among the routes.
    default: Option<usize>,
}

/// Takes the routes of an HTTP API one by one. Made by [`HttpRoutes::builder`].
#[derive(Debug)]
#[must_use]
pub struct HttpRoutesBuilder<T> {
    routes: HttpRoutes<T>,
    faults: Vec<RouteError>,
}

/// The route that a request takes in an HTTP API. It borrows the routes (`'r`) and the path (`'p`).
#[derive(Debug)]
pub struct HttpMatch<'r, 'p, T> {
    key: &'r RouteKey,
    value: &'r T,
    path: &'p str,
}

impl<T> HttpRoutes<T> {
    /// Starts an API without any route.
    pub fn builder() -> HttpRoutesBuilder<T> {
        HttpRoutesBuilder {
            routes: Self::default(),
            faults: Vec::new(),
        }
    }

    /// The route of a request. `path` is raw, without the stage and without the query.
    ///
    /// It allocates nothing, and looks at each resource of the API at most twice; a miss does it once more.
    ///
    /// # Errors
    ///
    /// [`Miss::Path`] if no route fits the path, [`Miss::Method`] if some do and none has the method. Both are the same
    /// 404 in the managed service, and neither occurs for one of the seven verbs if there is a `$default`.
    #[inline]
    pub fn find<'r, 'p>(
        &'r self,
        method: &Method,
        path: &'p str,
    ) -> Result<HttpMatch<'r, 'p, T>, Miss> {
        let inside = inside(path, Kind::Http);
        let found = Verb::of(method).and_then(|verb| {
            inside
                .and_then(|inside| self.search(verb, inside))
                .or(self.default)
        });
        match (found, inside) {
            (Some(route), _) => {
                let (key, value) = &self.routes[route];
                Ok(HttpMatch { key, value, path })
            }
            (None, Some(_)) if self.default.is_some() => Err(Miss::Method),
            (None, Some(inside)) => Err(miss(&self.tree, inside, &mut ())),
            (None, None) => Err(Miss::Path),
        }
    }

    /// The verbs with which `path` has a route: the `Allow` of a 405. Empty for an unknown path.
    #[must_use]
    pub fn allowed(&self, path: &str) -> Methods {
        if self.default.is_some() {
            return Methods::ALL;
        }
        let verbs = inside(path, Kind::Http).map_or(0, |inside| self.tree.allowed(inside));
        Methods::from_bits(verbs)
    }

    /// The route that a request without one most likely meant, for the log. It takes longer than [`find`](Self::find).
    #[must_use]
    pub fn nearest(&self, path: &str) -> Option<Nearest<'_, T>> {
        let inside = inside(path, Kind::Http)?.trim_end_matches('/');
        let (key, value) = &self.routes[self.tree.nearest(inside)? as usize];
        Some(Nearest::new(key.as_str(), value))
    }

    /// All routes, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&RouteKey, &T)> {
        self.routes.iter().map(|(key, value)| (key, value))
    }

    #[inline]
    fn search(&self, verb: Verb, inside: &str) -> Option<usize> {
        let search = |wanted| self.tree.search(inside, verb.bit(), wanted, &mut ());
        let endpoint = search(Wanted::Full).or_else(|| search(Wanted::Greedy))?;
        self.tree.route(endpoint, verb).map(|route| route as usize)
    }
}

impl<T> Default for HttpRoutes<T> {
    /// An API without any route.
    fn default() -> Self {
        Self {
            tree: Tree::new(),
            routes: Vec::new(),
            default: None,
        }
    }
}

impl<T> HttpRoutesBuilder<T> {
    /// Adds the route with this key.
    ///
    /// What is wrong with it is said by [`build`](Self::build), together with all else that is wrong.
    pub fn route(mut self, key: impl AsRef<str>, value: T) -> Self {
        self.add(key.as_ref(), value);
        self
    }

    /// Compiles the routes.
    ///
    /// # Errors
    ///
    /// Every fault of every route: see [`RouteRule`]. Variables of different names may stand at one level.
    pub fn build(mut self) -> Result<HttpRoutes<T>, RouteErrors> {
        RouteErrors::check(self.faults)?;
        self.routes.tree.finish();
        Ok(self.routes)
    }

    fn add(&mut self, text: &str, value: T) {
        let key: RouteKey = match text.parse() {
            Ok(key) => key,
            Err(faults) => return self.faults.extend::<RouteErrors>(faults),
        };
        let HttpRoutes {
            tree,
            routes,
            default,
        } = &mut self.routes;
        let fresh = match (key.method(), key.template()) {
            (Some(method), Some(template)) => {
                tree.insert(template, method, index(routes.len()), |_, _, _| true)
            }
            _ => default.replace(routes.len()).is_none(),
        };
        if !fresh {
            let method = key.method().map(RouteMethod::as_str);
            let path = key.template().map_or(text, |template| template.as_str());
            let fault = RouteError::new(method, path, RouteRule::Duplicate);
            self.faults.push(fault);
        }
        routes.push((key, value));
    }
}

impl<'r, 'p, T> HttpMatch<'r, 'p, T> {
    /// What was given for the route when it was added.
    #[must_use]
    pub fn value(&self) -> &'r T {
        self.value
    }

    /// The route's key.
    #[must_use]
    pub fn key(&self) -> &'r RouteKey {
        self.key
    }

    /// What a path variable holds: raw, as the client wrote it.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'p str> {
        self.key.template()?.parameter(self.path, name)
    }

    /// The path variables with what they hold, left to right; none for `$default`.
    #[must_use]
    pub fn parameters(&self) -> Parameters<'r, 'p> {
        self.key
            .template()
            .map_or_else(Parameters::none, |template| template.parameters(self.path))
    }
}

impl<T> Clone for HttpMatch<'_, '_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for HttpMatch<'_, '_, T> {}
