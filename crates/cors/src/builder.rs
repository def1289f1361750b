//! From what a user says to checked rules.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use crate::error::{ConfigError, Fault};
use crate::grant::Grant;
use crate::origin::{AsyncPredicate, Origins, Pattern, Predicate};
use crate::preflight::{Answers, Names, Parts};
use crate::rules::{Conduct, CorsRules};

const ORIGINS: &str = "allowOrigins";
const METHODS: &str = "allowMethods";
const HEADERS: &str = "allowHeaders";
const EXPOSE: &str = "exposeHeaders";
const MAX_AGE: &str = "maxAge";
const PRIVATE_NETWORK: &str = "allowPrivateNetwork";

/// The methods that an HTTP API can name.
const HTTP_API_METHODS: [&str; 7] = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"];
/// The longest time that an HTTP API can name, in seconds.
const HTTP_API_MAX_AGE: i64 = 86_400;

/// What the answer to a preflight depends on, by whether the origin matters and a private network is allowed.
const VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
const VARY_PRIVATE: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, \
    Access-Control-Request-Private-Network";
const VARY_FIXED: &str = "Access-Control-Request-Method, Access-Control-Request-Headers";
const VARY_FIXED_PRIVATE: &str = "Access-Control-Request-Method, Access-Control-Request-Headers, \
    Access-Control-Request-Private-Network";

/// Collects what [`CorsRules`] are made of. Each setter replaces what was set by it before.
#[derive(Clone, Default)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct CorsRulesBuilder {
    conduct: Conduct,
    origins: Vec<String>,
    predicate: Option<Predicate>,
    async_predicate: Option<AsyncPredicate>,
    methods: Names,
    headers: Names,
    expose: Vec<String>,
    max_age: Option<i64>,
    credentials: bool,
    private_network: bool,
    omit_vary: bool,
}

impl CorsRulesBuilder {
    /// Sets the book by which the rules are applied. By default, the standard's.
    pub const fn conduct(mut self, conduct: Conduct) -> Self {
        self.conduct = conduct;
        self
    }

    /// Sets the allowed origins: `https://app.example`, `https://*.app.example` (hosts of any depth under it),
    /// `https://*` and `http://*` (any host), `null`, `*` (any). By default, none.
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item: AsRef<str>>) -> Self {
        self.origins = strings(origins);
        self
    }

    /// Allows, besides [`allow_origins`](Self::allow_origins), what the predicate says yes to.
    ///
    /// It is asked about `null` too, and about anything that a client makes up.
    pub fn allow_origins_if(
        mut self,
        predicate: impl Fn(&HeaderValue) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.predicate = Some(Arc::new(predicate));
        self
    }

    /// Allows, besides all others, what the asynchronous predicate says yes to; it is asked last. Its future
    /// is boxed.
    ///
    /// The service is called meanwhile: its answer waits for the predicate, its work does not.
    pub fn allow_origins_if_async<P, F>(mut self, predicate: P) -> Self
    where
        P: Fn(HeaderValue) -> F + Send + Sync + 'static,
        F: Future<Output = bool> + Send + 'static,
    {
        self.async_predicate = Some(Arc::new(move |origin| Box::pin(predicate(origin))));
        self
    }

    /// Sets the methods that preflights are told, or `*`. Browsers allow `GET`, `HEAD` and `POST` anyway.
    pub fn allow_methods(mut self, methods: impl IntoIterator<Item: AsRef<str>>) -> Self {
        self.methods = names(methods);
        self
    }

    /// Tells each preflight the method that it asked for: all are allowed, with credentials too.
    pub fn mirror_methods(mut self) -> Self {
        self.methods = Names::Mirror;
        self
    }

    /// Sets the request headers that preflights are told, or `*`, which browsers take for all but
    /// `Authorization`.
    pub fn allow_headers(mut self, headers: impl IntoIterator<Item: AsRef<str>>) -> Self {
        self.headers = names(headers);
        self
    }

    /// Tells each preflight the headers that it asked for: all are allowed, with credentials too.
    pub fn mirror_headers(mut self) -> Self {
        self.headers = Names::Mirror;
        self
    }

    /// Sets the response headers that scripts may read besides the few that they always may, or `*`.
    pub fn expose_headers(mut self, headers: impl IntoIterator<Item: AsRef<str>>) -> Self {
        self.expose = strings(headers);
        self
    }

    /// Sets for how long browsers may keep the answer to a preflight, in whole seconds. Browsers have limits of
    /// their own (two hours in some) and keep it for five seconds if nothing is said.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX));
        self
    }

    /// Sets the seconds of [`max_age`](Self::max_age) as a number, of which -1 forbids to keep the answer.
    pub const fn max_age_seconds(mut self, seconds: i64) -> Self {
        self.max_age = Some(seconds);
        self
    }

    /// Sets whether requests may carry cookies and the like. By default, they may not.
    pub const fn allow_credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// Sets whether pages of public networks may send requests to this service in a private one. By default,
    /// they may not. Only in [`Conduct::Standard`].
    pub const fn allow_private_network(mut self, allow: bool) -> Self {
        self.private_network = allow;
        self
    }

    /// Leaves `Vary` alone, as the managed service is documented to do. Only in [`Conduct::HttpApi`], and
    /// only where no cache stands in between: it would serve what one origin was told to another.
    pub const fn omit_vary(mut self, omit: bool) -> Self {
        self.omit_vary = omit;
        self
    }

    /// Checks the rules and compiles them.
    ///
    /// # Errors
    /// If a value is none that its field takes, if a wildcard stands together with credentials, or if the
    /// conduct does not know a setting. Nothing is ever left out silently.
    pub fn build(self) -> Result<CorsRules, ConfigError> {
        let patterns = self.check_origins()?;
        if let Names::List(methods) = &self.methods {
            for method in methods {
                self.check_method(method)?;
            }
        }
        if let Names::List(headers) = &self.headers {
            check_names(HEADERS, headers.iter().map(AsRef::as_ref))?;
        }
        check_names(EXPOSE, self.expose.iter().map(String::as_str))?;
        self.check_max_age()?;
        match self.conduct {
            Conduct::Standard => self.check_wildcards()?,
            Conduct::HttpApi => self.check_http_api()?,
        }
        self.compile(patterns)
    }

    fn check_origins(&self) -> Result<Vec<Pattern>, ConfigError> {
        let mut patterns = Vec::with_capacity(self.origins.len());
        for text in &self.origins {
            let pattern = Pattern::parse(text)
                .map_err(|fix| ConfigError::new(ORIGINS, text, Fault::Invalid, fix))?;
            if self.conduct == Conduct::Standard && pattern.names_default_port() {
                let fix = "browsers leave the scheme's own port out: leave it out too";
                return Err(ConfigError::new(ORIGINS, text, Fault::Invalid, fix));
            }
            let wildcard = match &pattern {
                Pattern::Any => true,
                // As wide as `*`, but echoed: it would hand every site of the scheme the user's cookies.
                Pattern::Scheme(_) => self.conduct == Conduct::Standard,
                Pattern::Subdomains { .. } | Pattern::Exact(_) => false,
            };
            if wildcard && self.credentials {
                return Err(ConfigError::new(
                    ORIGINS,
                    text,
                    Fault::WildcardWithCredentials,
                    "name the origins, or set allowCredentials to false",
                ));
            }
            patterns.push(pattern);
        }
        Ok(patterns)
    }

    fn check_method(&self, method: &str) -> Result<(), ConfigError> {
        let invalid = |fix| Err(ConfigError::new(METHODS, method, Fault::Invalid, fix));
        if method == "*" {
            return Ok(());
        }
        if self.conduct == Conduct::HttpApi && !HTTP_API_METHODS.contains(&method) {
            return invalid(
                "an HTTP API knows DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT and `*`",
            );
        }
        if Method::from_bytes(method.as_bytes()).is_err() {
            return invalid("a method is a word without spaces, as in a request line");
        }
        // Browsers compare with case, and `patch` is what they would then never find.
        if HTTP_API_METHODS.contains(&method.to_ascii_uppercase().as_str())
            && !HTTP_API_METHODS.contains(&method)
        {
            return invalid("methods are compared with their case: write it in capitals");
        }
        Ok(())
    }

    fn check_max_age(&self) -> Result<(), ConfigError> {
        let invalid =
            |seconds: i64, fix| ConfigError::new(MAX_AGE, seconds.to_string(), Fault::Invalid, fix);
        match (self.max_age, self.conduct) {
            (Some(seconds), _) if seconds < -1 => Err(invalid(
                seconds,
                "give seconds, 0, or -1 to forbid keeping the answer",
            )),
            (Some(seconds), Conduct::HttpApi) if seconds > HTTP_API_MAX_AGE => {
                Err(invalid(seconds, "an HTTP API takes at most 86400 seconds"))
            }
            _ => Ok(()),
        }
    }

    /// Fetch, "HTTP new-header syntax": with credentials, a `*` in one of the lists is a name like any other.
    fn check_wildcards(&self) -> Result<(), ConfigError> {
        if self.credentials {
            let wildcard = |field, fix| {
                Err(ConfigError::new(
                    field,
                    "*",
                    Fault::WildcardWithCredentials,
                    fix,
                ))
            };
            if self.methods != Names::Mirror && self.methods.has("*") {
                return wildcard(METHODS, "name the methods, or mirror those asked for");
            }
            if self.headers != Names::Mirror && self.headers.has("*") {
                return wildcard(HEADERS, "name the headers, or mirror those asked for");
            }
            if self.expose.iter().any(|name| name == "*") {
                return wildcard(EXPOSE, "name the headers");
            }
        }
        if self.omit_vary {
            return Err(ConfigError::new(
                "omitVary",
                "true",
                Fault::Invalid,
                "the standard needs `Vary`; only Conduct::HttpApi can leave it out",
            ));
        }
        Ok(())
    }

    /// What the managed service would not take.
    fn check_http_api(&self) -> Result<(), ConfigError> {
        let foreign = |field, value: &str, fix| {
            Err(ConfigError::new(field, value, Fault::NotInThisConduct, fix))
        };
        const FIX: &str = "use Conduct::Standard";
        let taken = |origin: &&String| match Pattern::parse(origin) {
            Ok(Pattern::Any) => true,
            Ok(Pattern::Scheme(scheme)) => matches!(&*scheme, "http://" | "https://"),
            Ok(Pattern::Exact(origin)) => *origin != *"null",
            Ok(Pattern::Subdomains { .. }) | Err(_) => false,
        };
        if let Some(origin) = self.origins.iter().find(|origin| !taken(origin)) {
            return foreign(
                ORIGINS,
                origin,
                "it takes exact origins, `*`, `http://*` and `https://*`; or use Conduct::Standard",
            );
        }
        if self.predicate.is_some() || self.async_predicate.is_some() {
            return foreign(ORIGINS, "predicate", FIX);
        }
        if self.methods == Names::Mirror {
            return foreign(METHODS, "mirror", FIX);
        }
        if self.headers == Names::Mirror {
            return foreign(HEADERS, "mirror", FIX);
        }
        if self.private_network {
            return foreign(PRIVATE_NETWORK, "true", FIX);
        }
        Ok(())
    }

    fn compile(self, patterns: Vec<Pattern>) -> Result<CorsRules, ConfigError> {
        const ANY: HeaderValue = HeaderValue::from_static("*");
        let http_api = self.conduct == Conduct::HttpApi;
        let any = patterns.contains(&Pattern::Any);
        let methods = value(METHODS, self.methods.joined(), self.methods.is_empty())?;
        // An HTTP API says that no header is allowed with an empty list; browsers read its absence alike.
        let no_headers = !http_api && self.headers.is_empty();
        let headers = value(HEADERS, self.headers.joined(), no_headers)?;
        let expose = value(EXPOSE, Some(self.expose.join(",")), self.expose.is_empty())?;
        let wildcard = any.then_some(ANY);
        // An HTTP API says nothing to requests without an origin, so there even `*` depends on it.
        let fixed = (any && !http_api).then(|| Grant {
            origin: Some(ANY),
            expose: expose.clone(),
            credentials: false,
            vary: false,
        });
        let vary = fixed.is_none() && !self.omit_vary;
        let preflight_vary = match (fixed.is_none(), self.private_network) {
            (true, false) => VARY,
            (true, true) => VARY_PRIVATE,
            (false, false) => VARY_FIXED,
            (false, true) => VARY_FIXED_PRIVATE,
        };
        let parts = Parts {
            fixed_origin: wildcard.clone(),
            methods,
            headers,
            expose: expose.clone().filter(|_| http_api),
            max_age: self.max_age,
            credentials: self.credentials,
            vary: (!self.omit_vary).then(|| HeaderValue::from_static(preflight_vary)),
        };
        Ok(CorsRules {
            conduct: self.conduct,
            answers: Answers::new(parts, &self.methods, &self.headers, self.private_network),
            origins: Origins::new(patterns, http_api, self.predicate, self.async_predicate),
            methods: self.methods,
            headers: self.headers,
            fixed,
            wildcard,
            expose,
            credentials: self.credentials,
            vary,
        })
    }
}

impl fmt::Debug for CorsRulesBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorsRulesBuilder")
            .field("conduct", &self.conduct)
            .field("origins", &self.origins)
            .field("predicate", &self.predicate.is_some())
            .field("async_predicate", &self.async_predicate.is_some())
            .field("methods", &self.methods)
            .field("headers", &self.headers)
            .field("expose", &self.expose)
            .field("max_age", &self.max_age)
            .field("credentials", &self.credentials)
            .field("private_network", &self.private_network)
            .field("omit_vary", &self.omit_vary)
            .finish()
    }
}

fn strings(texts: impl IntoIterator<Item: AsRef<str>>) -> Vec<String> {
    texts.into_iter().map(|t| t.as_ref().to_owned()).collect()
}

fn names(texts: impl IntoIterator<Item: AsRef<str>>) -> Names {
    Names::List(texts.into_iter().map(|t| t.as_ref().into()).collect())
}

fn check_names<'a>(
    field: &'static str,
    mut names: impl Iterator<Item = &'a str>,
) -> Result<(), ConfigError> {
    match names.find(|name| *name != "*" && HeaderName::from_bytes(name.as_bytes()).is_err()) {
        None => Ok(()),
        Some(name) => Err(ConfigError::new(
            field,
            name,
            Fault::Invalid,
            "write one header name an item, without spaces",
        )),
    }
}

/// A list as a header has it, ready to be cloned without an allocation; none where there is nothing to say.
fn value(
    field: &'static str,
    list: Option<String>,
    leave_out: bool,
) -> Result<Option<HeaderValue>, ConfigError> {
    let Some(list) = list.filter(|_| !leave_out) else {
        return Ok(None);
    };
    let value = HeaderValue::from_str(&list).map_err(|_| {
        ConfigError::new(field, list, Fault::Invalid, "names are plain ASCII words")
    })?;
    // The first clone turns the value into a shared one, which allocates: here, not on a request.
    drop(value.clone());
    Ok(Some(value))
}
