//! One line of the embedded metric format.

use portcullis_core::ApiKind;

use super::{Sample, Shared};
use crate::access_log::{Line, Place};
use crate::series::OwnLabels;

/// Writes the samples of one method.
pub(super) fn write(shared: &Shared, labels: &OwnLabels, samples: &[Sample], line: &mut Line<'_>) {
    let rest = labels.kind == ApiKind::Rest;
    let at = samples.first().map_or(0, |sample| sample.at);
    line.push(br#"{"_aws":{"Timestamp":"#);
    line.number(i64::try_from(at).unwrap_or(i64::MAX));
    line.push(br#","CloudWatchMetrics":[{"Namespace":""#);
    Place::JsonString.text(line, &shared.namespace);
    line.push(br#"","Dimensions":["#);
    let dimensions = dimensions(shared, labels);
    let sets = sets(labels, &dimensions);
    for (index, set) in sets.iter().enumerate() {
        line.push(if index == 0 { b"[" } else { b",[" });
        for (index, name) in set.iter().enumerate() {
            line.push(if index == 0 { b"\"" } else { b",\"" });
            line.push(name.as_bytes());
            line.push(b"\"");
        }
        line.push(b"]");
    }
    line.push(br#"],"Metrics":["#);
    let metrics = METRICS.iter().filter(|metric| {
        metric.rest.is_none_or(|own| own == rest)
            && samples
                .iter()
                .any(|sample| (metric.value)(sample).is_some())
    });
    for (index, metric) in metrics.clone().enumerate() {
        line.push(if index == 0 { b"{" } else { b",{" });
        line.push(br#""Name":""#);
        line.push(metric.name.as_bytes());
        line.push(br#"","Unit":""#);
        line.push(metric.unit.as_bytes());
        line.push(b"\"}");
    }
    line.push(b"]}]}");
    for (name, value) in &dimensions {
        line.push(b",\"");
        line.push(name.as_bytes());
        line.push(b"\":\"");
        Place::JsonString.text(line, value);
        line.push(b"\"");
    }
    for metric in metrics {
        line.push(b",\"");
        line.push(metric.name.as_bytes());
        line.push(b"\":[");
        let mut separator: &[u8] = b"";
        for value in samples.iter().filter_map(metric.value) {
            line.push(separator);
            number(line, value);
            separator = b",";
        }
        line.push(b"]");
    }
    line.push(b"}");
}

/// With three digits behind the point, where there are some.
fn number(line: &mut Line<'_>, value: f64) {
    let thousandths = (value.max(0.0) * 1e3).round() as i64;
    line.number(thousandths / 1_000);
    let rest = thousandths % 1_000;
    if rest != 0 {
        let digits = [
            b'.',
            b'0' + (rest / 100) as u8,
            b'0' + (rest / 10 % 10) as u8,
            b'0' + (rest % 10) as u8,
        ];
        line.push(&digits);
    }
}

/// The values of the dimensions.
fn dimensions(shared: &Shared, labels: &OwnLabels) -> Vec<(&'static str, String)> {
    let mut dimensions = Vec::with_capacity(4);
    if !labels.has_stage {
        dimensions.push(("Service", shared.service.clone()));
    } else {
        dimensions.push(match labels.kind {
            ApiKind::Rest => ("ApiName", labels.api_name.to_string()),
            ApiKind::Http => ("ApiId", labels.api_id.to_string()),
        });
        dimensions.push(("Stage", labels.stage_dimension()));
    }
    if let (true, Some(route)) = (labels.detailed, &labels.route) {
        dimensions.push(("Method", labels.method.to_owned()));
        dimensions.push(("Resource", route.to_string()));
    }
    // No value may be empty, nor longer.
    dimensions.retain(|(_, value)| !value.is_empty());
    for (_, value) in &mut dimensions {
        value.truncate(value.floor_char_boundary(255));
    }
    dimensions
}

/// Which dimensions go together: those of the service are the API, its stage, and the method.
fn sets(labels: &OwnLabels, dimensions: &[(&'static str, String)]) -> Vec<Vec<&'static str>> {
    let names: Vec<_> = dimensions.iter().map(|(name, _)| *name).collect();
    let own = if labels.has_stage { 2 } else { 1 };
    (1..=own.min(names.len()))
        .chain((names.len() > own).then_some(names.len()))
        .map(|length| names[..length].to_vec())
        .collect()
}

/// A metric and how it is read from a sample.
struct Metric {
    name: &'static str,
    unit: &'static str,
    /// Of REST APIs, or of HTTP APIs only.
    rest: Option<bool>,
    value: fn(&Sample) -> Option<f64>,
}

const METRICS: [Metric; 10] = [
    count("Count", None, |_| Some(1.0)),
    count("4XXError", Some(true), |sample| flag(sample.class == 4)),
    count("5XXError", Some(true), |sample| flag(sample.class >= 5)),
    count("4xx", Some(false), |sample| flag(sample.class == 4)),
    count("5xx", Some(false), |sample| flag(sample.class >= 5)),
    count("CacheHitCount", Some(true), |sample| {
        flag(sample.cache_hit?)
    }),
    count("CacheMissCount", Some(true), |sample| {
        flag(!sample.cache_hit?)
    }),
    Metric {
        name: "Latency",
        unit: "Milliseconds",
        rest: None,
        value: |sample| Some(sample.latency),
    },
    Metric {
        name: "IntegrationLatency",
        unit: "Milliseconds",
        rest: None,
        value: |sample| sample.integration_latency.map(|took| took as f64),
    },
    Metric {
        name: "DataProcessed",
        unit: "Bytes",
        rest: Some(false),
        value: |sample| Some(sample.processed as f64),
    },
];

const fn count(
    name: &'static str,
    rest: Option<bool>,
    value: fn(&Sample) -> Option<f64>,
) -> Metric {
    Metric {
        name,
        unit: "Count",
        rest,
        value,
    }
}

const fn flag(is: bool) -> Option<f64> {
    Some(if is { 1.0 } else { 0.0 })
}
