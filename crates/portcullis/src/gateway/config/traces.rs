//! Traces, as a configuration describes them.

use std::path::{Path, PathBuf};

use super::error::ConfigFault;
use super::reader::{Object, Reader};
use crate::observe::trace::{Incoming, SamplingRules, Traces};

/// How traces are followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TracesConfig {
    /// The file with sampling rules: local rules as the SDKs of X-Ray take them, or what `aws xray get-sampling-rules` prints. Default: one request in each second, and
    /// one in twenty of the rest.
    pub sampling_rules: Option<PathBuf>,
    /// How far a caller's word on a trace counts. Default: wholly, as in the service.
    pub incoming: Incoming,
    /// Begins traces in every stage, whatever its `tracingEnabled` says. Default: no.
    pub every_stage: bool,
    /// Takes the ids of spans from `tracing-opentelemetry`, which the program must have set up. Default: no.
    pub open_telemetry: bool,
    /// The address of the daemon of X-Ray that gets segments, with a port. Default: none.
    pub xray_daemon: Option<String>,
}

const INCOMING: &[(&str, Incoming)] = &[
    ("follow", Incoming::Follow),
    ("identify", Incoming::Identify),
    ("ignore", Incoming::Ignore),
];

pub(super) fn parse(object: Object<'_>, reader: &mut Reader) -> Option<TracesConfig> {
    const FIELDS: &[&str] = &[
        "samplingRules",
        "incoming",
        "everyStage",
        "openTelemetry",
        "xrayDaemon",
    ];
    let path = object.at("traces");
    let traces = reader.object(object.get("traces")?, &path, FIELDS)?;
    Some(TracesConfig {
        sampling_rules: reader.text(traces, "samplingRules").map(Into::into),
        incoming: reader
            .word(traces, "incoming", INCOMING)
            .unwrap_or_default(),
        every_stage: reader.flag(traces, "everyStage").unwrap_or_default(),
        open_telemetry: reader.flag(traces, "openTelemetry").unwrap_or_default(),
        xray_daemon: reader.text(traces, "xrayDaemon").map(str::to_owned),
    })
}

impl TracesConfig {
    pub(super) fn build(&self, folder: &Path, faults: &mut Vec<ConfigFault>) -> Traces {
        let mut fault = |field: &str, message: String| {
            faults.push(ConfigFault {
                place: format!("/traces/{field}"),
                message,
            });
        };
        let mut traces = Traces::builder("gateway").incoming(self.incoming);
        if let Some(path) = &self.sampling_rules {
            let path = folder.join(path);
            match std::fs::read_to_string(&path) {
                Err(error) => {
                    let message = format!("cannot read {}: {error}", path.display());
                    fault("samplingRules", message);
                }
                Ok(text) => match SamplingRules::from_json(&text) {
                    Ok(rules) => traces = traces.sampling(rules),
                    Err(error) => {
                        for error in error.each() {
                            fault("samplingRules", error.problem_of_value());
                        }
                    }
                },
            }
        }
        #[cfg(feature = "opentelemetry")]
        if self.open_telemetry {
            traces = traces.bridge(crate::observe::trace::OpenTelemetry::new());
        }
        #[cfg(not(feature = "opentelemetry"))]
        if self.open_telemetry {
            let message = "this program was built without the feature `opentelemetry`";
            fault("openTelemetry", message.to_owned());
        }
        #[cfg(feature = "xray")]
        if let Some(address) = &self.xray_daemon {
            match crate::observe::trace::XrayDaemon::new(address) {
                Ok(daemon) => traces = traces.xray(daemon),
                Err(error) => fault("xrayDaemon", error.to_string()),
            }
        }
        #[cfg(not(feature = "xray"))]
        if self.xray_daemon.is_some() {
            let message = "this program was built without the feature `xray`";
            fault("xrayDaemon", message.to_owned());
        }
        traces.build()
    }
}
