//! From a configuration to what it describes.

use std::path::Path;

use super::callers::caller_layer;
use super::error::{ConfigError, ConfigFault};
use super::parse::{NO_DEPLOYMENTS, NO_SIGNATURES};
use super::reader::join;
use super::{ApiConfig, CredentialsConfig, FunctionPlace, GatewayConfig};
use crate::auth::credentials::MemoryCredentials;
use crate::auth::mtls::ProxyHeader;
use crate::auth::sigv4::ReplayGuard;
use crate::client::Upstreams;
use crate::core::{ApiKind, TrustedProxies};
use crate::cors::CorsRules;
use crate::definition::Pointer;
use crate::gateway::compile::truststore;
use crate::gateway::compile::{account_limit, limit_member};
use crate::gateway::{ApiSpec, Gateway, GatewayBuilder};
use crate::integrations::{Credentials, CredentialsSource};

impl GatewayConfig {
    /// The gateway that the configuration describes; definitions are read from their files. Functions of one's own are added to what
    /// this returns.
    ///
    /// # Errors
    ///
    /// The files that cannot be read, and what is wrong with settings that only other crates can judge.
    pub fn gateway(&self) -> Result<GatewayBuilder, ConfigError> {
        let mut faults = Vec::new();
        let mut builder = Gateway::builder()
            .strict(self.strict)
            .dangerously_skip_auth(self.dangerously_skip_auth)
            .trusted_proxies(self.trusted_proxies());
        if let Some(region) = &self.region {
            builder = builder.region(region);
        }
        if let Some(account_id) = &self.account_id {
            builder = builder.account_id(account_id);
        }
        for (index, api) in self.apis.iter().enumerate() {
            if let Some(api) = self.api(index, api, &mut faults) {
                builder = builder.api(api);
            }
        }
        // Where there is no TLS here, and nobody in front passes certificates on, none can be shown.
        let nobody_asks = self.tls.is_none()
            && self.client_certificate_header.is_none()
            && !self.dangerously_skip_auth;
        for (index, domain) in self.domain_names.iter().enumerate() {
            if nobody_asks && truststore(domain).is_some() {
                faults.push(ConfigFault {
                    place: format!("/domainNames/{index}/mutualTlsAuthentication"),
                    message: "needs `tls`, so that the listener asks clients for certificates, or `clientCertificateHeader`, in which `trustedProxies` pass them on".to_owned(),
                });
            }
            let mut domain = domain.clone();
            if let Some(path) = truststore(&domain).map(|path| self.folder.join(path))
                && let Some(mutual_tls) = &mut domain.mutual_tls_authentication
            {
                mutual_tls.truststore_uri = Some(path.to_string_lossy().into_owned());
            }
            builder = builder.domain(domain);
        }
        if let Some(edge) = &self.edge {
            if self.trusted_proxies.is_empty() {
                faults.push(ConfigFault {
                    place: "/edge".to_owned(),
                    message: "needs `trustedProxies`, the addresses of the network: nobody else is believed".to_owned(),
                });
            }
            builder = builder.edge(edge.clone());
        }
        if let Some(name) = &self.client_certificate_header {
            let fault = match name.parse() {
                Ok(name) if !self.trusted_proxies.is_empty() => {
                    builder = builder.client_certificate_header(ProxyHeader::of(name));
                    None
                }
                Ok(_) => Some("needs `trustedProxies`: nobody else is believed"),
                Err(_) => Some("is no name of a header"),
            };
            faults.extend(fault.map(|message| ConfigFault {
                place: "/clientCertificateHeader".to_owned(),
                message: message.to_owned(),
            }));
        }
        for (name, function) in &self.functions {
            if let Some(place) = &function.latest {
                builder = attach(builder, name, place);
            }
            for (version, place) in &function.versions {
                builder = attach(builder, &format!("{name}:{version}"), place);
            }
            for (alias, versions) in &function.aliases {
                builder = builder.function_alias(format!("{name}:{alias}"), versions.clone());
            }
        }
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.source(&self.folder));
        }
        builder = builder.assume_roles(self.assume_roles);
        if let Some(origin) = &self.aws_endpoint {
            builder = builder.aws_endpoint(origin);
        }
        builder = builder.honour_expires(self.honour_expires);
        match self.replay_guard.map(usize::try_from) {
            None => {}
            Some(Ok(capacity)) if capacity > 0 => {
                builder = builder.replay_guard(ReplayGuard::new(capacity));
            }
            Some(_) => faults.push(ConfigFault {
                place: "/replayGuard".to_owned(),
                message: NO_SIGNATURES.to_owned(),
            }),
        }
        for endpoint in &self.vpc_endpoints {
            builder = builder.vpc_endpoint(endpoint.clone());
        }
        if !self.principals.is_empty() {
            match MemoryCredentials::from_config(&self.principals) {
                Ok(keys) => builder = builder.access_keys(keys),
                Err(error) => faults.push(ConfigFault {
                    place: pointer(error.field()).to_string(),
                    message: format!("{}; {}", error.problem(), error.fix()),
                }),
            }
        }
        for (from, to) in &self.upstreams {
            let place = join("/upstreams", from);
            if let Err(error) = Upstreams::new([(from, "http://localhost")]) {
                faults.push(ConfigFault {
                    place: place.clone(),
                    message: error.to_string(),
                });
            }
            if let Some(to) = to.destination(&place, &mut faults) {
                builder = builder.upstream(from, to);
            }
        }
        for (link, to) in &self.vpc_links {
            if let Some(to) = to.destination(&join("/vpcLinks", link), &mut faults) {
                builder = builder.vpc_link(link, to);
            }
        }
        if let Some(keys) = self.keys(&mut faults) {
            builder = builder.api_keys(keys);
        }
        for plan in &self.usage_plans {
            builder = builder.usage_plan(plan.clone());
        }
        if let Some(path) = &self.quota_file {
            builder = builder.quota_file(self.folder.join(path));
        }
        if let Some(path) = &self.state_file {
            builder = builder.state_file(self.folder.join(path));
        }
        match self.kept_deployments.map(usize::try_from) {
            None => {}
            Some(Ok(deployments)) if deployments > 0 => {
                builder = builder.kept_deployments(deployments);
            }
            Some(_) => faults.push(ConfigFault {
                place: "/keptDeployments".to_owned(),
                message: NO_DEPLOYMENTS.to_owned(),
            }),
        }
        builder = self.observed(builder, &mut faults);
        if let Some(bytes) = self.cache.max_bytes {
            builder = builder.cache_max_bytes(bytes);
        }
        #[cfg(feature = "redis")]
        if let Some(shared) = self.responses_in_redis(&mut faults) {
            builder.caching.shared = Some(shared);
        }
        builder = builder
            .limit_headers(self.limit_headers)
            .limit_mode(self.limit_mode);
        #[cfg(feature = "redis")]
        if let Some(shared) = self.limits_in_redis(&mut faults) {
            builder = builder.shared_limits(shared);
        }
        #[cfg(not(feature = "redis"))]
        self.refuse_redis(&mut faults);
        if let Some(account) = &self.account {
            match account_limit(account.rate_limit, account.burst_limit) {
                Ok(Some(limit)) => builder = builder.account_limit(limit),
                Ok(None) => {}
                Err(error) => {
                    let member = limit_member(&error, "rateLimit", "burstLimit");
                    faults.push(ConfigFault {
                        place: format!("/account/throttle/{member}"),
                        message: format!("{}; {}", error.problem(), error.fix()),
                    });
                }
            }
        }
        for (name, issuer) in &self.issuers {
            match issuer.build(name, Some(&self.folder)) {
                Ok(Some(issuer)) => builder = builder.issuer(name, issuer),
                Ok(None) => {}
                Err(found) => {
                    let place = join("/issuers", name);
                    faults.extend(found.into_iter().map(|(field, message)| ConfigFault {
                        place: format!("{place}/{field}"),
                        message,
                    }));
                }
            }
        }
        if let Some(traces) = &self.traces {
            builder = builder
                .traces(traces.build(&self.folder, &mut faults))
                .trace_every_stage(traces.every_stage);
        }
        builder = builder.remarks(self.not_served());
        builder.listen = Some(self.listen.clone());
        if faults.is_empty() {
            Ok(builder)
        } else {
            Err(ConfigError { faults })
        }
    }

    /// The proxies that are believed about who the client is.
    #[must_use]
    pub fn trusted_proxies(&self) -> TrustedProxies {
        TrustedProxies::new(self.trusted_proxies.iter().copied())
            .with_header(self.forwarding_header)
    }

    /// What the configuration says that is not served yet, or not known: JSON pointers and why.
    #[must_use]
    pub fn not_served(&self) -> Vec<(String, String)> {
        let unknown = self.unknown.iter();
        unknown
            .map(|fault| (fault.place.clone(), fault.message.clone()))
            .collect()
    }

    fn api(&self, index: usize, api: &ApiConfig, faults: &mut Vec<ConfigFault>) -> Option<ApiSpec> {
        let mut read = |field: String, path: &Path| {
            let path = self.folder.join(path);
            match std::fs::read_to_string(&path) {
                Ok(text) => Some(text),
                Err(error) => {
                    faults.push(ConfigFault {
                        place: field,
                        message: format!("cannot read {}: {error}", path.display()),
                    });
                    None
                }
            }
        };
        let document = read(format!("/apis/{index}/definition"), &api.definition);
        let mut deployments = Vec::new();
        for (id, path) in &api.deployments {
            let field = format!("/apis/{index}/deployments/{id}/definition");
            deployments.extend(read(field, path).map(|text| (id.clone(), text)));
        }
        let mut spec = match api.kind {
            ApiKind::Rest => ApiSpec::rest(document?),
            ApiKind::Http => ApiSpec::http(document?),
        }
        .id(&api.id)
        .base_path(api.base_path)
        .parity(api.parity)
        .strict(api.strict)
        .unknown_route(api.unknown_route)
        .method_override(api.method_override)
        .stage_optional(api.stage_optional);
        for (stage, deprecation) in &api.deprecations {
            spec = spec.deprecation(stage, deprecation.clone());
        }
        for (id, text) in deployments {
            spec = spec.deployment(id, text);
        }
        for stage in &api.stages {
            spec = spec.stage(stage.clone());
        }
        for (stage, rules) in &api.canaries {
            spec = spec.canary(stage, rules.clone());
        }
        if let Some(endpoint_type) = api.endpoint_type {
            spec = spec.endpoint_type(endpoint_type);
        }
        if let Some(pass) = api.web_sockets {
            spec = spec.web_sockets(pass);
        }
        if let Some(bytes) = api.max_body_bytes {
            spec = spec.max_body_bytes(bytes);
        }
        if let Some(bytes) = api.max_document_bytes {
            spec = spec.max_document_bytes(bytes);
        }
        if let Some(introspection) = &api.introspection {
            let place = format!("/apis/{index}/introspection");
            spec = introspection.guard(spec, &place, self.dangerously_skip_auth, faults);
        }
        let place = format!("/apis/{index}/callerHeaders");
        if let Some(headers) = caller_layer(&api.caller_headers, &place, faults) {
            spec = spec.caller_headers(headers);
        }
        if let Some(cors) = &api.cors {
            match CorsRules::try_from(cors.clone()) {
                Ok(rules) => spec = spec.cors(rules),
                Err(error) => faults.push(ConfigFault {
                    place: format!("/apis/{index}/cors/{}", error.field()),
                    message: error.problem(),
                }),
            }
        }
        if let Some(cache) = &api.cache {
            let place = format!("/apis/{index}/cache");
            let rules = cache.clone().into_builder();
            if api.kind == ApiKind::Rest {
                let message = super::http_cache::REST.to_owned();
                faults.push(ConfigFault { place, message });
            } else if let Err(error) = rules.clone().build() {
                faults.push(ConfigFault {
                    place: format!("{place}/{}", error.field()),
                    message: format!("{}; {}", error.problem(), error.fix()),
                });
            } else {
                spec = spec.http_cache(rules);
            }
        }
        Some(spec)
    }

    /// The listener that the configuration describes. More is set on what this returns.
    ///
    /// # Errors
    ///
    /// If certificate and key cannot be used.
    #[cfg(feature = "serve")]
    pub fn server(&self) -> Result<crate::serve::ServerBuilder, ConfigError> {
        use crate::serve::{ClientCertificates, Server, TlsConfig};

        // The gateway judges who the client is: its rules change with a reload, a listener's do not.
        let mut server = Server::builder();
        for address in &self.listen {
            server = server.listen(address);
        }
        if self.listen.is_empty() {
            server = server.listen("127.0.0.1:8080");
        }
        if let Some(tls) = &self.tls {
            let certificate = self.folder.join(&tls.certificate);
            let mut config = TlsConfig::from_files(certificate, self.folder.join(&tls.key));
            // Where proxies speak TLS with the clients, they ask.
            let asks = self.client_certificate_header.is_none()
                && !self.dangerously_skip_auth
                && self
                    .domain_names
                    .iter()
                    .any(|domain| truststore(domain).is_some());
            for domain in self.domain_names.iter().filter(|_| asks) {
                let name = &domain.domain_name;
                config = match truststore(domain) {
                    Some(path) => {
                        let clients = ClientCertificates::from_file(self.folder.join(path));
                        config.client_certificates_for(name, clients)
                    }
                    // It may be below a wildcard that asks.
                    None => config.no_client_certificates_for(name),
                };
            }
            server = server
                .tls(config)
                .map_err(|error| ConfigError::one("/tls", error))?;
        }
        Ok(server)
    }
}

fn attach(builder: GatewayBuilder, name: &str, place: &FunctionPlace) -> GatewayBuilder {
    match place {
        FunctionPlace::Url(url) => builder.function_url(name, url),
        FunctionPlace::Lambda(arn) => builder.function_lambda(name, arn),
        FunctionPlace::Mock(reply) => builder.function_mock(name, reply.clone()),
    }
}

impl CredentialsConfig {
    fn source(&self, folder: &Path) -> CredentialsSource {
        match self {
            Self::Static {
                access_key_id,
                secret_access_key,
                session_token,
            } => {
                let credentials = Credentials::new(access_key_id, secret_access_key.expose());
                CredentialsSource::from(match session_token {
                    Some(token) => credentials.with_session_token(token.expose()),
                    None => credentials,
                })
            }
            Self::Environment => CredentialsSource::environment(),
            Self::Profile(name) => CredentialsSource::profile(name),
            Self::WebIdentity {
                role_arn,
                token_file,
            } => CredentialsSource::web_identity(role_arn, folder.join(token_file)),
        }
    }
}

/// `principals[0].arn` as a JSON pointer.
pub(super) fn pointer(field: &str) -> Pointer {
    let segments = field.split(['.', '[', ']']);
    segments
        .filter(|segment| !segment.is_empty())
        .fold(Pointer::root(), |path, segment| path.child(segment))
}
