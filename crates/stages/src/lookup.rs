//! What a resolver is asked.

use http::HeaderMap;

/// A request, as far as a [`Resolver`](crate::Resolver) looks at it.
///
/// ```
/// use portcullis_stages::Lookup;
///
/// let asked = Lookup::new(Some("shop.example.com"), "/v1/hats").private(true);
/// # let _ = asked;
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Lookup<'r> {
    host: Option<&'r str>,
    path: &'r str,
    headers: Option<&'r HeaderMap>,
    server_name: Option<&'r str>,
    private: bool,
}

impl<'r> Lookup<'r> {
    /// For `host` (with or without a port; `None` if the client named none) and `path`, as it was sent.
    pub const fn new(host: Option<&'r str>, path: &'r str) -> Self {
        Self {
            host,
            path,
            headers: None,
            server_name: None,
            private: false,
        }
    }

    /// With these headers, for routing rules and for `x-apigw-api-id`. Without them a condition on a header (but `Host`) never fits.
    pub const fn headers(mut self, headers: &'r HeaderMap) -> Self {
        self.headers = Some(headers);
        self
    }

    /// By an encrypted connection that was opened to this name.
    pub const fn server_name(mut self, name: &'r str) -> Self {
        self.server_name = Some(name);
        self
    }

    /// Whether it came from a private network: private APIs are open to such requests alone, and to nobody else does `x-apigw-api-id` name one. Default: no.
    pub const fn private(mut self, private: bool) -> Self {
        self.private = private;
        self
    }

    pub(crate) const fn host(&self) -> Option<&'r str> {
        self.host
    }

    pub(crate) const fn path(&self) -> &'r str {
        self.path
    }

    pub(crate) const fn all_headers(&self) -> Option<&'r HeaderMap> {
        self.headers
    }

    pub(crate) const fn opened_to(&self) -> Option<&'r str> {
        self.server_name
    }

    pub(crate) const fn is_private(&self) -> bool {
        self.private
    }
}
