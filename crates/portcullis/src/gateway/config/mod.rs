//! One configuration file for a whole gateway.

mod again;
mod backends;
mod build;
mod cache;
mod callers;
mod canary;
mod endpoints;
mod environment;
mod error;
mod http_cache;
mod issuers;
mod keys;
mod observe;
mod parse;
mod reader;
mod shared;
mod traces;
mod upstreams;
mod wording;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::api::{Parity, UnknownRoute};
use super::canary::CanaryRules;
use super::edge::Edge;
use crate::auth::access::VpcEndpoint;
use crate::auth::credentials::PrincipalConfig;
use crate::cache::http::HttpCacheConfig;
use crate::client::UpstreamPoolConfig;
use crate::core::{ApiKind, ForwardingHeader, Mode};
use crate::cors::CorsConfig;
use crate::definition::{ApiKey, DomainName, EndpointType, SecretValue, Stage, UsagePlan};
use crate::integrations::FunctionAlias;
use crate::observe::Names;
use crate::openapi::{self, BasePath, ParseOptions};
use crate::stages::Deprecation;
use crate::throttle::Headers;
use reader::Reader;

pub use cache::CacheConfig;
pub use callers::IntrospectionConfig;
pub use error::{ConfigError, ConfigFault};
pub use issuers::IssuerConfig;
pub use observe::{AccessLogConfig, EmfConfig, LogConfig};
pub use shared::{LimitsAway, RedisConfig, SharedLimitsConfig};
pub use traces::TracesConfig;

/// Everything that a gateway is set up with, as one file says it: in YAML, JSON or TOML.
///
/// ```
/// use portcullis::{ConfigFormat, GatewayConfig};
///
/// let config = GatewayConfig::parse("
/// listen: 127.0.0.1:8080
/// apis:
///   - id: petstore
///     kind: rest
///     definition: export.json
///     stages: [{ stageName: prod, variables: { backend: pets.example.com } }]
/// upstreams:
///   http://pets.example.com: http://127.0.0.1:9000
/// ", ConfigFormat::Yaml)?;
/// assert_eq!(config.apis[0].id, "petstore");
///
/// let error = GatewayConfig::parse("{\"apis\": [], \"lisen\": \"\"}", ConfigFormat::Json).unwrap_err();
/// assert_eq!(error.to_string(), "/lisen: no such field; did you mean `listen`?");
/// # Ok::<(), portcullis::ConfigError>(())
/// ```
///
/// `${NAME}` in a value is the environment variable of that name, `${NAME:-default}` has a default, and `$${` stands for `${`. A field
/// that is not known is an error that names the nearest one; in objects of the service (stages, domains, plans, keys) it is
/// a line of the coverage report.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// Where to listen: addresses or host names, with ports. Default: `127.0.0.1:8080`.
    pub listen: Vec<String>,
    /// Certificate and key for TLS. Default: none, in the clear.
    pub tls: Option<TlsFiles>,
    /// The region that ARNs and host names say. Default: `us-east-1`.
    pub region: Option<String>,
    /// The account that ARNs say.
    pub account_id: Option<String>,
    /// The APIs.
    pub apis: Vec<ApiConfig>,
    /// Usage plans, with the ids of their keys: which stages the keys open.
    pub usage_plans: Vec<UsagePlan>,
    /// API keys.
    pub api_keys: Vec<ApiKey>,
    /// A file with more API keys: CSV as the service imports it, or the JSON of `get-api-keys`.
    pub api_key_file: Option<PathBuf>,
    /// The file in which used quotas outlive a restart. Default: none, they are counted anew.
    pub quota_file: Option<PathBuf>,
    /// The file in which what operators do outlives a restart. Default: none, each start begins with what the configuration says.
    pub state_file: Option<PathBuf>,
    /// The deployments of each API that are kept to be rolled back to. Default: 20.
    pub kept_deployments: Option<u64>,
    /// Where access logs of stages go, by the `destinationArn` that they name; `*` stands for all others. Default: nowhere, and the coverage report says so.
    pub access_logs: BTreeMap<String, LogConfig>,
    /// A log of every request, also of those that no stage serves. Default: none.
    pub access_log: Option<AccessLogConfig>,
    /// Where execution logs go. Default: nowhere, and the coverage report says so.
    pub execution_logs: Option<LogConfig>,
    /// Metrics, through the facade of the `metrics` crate: the program installs an exporter. Default: none.
    pub metrics: Option<Names>,
    /// Metrics as lines for CloudWatch. Default: none.
    pub emf: Option<EmfConfig>,
    /// What clients are told of their limits. Default: nothing, as by the service.
    pub limit_headers: Headers,
    /// Whether limits and quotas refuse requests, or only say what they would refuse. Default: they refuse.
    pub limit_mode: Mode,
    /// The store that several gateways share. Default: none.
    pub redis: Option<RedisConfig>,
    /// How limits are counted in that store. Default: each gateway counts for itself.
    pub shared_limits: Option<SharedLimitsConfig>,
    /// Custom domains, with their mappings.
    pub domain_names: Vec<DomainName>,
    /// Functions by the name that integration URIs give.
    pub functions: BTreeMap<String, FunctionConfig>,
    /// Origins that are reached elsewhere: `https://from` to `http://to`, or to a pool.
    pub upstreams: BTreeMap<String, UpstreamConfig>,
    /// Where VPC links lead, by the id of the link or the ARN of what is behind it.
    pub vpc_links: BTreeMap<String, UpstreamConfig>,
    /// Issuers that stand in for those that definitions name, by that name.
    pub issuers: BTreeMap<String, IssuerConfig>,
    /// Credentials for calls of AWS: of services, and of functions that are not attached.
    pub credentials: Option<CredentialsConfig>,
    /// Assumes the role that an integration names for its calls. Default: the credentials sign them all.
    pub assume_roles: bool,
    /// The origin at which all AWS services are called. Default: Amazon's own.
    pub aws_endpoint: Option<String>,
    /// The account's own limits. Default: none.
    pub account: Option<AccountConfig>,
    /// Where responses are cached.
    pub cache: CacheConfig,
    /// Who signs requests, with access keys and policies.
    pub principals: Vec<PrincipalConfig>,
    /// Lets presigned URLs live for as long as their `X-Amz-Expires` says. Default: for five minutes, as in the service.
    pub honour_expires: bool,
    /// Lets each signature pass once, and remembers this many. Default: signatures can be used again.
    pub replay_guard: Option<u64>,
    /// VPC endpoints, as networks.
    pub vpc_endpoints: Vec<VpcEndpoint>,
    /// Networks whose word on the client's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The header in which they give it. Default: `X-Forwarded-For`.
    pub forwarding_header: ForwardingHeader,
    /// The content network in front of edge-optimised APIs, whose addresses are among those networks. Default: none.
    pub edge: Option<Edge>,
    /// The header in which those networks pass the certificates of clients on. Default: none, and certificates are those that the listener was shown.
    pub client_certificate_header: Option<String>,
    /// Follows traces. Default: nobody does.
    pub traces: Option<TracesConfig>,
    /// Makes it an error if a field of any definition is not served yet.
    pub strict: bool,
    /// Serves what needs auth to everyone, and asks for nothing of it. For a laptop only.
    pub dangerously_skip_auth: bool,
    /// What relative paths are relative to: the folder of the file.
    pub folder: PathBuf,
    /// Fields of the service's objects that are not known, each with the one that may have been meant.
    pub unknown: Vec<ConfigFault>,
}

/// One API of a [`GatewayConfig`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ApiConfig {
    /// The API's id.
    pub id: String,
    /// Whether it is a REST or an HTTP API. Default: REST.
    pub kind: ApiKind,
    /// The file with the OpenAPI document.
    pub definition: PathBuf,
    /// What becomes of the document's base path. Default: it is ignored.
    pub base_path: BasePath,
    /// The endpoint type.
    pub endpoint_type: Option<EndpointType>,
    /// Other documents by deployment id, for stages that name one.
    pub deployments: BTreeMap<String, PathBuf>,
    /// The stages.
    pub stages: Vec<Stage>,
    /// Who gets the canaries of stages, and how their shares rise, by stage.
    pub canaries: BTreeMap<String, CanaryRules>,
    /// The standard CORS layer, for an API that has no CORS of its own.
    pub cors: Option<CorsConfig>,
    /// The cache by RFC 9111 of an HTTP API. Default: none, as in the service.
    pub cache: Option<HttpCacheConfig>,
    /// How the service's hazards are treated.
    pub parity: Parity,
    /// Makes it an error if a field of the definition is not served yet.
    pub strict: bool,
    /// What a client gets for a path or method that the API does not have.
    pub unknown_route: UnknownRoute,
    /// Serves requests with the header `X-HTTP-Method-Override` as ones with that method.
    pub method_override: bool,
    /// Lets WebSockets through `HTTP_PROXY` integrations. Default: yes, and no with `parity: strict`.
    pub web_sockets: Option<bool>,
    /// The largest request body, in bytes. Default: 10 MiB.
    pub max_body_bytes: Option<u64>,
    /// The largest document, in bytes. Default: 6 MiB.
    pub max_document_bytes: Option<usize>,
    /// Lets requests leave the stage's name out of the path.
    pub stage_optional: bool,
    /// Routes whose callers show opaque tokens, and who is asked about those.
    pub introspection: Option<IntrospectionConfig>,
    /// Headers that tell integrations of the caller, by name: the variables of `$context` whose values they have.
    pub caller_headers: BTreeMap<String, String>,
    /// What clients are told of stages that go away, by the stage's name.
    pub deprecations: BTreeMap<String, Deprecation>,
}

/// A function, with what it has of versions and aliases.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FunctionConfig {
    /// Where calls without a version go.
    pub latest: Option<FunctionPlace>,
    /// Where its versions are.
    pub versions: BTreeMap<String, FunctionPlace>,
    /// Names for its versions.
    pub aliases: BTreeMap<String, FunctionAlias>,
}

/// How a function is reached.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum FunctionPlace {
    /// At an endpoint that speaks the Lambda Invoke API.
    Url(String),
    /// In AWS Lambda: its ARN, or its name in the gateway's region.
    Lambda(String),
    /// Not at all: each call is answered with this JSON.
    Mock(Value),
}

/// Where requests go instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UpstreamConfig {
    /// To another origin.
    Origin(String),
    /// To one of several targets.
    Pool(UpstreamPoolConfig),
}

/// Where certificate and key are, in PEM.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate, and the rest of its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Credentials for calls of AWS services.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CredentialsConfig {
    /// These.
    Static {
        /// The id of the key.
        access_key_id: String,
        /// The key.
        secret_access_key: SecretValue,
        /// The token of a temporary key.
        session_token: Option<SecretValue>,
    },
    /// Those in `AWS_ACCESS_KEY_ID` and the like.
    Environment,
    /// Those of a profile in the files that the tools of AWS share.
    Profile(String),
    /// Those of a role that whoever has a token may assume.
    WebIdentity {
        /// The role's ARN.
        role_arn: String,
        /// The file with the token. It is read anew each time.
        token_file: PathBuf,
    },
}

/// The limits of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AccountConfig {
    /// Requests per second.
    pub rate_limit: Option<f64>,
    /// Requests at once.
    pub burst_limit: Option<u64>,
}

/// The languages that a configuration can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConfigFormat {
    /// YAML
    Yaml,
    /// JSON
    Json,
    /// TOML
    Toml,
}

impl ConfigFormat {
    /// The format that a file's ending says.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

impl GatewayConfig {
    /// Reads a file; its ending says the format.
    ///
    /// # Errors
    ///
    /// That the file cannot be read, or every fault in it.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_with(path, |name| std::env::var(name).ok())
    }

    /// Reads a file, with variables from somewhere else than the environment.
    ///
    /// # Errors
    ///
    /// That the file cannot be read, or every fault in it.
    pub fn load_with(
        path: impl AsRef<Path>,
        variables: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let format = ConfigFormat::of(path).ok_or_else(|| {
            ConfigError::one(path.display(), "the name must end in .yaml, .json or .toml")
        })?;
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::one(path.display(), error))?;
        let mut config = Self::parse_with(&text, format, variables)?;
        // The parent of a bare name is empty, which is no folder that can be listed.
        let folder = path.parent().filter(|own| !own.as_os_str().is_empty());
        config.folder = folder.unwrap_or_else(|| Path::new(".")).to_path_buf();
        Ok(config)
    }

    /// Reads a text. Relative paths in it are relative to the working folder.
    ///
    /// # Errors
    ///
    /// Every fault in it.
    pub fn parse(text: &str, format: ConfigFormat) -> Result<Self, ConfigError> {
        Self::parse_with(text, format, |name| std::env::var(name).ok())
    }

    /// Reads a text, with variables from somewhere else than the environment.
    ///
    /// # Errors
    ///
    /// Every fault in it.
    pub fn parse_with(
        text: &str,
        format: ConfigFormat,
        variables: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let mut tree = tree(text, format)?;
        let mut reader = Reader::default();
        environment::expand(&mut tree, "", &variables, &mut reader);
        Self::read(&tree, reader)
    }

    fn read(tree: &Value, mut reader: Reader) -> Result<Self, ConfigError> {
        let config = parse::gateway(tree, &mut reader);
        if reader.faults.is_empty() {
            let mut config = config.unwrap_or_default();
            config.unknown = reader.unknown;
            Ok(config)
        } else {
            Err(ConfigError {
                faults: reader.faults,
            })
        }
    }
}

impl<'de> Deserialize<'de> for GatewayConfig {
    /// Takes any format that `serde` knows. Variables are not filled in here.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let tree = Value::deserialize(deserializer)?;
        Self::read(&tree, Reader::default()).map_err(serde::de::Error::custom)
    }
}

/// The text as a tree, read by the same parsers and within the same limits as documents.
fn tree(text: &str, format: ConfigFormat) -> Result<Value, ConfigError> {
    match format {
        ConfigFormat::Toml => {
            let table: toml::Table =
                toml::from_str(text).map_err(|error| ConfigError::one("", error))?;
            serde_json::to_value(table).map_err(|error| ConfigError::one("", error))
        }
        _ => {
            let document =
                openapi::parse_with(text, &ParseOptions::default()).map_err(|errors| {
                    // Those are the service's words on definitions; the reason stands in the fix.
                    let reasons: Vec<_> = errors.faults().iter().map(|fault| &*fault.fix).collect();
                    ConfigError::one("", reasons.join("; "))
                })?;
            serde_json::to_value(document.root()).map_err(|error| ConfigError::one("", error))
        }
    }
}
