//! What measures of requests are told apart by, within bounds.

mod table;

use std::sync::Arc;

use http::Method;
use portcullis_core::{ApiKind, ApiStage, Head, Release, RequestContext};

pub(crate) use table::{Entry, Table};

use crate::exchange::Exchange;

/// What is the same for all requests of one series.
#[derive(Clone, Copy)]
pub(crate) struct Labels<'a> {
    pub(crate) stage: Option<&'a ApiStage>,
    /// The route as it is declared; absent for requests that matched none.
    pub(crate) route: Option<&'a str>,
    pub(crate) method: &'static str,
    /// The name of the canary, for requests that went to one.
    pub(crate) canary: Option<&'a Arc<str>>,
    /// Whether the service's names tell methods apart.
    pub(crate) detailed: bool,
}

/// The same, to be kept.
pub(crate) struct OwnLabels {
    pub(crate) kind: ApiKind,
    pub(crate) api_id: Box<str>,
    pub(crate) api_name: Box<str>,
    pub(crate) stage: Box<str>,
    pub(crate) route: Option<Box<str>>,
    pub(crate) method: &'static str,
    pub(crate) canary: Option<Arc<str>>,
    pub(crate) detailed: bool,
    /// Whether it is known which API and stage serve.
    pub(crate) has_stage: bool,
}

/// How an application says which route a request matched.
pub(crate) type RouteOf = dyn for<'a> Fn(&Head<'a>) -> Option<&'a str> + Send + Sync;

/// What a label says of values that are too many to be told apart.
pub(crate) const OTHER: &str = "_OTHER";

impl<'a> Labels<'a> {
    /// Those of a request by its context, with a route for one whose context has none.
    pub(crate) fn of(
        context: &'a RequestContext,
        route: Option<&'a str>,
        canary: Option<&'a Arc<str>>,
        detailed: bool,
    ) -> Self {
        let matched = context.route().map(|matched| &*matched.route().template);
        Self {
            stage: context.stage().map(|stage| &**stage),
            route: matched.or(route),
            method: name_at(place_of(context.method())),
            canary,
            detailed,
        }
    }

    pub(crate) fn api_id(&self) -> &'a str {
        self.stage.map_or("", |stage| &stage.api_id)
    }

    pub(crate) fn stage_name(&self) -> &'a str {
        self.stage.map_or("", |stage| &stage.stage)
    }

    /// Those of all routes that are too many.
    fn without_route(mut self) -> Self {
        self.route = Some(OTHER);
        self.canary = None;
        self
    }

    /// Those of all stages that are too many.
    const fn without_stage(mut self) -> Self {
        self.stage = None;
        self.route = Some(OTHER);
        self.canary = None;
        self.method = OTHER;
        self
    }

    fn to_own(self) -> OwnLabels {
        OwnLabels {
            kind: self.stage.map_or(ApiKind::Rest, |stage| stage.kind),
            api_id: self.api_id().into(),
            api_name: self.stage.map(api_name).unwrap_or_default().into(),
            stage: self.stage_name().into(),
            route: self.route.map(Into::into),
            method: self.method,
            canary: self.canary.cloned(),
            detailed: self.detailed,
            has_stage: self.stage.is_some(),
        }
    }
}

impl OwnLabels {
    /// The stage as the service's dimension has it: a canary has measures of its own.
    pub(crate) fn stage_dimension(&self) -> String {
        match self.canary {
            Some(_) => format!("{}/Canary", self.stage),
            None => self.stage.to_string(),
        }
    }

    fn is(&self, labels: &Labels<'_>) -> bool {
        self.method == labels.method
            && self.route.as_deref() == labels.route
            && *self.stage == *labels.stage_name()
            && *self.api_id == *labels.api_id()
            && self.canary.as_deref() == labels.canary.map(|name| &**name)
            && self.detailed == labels.detailed
    }
}

/// What became of a request, read at once.
pub(crate) struct Seen {
    /// The name of the canary that it went to.
    pub(crate) canary: Option<Arc<str>>,
    /// The class of its status: see [`Exchange::class`].
    pub(crate) class: u16,
    /// Whether something was refused, or would have been, or limits were looked at.
    #[cfg(feature = "metrics")]
    pub(crate) notable: bool,
}

impl Seen {
    #[inline]
    pub(crate) fn of(exchange: &Exchange<'_>) -> Self {
        if exchange.context().is_ordinary() {
            return Self {
                canary: None,
                class: exchange.class(None),
                #[cfg(feature = "metrics")]
                notable: false,
            };
        }
        Self::read(exchange)
    }

    fn read(exchange: &Exchange<'_>) -> Self {
        exchange.context().facts(|facts| Self {
            canary: match facts.release {
                Release::Canary(name) => Some(Arc::clone(name)),
                Release::None | Release::Production => None,
            },
            class: exchange.class(facts.refusal),
            #[cfg(feature = "metrics")]
            notable: facts.refusal.is_some()
                || !facts.observed.is_empty()
                || !facts.limits.is_empty(),
        })
    }
}

/// The name as the service's dimension has it: in ASCII, and the id where nothing is left of it.
fn api_name(stage: &ApiStage) -> String {
    let name = stage.api_name.as_deref().unwrap_or_default();
    let name: String = name.chars().filter(char::is_ascii).take(255).collect();
    let name = name.trim();
    if name.is_empty() {
        stage.api_id.clone()
    } else {
        name.to_owned()
    }
}

/// The methods that HTTP knows. Others are one.
pub(crate) const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE",
];

pub(crate) fn place_of(method: &Method) -> usize {
    match *method {
        Method::GET => 0,
        Method::POST => 1,
        Method::PUT => 2,
        Method::DELETE => 3,
        Method::PATCH => 4,
        Method::HEAD => 5,
        Method::OPTIONS => 6,
        Method::CONNECT => 7,
        Method::TRACE => 8,
        _ => METHODS.len(),
    }
}

pub(crate) fn name_at(place: usize) -> &'static str {
    METHODS.get(place).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use portcullis_core::ApiStage;

    use super::{METHODS, OTHER, api_name, name_at, place_of};

    #[test]
    fn methods_are_known_by_their_places() {
        for (place, name) in METHODS.into_iter().enumerate() {
            let method = name.parse().expect("a method");
            assert_eq!(place_of(&method), place);
        }
        let other = "PURGE".parse().expect("a method");
        assert_eq!(name_at(place_of(&other)), OTHER);
    }

    #[test]
    fn a_name_is_in_ascii_and_never_empty() {
        for (name, expected) in [
            (Some("Pets"), "Pets"),
            (Some("Zürich pets"), "Zrich pets"),
            (Some("東京"), "a1b2"),
            (Some(" "), "a1b2"),
            (None, "a1b2"),
        ] {
            let mut stage = ApiStage::default();
            stage.api_id = "a1b2".into();
            stage.api_name = name.map(Into::into);
            assert_eq!(api_name(&stage), expected);
        }
    }
}
