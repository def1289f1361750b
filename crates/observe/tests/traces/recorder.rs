//! A subscriber that keeps what it is told.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

/// What a subscriber was told.
#[derive(Clone, Default)]
pub(crate) struct Recorder(Arc<Mutex<Vec<Recorded>>>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Recorded {
    id: u64,
    pub(crate) name: &'static str,
    /// The name of the span above.
    pub(crate) parent: Option<&'static str>,
    pub(crate) fields: BTreeMap<&'static str, String>,
    pub(crate) is_closed: bool,
    pub(crate) is_event: bool,
}

impl Recorder {
    /// Listens in this thread until the guard is dropped.
    pub(crate) fn listen(&self) -> DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    pub(crate) fn spans(&self) -> Vec<Recorded> {
        let all = self.0.lock().expect("the recorder").clone();
        all.into_iter().filter(|it| !it.is_event).collect()
    }

    #[cfg(feature = "xray")]
    pub(crate) fn events(&self) -> Vec<Recorded> {
        let all = self.0.lock().expect("the recorder").clone();
        all.into_iter().filter(|it| it.is_event).collect()
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let above = context.span(id).and_then(|span| span.parent());
        let mut recorded = Recorded {
            id: id.into_u64(),
            name: attributes.metadata().name(),
            parent: above.map(|above| above.name()),
            ..Recorded::default()
        };
        attributes.record(&mut recorded);
        self.0.lock().expect("the recorder").push(recorded);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _context: Context<'_, S>) {
        let mut all = self.0.lock().expect("the recorder");
        let of = |it: &&mut Recorded| it.id == id.into_u64() && !it.is_closed && !it.is_event;
        if let Some(recorded) = all.iter_mut().find(of) {
            values.record(recorded);
        }
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut recorded = Recorded {
            is_event: true,
            ..Recorded::default()
        };
        event.record(&mut recorded);
        self.0.lock().expect("the recorder").push(recorded);
    }

    fn on_close(&self, id: Id, _context: Context<'_, S>) {
        let mut all = self.0.lock().expect("the recorder");
        let of = |it: &&mut Recorded| it.id == id.into_u64() && !it.is_closed && !it.is_event;
        if let Some(recorded) = all.iter_mut().find(of) {
            recorded.is_closed = true;
        }
    }
}

impl Visit for Recorded {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}
