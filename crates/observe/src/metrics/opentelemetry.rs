//! Metrics as instruments of OpenTelemetry.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::opentelemetry::KeyValue;
use ::opentelemetry::metrics::Meter;
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use super::{Metrics, names};

/// A recorder of the `metrics` facade whose metrics are instruments of OpenTelemetry: with its SDK they are exported by OTLP.
///
/// ```
/// use std::sync::Arc;
/// use opentelemetry::metrics::MeterProvider;
/// use opentelemetry_sdk::metrics::SdkMeterProvider;
/// use portcullis_observe::{Metrics, OpenTelemetryRecorder};
///
/// // With an exporter: `.with_periodic_exporter(MetricExporter::builder().with_tonic().build()?)`
/// let provider = SdkMeterProvider::builder().build();
/// let recorder = OpenTelemetryRecorder::new(provider.meter("orders"));
/// let metrics = Metrics::builder().recorder(Arc::new(recorder)).build();
/// # let _ = metrics;
/// ```
///
/// Or for the whole program, with `metrics::set_global_recorder`. Names stay as they are, units are those of UCUM, and histograms have the [bounds](Metrics::DURATION_BUCKETS) that the conventions advise.
/// OpenTelemetry looks attributes up with each measurement, so this costs more than recording for Prometheus does.
pub struct OpenTelemetryRecorder {
    meter: Meter,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    descriptions: HashMap<String, Description>,
    counters: HashMap<String, ::opentelemetry::metrics::Counter<u64>>,
    histograms: HashMap<String, ::opentelemetry::metrics::Histogram<f64>>,
    /// What the instrument of each name reads when it is asked.
    gauges: HashMap<String, Arc<Mutex<Vec<Arc<GaugeValue>>>>>,
}

#[derive(Clone, Default)]
struct Description {
    unit: &'static str,
    text: String,
}

impl OpenTelemetryRecorder {
    /// Records with this meter.
    #[must_use]
    pub fn new(meter: Meter) -> Self {
        Self {
            meter,
            known: Mutex::default(),
        }
    }

    fn describe(&self, name: &KeyName, unit: Option<Unit>, text: &SharedString) {
        let description = Description {
            unit: unit.as_ref().map_or("", ucum),
            text: text.to_string(),
        };
        let mut known = lock(&self.known);
        known
            .descriptions
            .insert(name.as_str().to_owned(), description);
    }
}

impl Known {
    fn description(&self, name: &str) -> Description {
        self.descriptions.get(name).cloned().unwrap_or_default()
    }
}

impl Recorder for OpenTelemetryRecorder {
    fn describe_counter(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe(&name, unit, &text);
    }

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        let name = key.name();
        let mut known = lock(&self.known);
        let description = known.description(name);
        let counters = known.counters.entry(name.to_owned());
        let instrument = counters.or_insert_with(|| {
            let builder = self.meter.u64_counter(name.to_owned());
            let builder = builder.with_unit(description.unit);
            builder.with_description(description.text).build()
        });
        Counter::from_arc(Arc::new(CounterValue {
            instrument: instrument.clone(),
            attributes: attributes(key),
            total: AtomicU64::new(0),
        }))
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        let name = key.name();
        let mut known = lock(&self.known);
        let description = known.description(name);
        let gauges = known.gauges.entry(name.to_owned());
        let values = gauges.or_insert_with(|| {
            let values: Arc<Mutex<Vec<Arc<GaugeValue>>>> = Arc::default();
            let read = Arc::clone(&values);
            let builder = self.meter.f64_observable_gauge(name.to_owned());
            let builder = builder.with_unit(description.unit);
            builder
                .with_description(description.text)
                .with_callback(move |observer| {
                    for value in &*lock(&read) {
                        observer.observe(value.get(), &value.attributes);
                    }
                })
                .build();
            values
        });
        let attributes = attributes(key);
        let mut values = lock(values);
        // Whoever does not keep its handle asks again.
        let own = values.iter().find(|own| own.attributes == attributes);
        let value = own.cloned().unwrap_or_else(|| {
            let value = Arc::new(GaugeValue {
                bits: AtomicU64::new(0),
                attributes,
            });
            values.push(Arc::clone(&value));
            value
        });
        Gauge::from_arc(value)
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        let name = key.name();
        let mut known = lock(&self.known);
        let description = known.description(name);
        let histograms = known.histograms.entry(name.to_owned());
        let instrument = histograms.or_insert_with(|| {
            let builder = self.meter.f64_histogram(name.to_owned());
            let builder = builder
                .with_unit(description.unit)
                .with_description(description.text);
            let bounds = match name {
                names::DURATION | names::AUTHORIZER => Some(Metrics::DURATION_BUCKETS),
                names::LATENCY | names::INTEGRATION_LATENCY => Some(Metrics::LATENCY_BUCKETS),
                _ => None,
            };
            match bounds {
                Some(bounds) => builder.with_boundaries(bounds.to_vec()).build(),
                None => builder.build(),
            }
        });
        Histogram::from_arc(Arc::new(HistogramValue {
            instrument: instrument.clone(),
            attributes: attributes(key),
        }))
    }
}

struct CounterValue {
    instrument: ::opentelemetry::metrics::Counter<u64>,
    attributes: Vec<KeyValue>,
    /// What it has come to, for whoever sets it instead of adding to it.
    total: AtomicU64,
}

impl CounterFn for CounterValue {
    fn increment(&self, value: u64) {
        self.total.fetch_add(value, Ordering::Relaxed);
        self.instrument.add(value, &self.attributes);
    }

    fn absolute(&self, value: u64) {
        let before = self.total.fetch_max(value, Ordering::Relaxed);
        if value > before {
            self.instrument.add(value - before, &self.attributes);
        }
    }
}

struct GaugeValue {
    /// Those of a number with a fraction.
    bits: AtomicU64,
    attributes: Vec<KeyValue>,
}

impl GaugeValue {
    fn get(&self) -> f64 {
        f64::from_bits(self.bits.load(Ordering::Relaxed))
    }

    fn change(&self, change: impl Fn(f64) -> f64) {
        let changed = |bits| Some(change(f64::from_bits(bits)).to_bits());
        // It always changes to something.
        let _ = self
            .bits
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, changed);
    }
}

impl GaugeFn for GaugeValue {
    fn increment(&self, value: f64) {
        self.change(|own| own + value);
    }

    fn decrement(&self, value: f64) {
        self.change(|own| own - value);
    }

    fn set(&self, value: f64) {
        self.change(|_| value);
    }
}

struct HistogramValue {
    instrument: ::opentelemetry::metrics::Histogram<f64>,
    attributes: Vec<KeyValue>,
}

impl HistogramFn for HistogramValue {
    fn record(&self, value: f64) {
        self.instrument.record(value, &self.attributes);
    }
}

fn attributes(key: &Key) -> Vec<KeyValue> {
    let labels = key.labels();
    labels
        .map(|label| KeyValue::new(label.key().to_owned(), label.value().to_owned()))
        .collect()
}

/// A unit as "The Unified Code for Units of Measure" has it.
const fn ucum(unit: &Unit) -> &'static str {
    match unit {
        Unit::Count => "1",
        Unit::Percent => "%",
        Unit::Seconds => "s",
        Unit::Milliseconds => "ms",
        Unit::Microseconds => "us",
        Unit::Nanoseconds => "ns",
        Unit::Bytes => "By",
        _ => "",
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for OpenTelemetryRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenTelemetryRecorder")
    }
}
