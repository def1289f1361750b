//! What operators see of requests: metrics and logs.

mod body;
mod tracing;
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::core::Clock;
use crate::observe::{
    AccessLog, Emf, ExecutionLevel, ExecutionLog, LogSink, MethodMetrics, Metrics,
};

pub(super) use watching::Watching;

/// What the operator wants to see, and where.
#[derive(Clone, Debug, Default)]
pub(super) struct ObserveSettings {
    pub(super) metrics: Option<Metrics>,
    pub(super) emf: Option<Emf>,
    /// Of all requests, whether or not an API serves them.
    pub(super) log: Option<AccessLog>,
    /// Where execution logs go.
    pub(super) execution: Option<ExecutionLog>,
    /// Where the logs of stages go, by the ARN that they name.
    pub(super) destinations: BTreeMap<String, LogSink>,
    /// Where the others go.
    pub(super) other_destinations: Option<LogSink>,
}

impl ObserveSettings {
    /// Where the log of a stage goes that names this ARN.
    pub(super) fn destination(&self, arn: Option<&str>) -> Option<&LogSink> {
        self.named(arn.unwrap_or_default())
            .or(self.other_destinations.as_ref())
    }

    /// Where the log of a stage's canary goes, too, if that was said.
    pub(super) fn canary_destination(&self, arn: Option<&str>) -> Option<&LogSink> {
        self.named(&format!("{}/Canary", group(arn?)))
    }

    fn named(&self, arn: &str) -> Option<&LogSink> {
        let destinations = self.destinations.iter();
        let mut named = destinations.filter(|(own, _)| group(own) == group(arn));
        named.next().map(|(_, sink)| sink)
    }

    /// Those that look at every request; none if nobody does.
    pub(super) fn observers(&self, clock: &Arc<dyn Clock>) -> Option<Arc<Observers>> {
        let nobody = self.metrics.is_none()
            && self.emf.is_none()
            && self.log.is_none()
            && self.execution.is_none()
            && self.destinations.is_empty()
            && self.other_destinations.is_none();
        if nobody {
            return None;
        }
        Some(Arc::new(Observers {
            clock: Arc::clone(clock),
            metrics: self.metrics.clone(),
            emf: self.emf.clone(),
            log: self.log.clone(),
            execution: self.execution.clone(),
        }))
    }
}

/// The ARN of a log group as it is written by some with `:*` behind it.
fn group(arn: &str) -> &str {
    arn.strip_suffix(":*").unwrap_or(arn)
}

/// Who looks at every request.
#[derive(Debug)]
pub(super) struct Observers {
    clock: Arc<dyn Clock>,
    metrics: Option<Metrics>,
    emf: Option<Emf>,
    log: Option<AccessLog>,
    execution: Option<ExecutionLog>,
}

/// Who looks at the requests to one stage.
#[derive(Debug, Default)]
pub(super) struct StageObservers {
    pub(super) log: Option<AccessLog>,
    /// By the index of the method. Empty where there are neither metrics nor execution logs.
    pub(super) methods: Box<[MethodObservers]>,
    /// Of requests that no method serves.
    pub(super) unmatched: Option<MethodMetrics>,
}

/// Who looks at the requests to one method of one stage.
#[derive(Debug)]
pub(super) struct MethodObservers {
    pub(super) metrics: Option<MethodMetrics>,
    /// Whether it has metrics of its own.
    pub(super) detailed: bool,
    /// What its execution log says; absent if there is none.
    pub(super) level: Option<ExecutionLevel>,
    /// Whether that has requests and responses in it.
    pub(super) traced: bool,
}
