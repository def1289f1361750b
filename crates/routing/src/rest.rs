//! The resources and methods of a REST API.

use std::collections::HashMap;

use http::Method;

use crate::error::{RouteError, RouteErrors, RouteRule};
use crate::method::{Methods, RouteMethod, Verb};
use crate::outcome::{Match, Miss, Nearest};
use crate::template::{Kind, Part, PathTemplate, inside};
use crate::tree::{Steps, Tree, Wanted};

/// The methods of a REST API, compiled; a `T` belongs to each.
///
/// See the [crate docs](crate) for an example and for what is matched.
#[derive(Clone, Debug)]
pub struct RestRoutes<T> {
    tree: Tree,
    routes: Vec<Route<T>>,
}

#[derive(Clone, Debug)]
struct Route<T> {
    method: RouteMethod,
    template: PathTemplate,
    value: T,
}

/// Takes the methods of a REST API one by one. Made by [`RestRoutes::builder`].
#[derive(Debug)]
#[must_use]
pub struct RestRoutesBuilder<T> {
    tree: Tree,
    routes: Vec<Route<T>>,
    /// The variable under a node, in the words of the first path with it, and the other words that were refused.
    variables: HashMap<u32, (String, Vec<String>)>,
    faults: Vec<RouteError>,
}

impl<T> RestRoutes<T> {
    /// Starts an API without any method.
    pub fn builder() -> RestRoutesBuilder<T> {
        RestRoutesBuilder {
            tree: Tree::new(),
            routes: Vec::new(),
            variables: HashMap::new(),
            faults: Vec::new(),
        }
    }

    /// The route of a request. `path` is raw, without the stage and without the query.
    ///
    /// It allocates nothing, and looks at each resource of the API at most once; a miss does it once more.
    ///
    /// # Errors
    ///
    /// [`Miss::Path`] if no resource fits the path, [`Miss::Method`] if some do and none has the method. Both are the
    /// same 403 in the managed service.
    #[inline]
    pub fn find<'r, 'p>(
        &'r self,
        method: &Method,
        path: &'p str,
    ) -> Result<Match<'r, 'p, T>, Miss> {
        self.search(method, path, &mut ())
    }

    /// As [`find`](Self::find), with the number of resources that were looked at. For tests that prove a bound.
    #[doc(hidden)]
    pub fn find_counting<'r, 'p>(
        &'r self,
        method: &Method,
        path: &'p str,
    ) -> (Result<Match<'r, 'p, T>, Miss>, usize) {
        let mut steps = 0;
        (self.search(method, path, &mut steps), steps)
    }

    /// The verbs with which `path` has a route: the `Allow` of a 405. Empty for an unknown path.
    #[must_use]
    pub fn allowed(&self, path: &str) -> Methods {
        let verbs = inside(path, Kind::Rest).map_or(0, |inside| self.tree.allowed(inside));
        Methods::from_bits(verbs)
    }

    /// The route that a request without one most likely meant, for the log. It takes longer than [`find`](Self::find).
    #[must_use]
    pub fn nearest(&self, path: &str) -> Option<Nearest<'_, T>> {
        let route = self.tree.nearest(inside(path, Kind::Rest)?)?;
        let route = &self.routes[route as usize];
        Some(Nearest::new(route.template.as_str(), &route.value))
    }

    /// All methods, in the order in which they were given: template, method, value.
    pub fn iter(&self) -> impl Iterator<Item = (&PathTemplate, RouteMethod, &T)> {
        self.routes
            .iter()
            .map(|route| (&route.template, route.method, &route.value))
    }

    #[inline]
    fn search<'r, 'p>(
        &'r self,
        method: &Method,
        path: &'p str,
        steps: &mut impl Steps,
    ) -> Result<Match<'r, 'p, T>, Miss> {
        let inside = inside(path, Kind::Rest).ok_or(Miss::Path)?;
        let found = Verb::of(method).and_then(|verb| {
            let endpoint = self.tree.search(inside, verb.bit(), Wanted::All, steps)?;
            self.tree.route(endpoint, verb)
        });
        match found {
            Some(route) => {
                let route = &self.routes[route as usize];
                Ok(Match {
                    template: &route.template,
                    method: route.method,
                    value: &route.value,
                    path,
                })
            }
            None => Err(miss(&self.tree, inside, steps)),
        }
    }
}

impl<T> RestRoutesBuilder<T> {
    /// Adds a method (`GET`, `ANY` …; text or [`RouteMethod`]) of the resource at `path`.
    ///
    /// What is wrong with it is said by [`build`](Self::build), together with all else that is wrong.
    pub fn route(mut self, method: impl AsRef<str>, path: &str, value: T) -> Self {
        self.add(method.as_ref(), path, value);
        self
    }

    /// Compiles the routes.
    ///
    /// # Errors
    ///
    /// Every fault of every route: see [`RouteRule`].
    pub fn build(mut self) -> Result<RestRoutes<T>, RouteErrors> {
        RouteErrors::check(self.faults)?;
        self.tree.finish();
        Ok(RestRoutes {
            tree: self.tree,
            routes: self.routes,
        })
    }

    fn add(&mut self, name: &str, path: &str, value: T) {
        let method = name.parse::<RouteMethod>();
        if method.is_err() {
            let fault = RouteError::new(Some(name), path, RouteRule::UnknownMethod);
            self.faults.push(fault);
        }
        let template = match PathTemplate::compile(path, Kind::Rest, Some(name)) {
            Ok(template) => template,
            Err(faults) => return self.faults.extend(faults),
        };
        let Ok(method) = method else { return };

        let Self {
            tree,
            routes,
            variables,
            faults,
        } = self;
        // Routes that are not kept are numbered too; a table with one of them is never built.
        let number = crate::tree::index(routes.len());
        let fresh = tree.insert(&template, method, number, |parent, place, part| {
            let part = match part {
                Part::Variable(name) => format!("{{{name}}}"),
                Part::Greedy(name) => format!("{{{name}+}}"),
                Part::Literal(literal) => literal.to_owned(),
            };
            let (first, refused) = variables
                .entry(parent)
                .or_insert_with(|| (part.clone(), Vec::new()));
            if *first == part {
                return true;
            }
            if !refused.contains(&part) {
                let parent = match place {
                    0 => "/".to_owned(),
                    _ => path
                        .split('/')
                        .take(place + 1)
                        .collect::<Vec<_>>()
                        .join("/"),
                };
                faults.push(RouteError::new(
                    Some(name),
                    path,
                    RouteRule::SecondVariable {
                        parent,
                        first: first.clone(),
                        second: part.clone(),
                    },
                ));
                refused.push(part);
            }
            false
        });
        if !fresh {
            faults.push(RouteError::new(Some(name), path, RouteRule::Duplicate));
        }
        routes.push(Route {
            method,
            template,
            value,
        });
    }
}

impl<T> Default for RestRoutes<T> {
    /// An API without any method.
    fn default() -> Self {
        Self {
            tree: Tree::new(),
            routes: Vec::new(),
        }
    }
}

/// Why there is no route: the path is tried again with every verb.
pub(crate) fn miss(tree: &Tree, inside: &str, steps: &mut impl Steps) -> Miss {
    match tree.search(inside, u8::MAX, Wanted::All, steps) {
        Some(_) => Miss::Method,
        None => Miss::Path,
    }
}
