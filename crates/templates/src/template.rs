//! A template: parsed once, rendered often.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::data::Data;
use crate::dialect::{Dialect, Limits};
use crate::fault::{Fault, RenderError};
use crate::render::{Made, Renderer};
use crate::scope::Scope;
use crate::syntax::parse;
use crate::syntax::tree::{Names, Tree};
use crate::trace::{Observer, Step};

/// A parsed template. A clone shares it; it is `Send` and `Sync`.
///
/// See the [crate docs](crate) for an example. [`Display`](fmt::Display) gives the source again.
#[derive(Clone)]
pub struct Template(Arc<Shared>);

struct Shared {
    source: Box<str>,
    tree: Tree,
    dialect: Dialect,
    limits: Limits,
    /// How long the longest result was: the next one begins with as much room, and does not grow.
    room: AtomicUsize,
}

/// More room than this is not made before it is needed.
const MOST_ROOM: usize = 16 << 10;

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template")
            .field("source", &self.0.source)
            .field("dialect", &self.0.dialect)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.source)
    }
}

/// Two templates are equal if they mean the same: their trees are equal.
impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.0, &other.0);
        a.dialect == b.dialect && a.tree.block == b.tree.block && a.tree.macros == b.tree.macros
    }
}

impl FromStr for Template {
    type Err = Fault;

    fn from_str(source: &str) -> Result<Self, Fault> {
        Self::parse(source)
    }
}

impl Template {
    /// Parses a template as API Gateway has it, within the service's limits.
    ///
    /// # Errors
    ///
    /// Every fault with its place: the first, which has the [others](Fault::others).
    pub fn parse(source: &str) -> Result<Self, Fault> {
        Self::parse_with(source, Dialect::default(), Limits::default())
    }

    /// Parses a template in a dialect; the limits hold for parsing and for each rendering.
    ///
    /// # Errors
    ///
    /// Every fault with its place: the first, which has the [others](Fault::others).
    pub fn parse_with(source: &str, dialect: Dialect, limits: Limits) -> Result<Self, Fault> {
        let tree = parse(source, dialect, &limits, Names::new(), HashMap::new())?;
        Ok(Self(Arc::new(Shared {
            source: source.into(),
            tree,
            dialect,
            limits,
            room: AtomicUsize::new(64),
        })))
    }

    /// Renders the template.
    ///
    /// # Errors
    ///
    /// A [`RenderError`] says what failed and where in the template. Nothing of the result is kept.
    pub fn render(&self, scope: &Scope<'_>) -> Result<Output, RenderError> {
        let made = Made::default();
        self.finish(self.renderer(scope, &made))
    }

    /// Renders the template and tells each step. See [`Step`] for an example.
    ///
    /// # Errors
    ///
    /// Those of [`render`](Self::render); the steps before the failure have been told.
    pub fn render_traced(
        &self,
        scope: &Scope<'_>,
        observer: &mut dyn FnMut(&Step<'_>),
    ) -> Result<Output, RenderError> {
        let made = Made::default();
        let observer = Observer {
            template: &self.0.source,
            notify: &mut |step| observer(step),
        };
        self.finish(self.renderer(scope, &made).observed_by(observer))
    }

    fn renderer<'r>(&'r self, scope: &'r Scope<'r>, made: &'r Made<'r>) -> Renderer<'r> {
        let shared = &*self.0;
        let (dialect, limits) = (shared.dialect, shared.limits);
        let room = shared.room.load(Ordering::Relaxed);
        Renderer::new(&shared.tree, dialect, limits, scope, made, room)
    }

    fn finish(&self, renderer: Renderer<'_>) -> Result<Output, RenderError> {
        let finished = renderer.run(&self.0.source)?;
        let room = finished.text.len().clamp(64, MOST_ROOM);
        if self.0.room.load(Ordering::Relaxed) < room {
            self.0.room.store(room, Ordering::Relaxed);
        }
        Ok(Output {
            text: finished.text,
            request_override: finished.request_override,
            response_override: finished.response_override,
            overridden_twice: finished.overridden_twice,
        })
    }

    /// The text that was parsed.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The dialect that it was parsed in.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.0.dialect
    }
}

/// What a rendering gives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    text: String,
    request_override: Data,
    response_override: Data,
    overridden_twice: Option<String>,
}

impl Output {
    /// The rendered text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The rendered text, taken out.
    #[must_use]
    pub fn into_text(self) -> String {
        self.text
    }

    /// The rendered text, `$context.requestOverride` and `$context.responseOverride`, taken out.
    #[must_use]
    pub fn into_parts(self) -> (String, Data, Data) {
        (self.text, self.request_override, self.response_override)
    }

    /// The status or parameter that the template has overridden more than once, if there is one. The service fails such a
    /// request; the values are the last ones all the same.
    ///
    /// ```
    /// use portcullis_templates::{Scope, Template};
    ///
    /// let twice = "#set($context.responseOverride.status = 404)#set($context.responseOverride.status = 409)";
    /// let output = Template::parse(twice)?.render(&Scope::new(b""))?;
    /// assert_eq!(output.overridden_twice(), Some("status"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn overridden_twice(&self) -> Option<&str> {
        self.overridden_twice.as_deref()
    }

    /// `$context.requestOverride` as the template left it; [`Data::Null`] if the template never asked for it.
    #[must_use]
    pub fn request_override(&self) -> &Data {
        &self.request_override
    }

    /// `$context.responseOverride` as the template left it; [`Data::Null`] if the template never asked for it.
    #[must_use]
    pub fn response_override(&self) -> &Data {
        &self.response_override
    }
}
