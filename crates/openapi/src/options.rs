//! How to import.

use portcullis_definition::{ApiKind, EndpointType};

/// How to import a document. The defaults are those of the service.
///
/// ```
/// use portcullis_openapi::{BasePath, ImportOptions};
///
/// let options = ImportOptions::default().api_id("petstore").basepath(BasePath::Prepend);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ImportOptions {
    /// The kind of API to make. The default is REST.
    pub kind: ApiKind,
    /// What becomes of the document's base path. The default is to ignore it.
    pub basepath: BasePath,
    /// The id of the API. The default is `api`.
    pub api_id: String,
    /// The account that ARNs name. The default is `000000000000`.
    pub account_id: String,
    /// The region that ARNs name. The default is `us-east-1`.
    pub region: String,
    /// The partition that ARNs name. The default is `aws`.
    pub partition: String,
    /// The endpoint type, which a document does not say. The default is the service's:
    /// `EDGE` for REST, `REGIONAL` for HTTP APIs.
    pub endpoint_type: Option<EndpointType>,
    /// Whether a warning fails the import. The default is that it does not.
    pub fail_on_warnings: bool,
    /// Whether documentation parts are left out. The default is that they are kept.
    pub ignore_documentation: bool,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            kind: ApiKind::Rest,
            basepath: BasePath::Ignore,
            api_id: "api".to_owned(),
            account_id: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            partition: "aws".to_owned(),
            endpoint_type: None,
            fail_on_warnings: false,
            ignore_documentation: false,
        }
    }
}

impl ImportOptions {
    /// Makes an API of this kind.
    #[must_use]
    pub fn kind(mut self, kind: ApiKind) -> Self {
        self.kind = kind;
        self
    }

    /// Does this with the document's base path.
    #[must_use]
    pub fn basepath(mut self, basepath: BasePath) -> Self {
        self.basepath = basepath;
        self
    }

    /// Gives the API this id.
    #[must_use]
    pub fn api_id(mut self, id: impl Into<String>) -> Self {
        self.api_id = id.into();
        self
    }

    /// Names this account in ARNs.
    #[must_use]
    pub fn account_id(mut self, id: impl Into<String>) -> Self {
        self.account_id = id.into();
        self
    }

    /// Names this region in ARNs.
    #[must_use]
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// Names this partition in ARNs.
    #[must_use]
    pub fn partition(mut self, partition: impl Into<String>) -> Self {
        self.partition = partition.into();
        self
    }

    /// Gives the API this endpoint type.
    #[must_use]
    pub fn endpoint_type(mut self, endpoint_type: EndpointType) -> Self {
        self.endpoint_type = Some(endpoint_type);
        self
    }

    /// Fails the import if there is a warning.
    #[must_use]
    pub fn fail_on_warnings(mut self, fail: bool) -> Self {
        self.fail_on_warnings = fail;
        self
    }

    /// Leaves documentation parts out.
    #[must_use]
    pub fn ignore_documentation(mut self, ignore: bool) -> Self {
        self.ignore_documentation = ignore;
        self
    }
}

/// What becomes of the document's base path: `basePath` of Swagger 2.0; in OpenAPI 3 the default
/// of the server variable `basePath`, or else the path of the first server's URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BasePath {
    /// It is left out.
    #[default]
    Ignore,
    /// It stands before each path.
    Prepend,
    /// What follows its first segment stands before each path.
    Split,
}

impl std::str::FromStr for BasePath {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "ignore" => Ok(Self::Ignore),
            "prepend" => Ok(Self::Prepend),
            "split" => Ok(Self::Split),
            other => Err(format!("`{other}` is none of [ignore, prepend, split]")),
        }
    }
}

/// How large a document may be.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ParseOptions {
    /// Bytes of text. The default is 6 MiB, as in the service.
    pub max_bytes: usize,
    /// Levels of lists and objects. The default is 64, which fits a stack of 2 MiB in a build
    /// without optimisation; JSON stops at 127.
    pub max_depth: usize,
    /// YAML events that aliases may repeat, all together. The default is 100,000.
    pub max_alias_events: usize,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self {
            max_bytes: 6 * 1024 * 1024,
            max_depth: 64,
            max_alias_events: 100_000,
        }
    }
}

impl ParseOptions {
    /// Allows so many bytes of text.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Allows so many levels of lists and objects.
    #[must_use]
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }
}
