//! Where logs and metrics go.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::GatewayConfig;
use super::error::ConfigFault;
use super::reader::{Object, Reader, join};
use crate::core::ApiKind;
use crate::gateway::GatewayBuilder;
use crate::observe::{
    AccessFormat, AccessLog, Emf, ExecutionLog, LogSink, LogTarget, Metrics, Names, RollingFile,
    Rotation,
};

/// Where the lines of a log go.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogConfig {
    /// To standard output: `stdout`.
    Stdout,
    /// To standard error: `stderr`.
    Stderr,
    /// To the program's subscriber: `tracing`.
    Tracing,
    /// To the end of a file: `{ file: access.log }`.
    File(PathBuf),
    /// To files that take turns: `{ file: access.log, rotate: daily, maxBytes: 100000000, keep: 7 }` writes to `access.2026-11-28.log`, when that is full to
    /// `access.2026-11-28.1.log`, and keeps six of those before.
    RollingFile {
        /// The name, into which the time is put.
        file: PathBuf,
        /// When another one is begun. Default: never, when it is not full.
        rotate: Rotation,
        /// How many bytes one has at most. Default: as many as come.
        max_bytes: Option<u64>,
        /// How many are kept. Default: all.
        keep: Option<usize>,
    },
}

/// A log of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessLogConfig {
    /// A line, with `$context` variables, or the name of a format that is ready: `combined`, `clf`, `json`, `xml` or `csv`. Default: the combined format of web servers.
    pub format: Option<String>,
    /// Where the lines go.
    pub to: LogConfig,
}

/// Metrics as lines for CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EmfConfig {
    /// Where the lines go.
    pub to: LogConfig,
    /// The namespace of the metrics. Default: `Portcullis`.
    pub namespace: Option<String>,
    /// How many seconds samples wait for a full line at most. Default: 60.
    pub interval_in_seconds: Option<u64>,
}

/// The name of all destinations that are not named.
const OTHERS: &str = "*";

const NAMES: &[(&str, Names)] = &[
    ("both", Names::Both),
    ("service", Names::Service),
    ("conventions", Names::Conventions),
];
const ROTATIONS: &[(&str, Rotation)] = &[
    ("minutely", Rotation::Minutely),
    ("hourly", Rotation::Hourly),
    ("daily", Rotation::Daily),
    ("never", Rotation::Never),
];

/// Reads all of it.
pub(super) fn read(object: Object<'_>, config: &mut GatewayConfig, reader: &mut Reader) {
    config.metrics = reader.word(object, "metrics", NAMES);
    for (arn, path, value) in reader.map(object, "accessLogs") {
        let to = destination(value, &path, reader);
        config.access_logs.extend(to.map(|to| (arn.to_owned(), to)));
    }
    if let Some(value) = object.get("accessLog") {
        let path = object.at("accessLog");
        if let Some(own) = reader.object(value, &path, &["format", "to"]) {
            let format = reader.text(own, "format").map(str::to_owned);
            let to = to(own, reader);
            config.access_log = to.map(|to| AccessLogConfig { format, to });
        }
    }
    if let Some(value) = object.get("executionLogs") {
        config.execution_logs = destination(value, &object.at("executionLogs"), reader);
    }
    if let Some(value) = object.get("emf") {
        let path = object.at("emf");
        if let Some(own) = reader.object(value, &path, &["namespace", "intervalInSeconds", "to"]) {
            let namespace = reader.text(own, "namespace").map(str::to_owned);
            let interval_in_seconds = reader.number(own, "intervalInSeconds");
            if interval_in_seconds == Some(0) {
                let problem = "must be 1 or more; leave it out for a minute";
                reader.fault(own.at("intervalInSeconds"), problem);
            }
            config.emf = to(own, reader).map(|to| EmfConfig {
                to,
                namespace,
                interval_in_seconds,
            });
        }
    }
}

fn to(object: Object<'_>, reader: &mut Reader) -> Option<LogConfig> {
    match object.get("to") {
        Some(value) => destination(value, &object.at("to"), reader),
        None => {
            reader.fault(object.at("to"), "is missing; say where the lines go");
            None
        }
    }
}

fn destination(value: &Value, path: &str, reader: &mut Reader) -> Option<LogConfig> {
    match value.as_str() {
        Some("stdout") => return Some(LogConfig::Stdout),
        Some("stderr") => return Some(LogConfig::Stderr),
        Some("tracing") => return Some(LogConfig::Tracing),
        _ => {}
    }
    if !value.is_object() {
        let expected = "must be `stdout`, `stderr`, `tracing`, or an object with `file`, `rotate`, `maxBytes` and `keep`";
        reader.fault(path, format!("{expected}, not {value}"));
        return None;
    }
    let object = reader.object(value, path, &["file", "rotate", "maxBytes", "keep"])?;
    let file = PathBuf::from(reader.needed(object, "file")?);
    let rotate = reader.word(object, "rotate", ROTATIONS);
    let keep = reader.number(object, "keep");
    let keep = keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX));
    let max_bytes = reader.number(object, "maxBytes");
    match (rotate, max_bytes) {
        (None | Some(Rotation::Never), None) if keep.is_some() => {
            let problem = "needs `rotate` or `maxBytes`: one file is kept as it is";
            reader.fault(object.at("keep"), problem);
            None
        }
        (None | Some(Rotation::Never), None) => Some(LogConfig::File(file)),
        (rotate, max_bytes) => Some(LogConfig::RollingFile {
            file,
            rotate: rotate.unwrap_or(Rotation::Never),
            max_bytes,
            keep,
        }),
    }
}

impl LogConfig {
    fn sink(
        &self,
        name: &str,
        target: LogTarget,
        folder: &Path,
    ) -> Result<LogSink, crate::observe::ConfigError> {
        let builder = LogSink::builder(name).target(target);
        match self {
            Self::Stdout => Ok(builder.stdout()),
            Self::Stderr => Ok(builder.stderr()),
            Self::Tracing => Ok(builder.tracing()),
            Self::File(file) => builder.file(folder.join(file)),
            Self::RollingFile {
                file,
                rotate,
                max_bytes,
                keep,
            } => {
                let file = folder.join(file);
                let part = |part: Option<&std::ffi::OsStr>| {
                    part.unwrap_or_default().to_string_lossy().into_owned()
                };
                let place = file.parent().unwrap_or(folder);
                let mut files =
                    RollingFile::new(place, part(file.file_stem()), part(file.extension()))
                        .rotation(*rotate);
                if let Some(bytes) = max_bytes {
                    files = files.max_bytes(*bytes);
                }
                if let Some(keep) = keep {
                    files = files.keep(*keep);
                }
                builder.rolling_file(&files)
            }
        }
    }
}

/// Tells each fault of an error at its place.
fn tell(place: &str, error: &crate::observe::ConfigError, faults: &mut Vec<ConfigFault>) {
    faults.extend(error.each().map(|error| ConfigFault {
        place: place.to_owned(),
        message: error.problem_of_value(),
    }));
}

impl GatewayConfig {
    /// Opens a place for lines.
    fn sink(
        &self,
        place: String,
        to: &LogConfig,
        target: LogTarget,
        faults: &mut Vec<ConfigFault>,
    ) -> Option<LogSink> {
        match to.sink(&place, target, &self.folder) {
            Ok(sink) => Some(sink),
            Err(error) => {
                faults.push(ConfigFault {
                    place,
                    message: error.to_string(),
                });
                None
            }
        }
    }

    /// Sets up what is said of logs and metrics.
    pub(super) fn observed(
        &self,
        mut builder: GatewayBuilder,
        faults: &mut Vec<ConfigFault>,
    ) -> GatewayBuilder {
        for (arn, to) in &self.access_logs {
            let Some(sink) = self.sink(join("/accessLogs", arn), to, LogTarget::Access, faults)
            else {
                continue;
            };
            builder = match arn.as_str() {
                OTHERS => builder.other_log_destinations(sink),
                arn => builder.log_destination(arn, sink),
            };
        }
        if let Some(emf) = &self.emf
            && let Some(sink) = self.sink("/emf/to".to_owned(), &emf.to, LogTarget::Metrics, faults)
        {
            let mut metrics = Emf::builder();
            if let Some(namespace) = &emf.namespace {
                metrics = metrics.namespace(namespace);
            }
            if let Some(seconds) = emf.interval_in_seconds {
                metrics = metrics.interval(Duration::from_secs(seconds));
            }
            match metrics.build(sink) {
                Ok(emf) => builder = builder.emf(emf),
                Err(error) => tell("/emf/namespace", &error, faults),
            }
        }
        if let Some(log) = &self.access_log {
            let format = match &log.format {
                Some(format) => match AccessFormat::named(format, ApiKind::Rest) {
                    Some(ready) => Ok(ready),
                    None => AccessFormat::parse(format),
                },
                None => Ok(AccessFormat::combined()),
            };
            if let Err(error) = &format {
                tell("/accessLog/format", error, faults);
            }
            let sink = self.sink(
                "/accessLog/to".to_owned(),
                &log.to,
                LogTarget::Access,
                faults,
            );
            if let (Ok(format), Some(sink)) = (format, sink) {
                builder = builder.access_log(AccessLog::new(format, sink));
            }
        }
        if let Some(to) = &self.execution_logs
            && let Some(sink) = self.sink(
                "/executionLogs".to_owned(),
                to,
                LogTarget::Execution,
                faults,
            )
        {
            builder = builder.execution_log(ExecutionLog::new(sink));
        }
        match self.metrics {
            Some(names) => builder.metrics(Metrics::builder().names(names).build()),
            None => builder,
        }
    }
}
