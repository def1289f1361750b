//! The functions that a gateway knows, by name.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use portcullis_core::{
    Function, FunctionError, FunctionErrorKind, FunctionFuture, FunctionStreamFuture, Invocation,
};

use super::FunctionTarget;
use super::alias::{FunctionAlias, Random};
use super::builder::FunctionsBuilder;
use super::http_service::HttpFunction;
use super::lambda::Lambda;

/// The functions that integrations call, by name. Clones are one registry.
///
/// A function may have versions and aliases, which are called by `name:qualifier`. One that has neither takes every qualifier; of
/// one that has some, others are not found. A function elsewhere is asked by the qualifier for what is not attached here.
/// See the [crate docs](crate) for an example.
#[derive(Clone, Default)]
pub struct Functions {
    known: Arc<Known>,
}

#[derive(Default)]
pub(super) struct Known {
    pub(super) names: HashMap<String, Named>,
    /// Where functions are that nobody attached.
    pub(super) elsewhere: Option<Arc<Lambda>>,
    pub(super) random: Random,
}

/// What is attached under one name.
#[derive(Default)]
pub(super) struct Named {
    pub(super) latest: Option<Entry>,
    pub(super) qualified: HashMap<String, Qualified>,
}

pub(super) enum Qualified {
    Version(Entry),
    Alias(FunctionAlias),
}

#[derive(Clone)]
pub(super) enum Entry {
    Events {
        function: Arc<dyn Function>,
        /// It knows its versions and aliases itself.
        is_elsewhere: bool,
    },
    Service(Arc<dyn HttpFunction>),
}

/// The one that a call is for.
pub(crate) enum Callee {
    /// It gets an event.
    Events {
        function: Arc<dyn Function>,
        qualifier: Option<Arc<str>>,
    },
    /// It gets the request.
    Service(Arc<dyn HttpFunction>),
}

impl Functions {
    /// Starts to build a registry.
    pub fn builder() -> FunctionsBuilder {
        FunctionsBuilder::default()
    }

    pub(super) fn new(known: Known) -> Self {
        Self {
            known: Arc::new(known),
        }
    }

    /// Whether there is something to call for this name and qualifier.
    #[must_use]
    pub fn contains(&self, name: &str, qualifier: Option<&str>) -> bool {
        let target = FunctionTarget {
            name: name.into(),
            qualifier: qualifier.map(Into::into),
            arn: None,
        };
        self.find(&target).is_ok()
    }

    /// Whether it is an endpoint or AWS that is called for this name and qualifier.
    pub(crate) fn is_elsewhere(&self, name: &str, qualifier: Option<&str>) -> bool {
        let Some(named) = self.known.names.get(name) else {
            return self.known.elsewhere.is_some();
        };
        let entry = match qualifier {
            None => named.latest.as_ref(),
            Some(qualifier) => match named.qualified.get(qualifier) {
                Some(Qualified::Alias(alias)) => named.version(alias.function_version()),
                _ => named.version(qualifier),
            },
        };
        matches!(
            entry,
            Some(Entry::Events {
                is_elsewhere: true,
                ..
            })
        )
    }

    /// Finds the one to call. Where an alias has several versions, chance decides, so a call asks once.
    pub(crate) fn find(&self, target: &FunctionTarget) -> Result<Callee, FunctionError> {
        let name = &*target.name;
        let qualifier = target.qualifier.as_ref();
        let Some(named) = self.known.names.get(name) else {
            return match &self.known.elsewhere {
                Some(lambda) => Ok(Callee::Events {
                    function: Arc::clone(lambda) as _,
                    qualifier: qualifier.cloned(),
                }),
                None => Err(not_found(format!("no function is attached as `{name}`"))),
            };
        };
        let (entry, qualifier) = match qualifier {
            None => (named.latest.as_ref(), None),
            Some(qualifier) => match named.qualified.get(&**qualifier) {
                Some(Qualified::Alias(alias)) => {
                    let version = alias.choose(self.known.random.next());
                    (named.version(version), Some(version))
                }
                Some(Qualified::Version(entry)) => (Some(entry), Some(qualifier)),
                None => (named.version(qualifier), Some(qualifier)),
            },
        };
        match entry {
            Some(Entry::Service(service)) => Ok(Callee::Service(Arc::clone(service))),
            Some(Entry::Events {
                function,
                is_elsewhere,
            }) => Ok(Callee::Events {
                function: Arc::clone(function),
                qualifier: if *is_elsewhere {
                    qualifier.cloned()
                } else {
                    // In this process it is told how it was called.
                    target.qualifier.clone()
                },
            }),
            None => Err(not_found(match qualifier {
                Some(qualifier) => format!("`{name}` has no version or alias `{qualifier}`"),
                None => format!("`{name}` is attached by versions only, and none is asked for"),
            })),
        }
    }

    fn events(&self, invocation: &mut Invocation) -> Result<Arc<dyn Function>, FunctionError> {
        let target = FunctionTarget {
            name: Arc::clone(&invocation.name),
            qualifier: invocation.qualifier.take(),
            arn: None,
        };
        match self.find(&target)? {
            Callee::Events {
                function,
                qualifier,
            } => {
                invocation.qualifier = qualifier;
                Ok(function)
            }
            Callee::Service(_) => {
                let cause = format!("`{}` is an HTTP service and takes no events", target.name);
                Err(FunctionError::new(FunctionErrorKind::Unreachable).with_source(cause))
            }
        }
    }
}

impl Named {
    /// What a version, or a qualifier that is attached to nothing, leads to.
    pub(super) fn version(&self, version: &str) -> Option<&Entry> {
        if let Some(Qualified::Version(entry)) = self.qualified.get(version) {
            return Some(entry);
        }
        let latest = self.latest.as_ref()?;
        let takes_all = match latest {
            Entry::Events {
                is_elsewhere: true, ..
            } => true,
            _ => self.qualified.is_empty(),
        };
        (takes_all || version == "$LATEST").then_some(latest)
    }
}

fn not_found(cause: String) -> FunctionError {
    FunctionError::new(FunctionErrorKind::NotFound).with_source(cause)
}

impl Function for Functions {
    fn invoke(&self, mut invocation: Invocation) -> FunctionFuture {
        match self.events(&mut invocation) {
            Ok(function) => function.invoke(invocation),
            Err(error) => Box::pin(async move { Err(error) }),
        }
    }

    fn invoke_with_response_stream(&self, mut invocation: Invocation) -> FunctionStreamFuture {
        match self.events(&mut invocation) {
            Ok(function) => function.invoke_with_response_stream(invocation),
            Err(error) => Box::pin(async move { Err(error) }),
        }
    }
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<_> = self.known.names.keys().collect();
        names.sort_unstable();
        f.debug_tuple("Functions").field(&names).finish()
    }
}
