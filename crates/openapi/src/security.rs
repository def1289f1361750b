//! From security schemes to who may call an operation.

use indexmap::IndexMap;
use portcullis_definition::{ApiKind, AuthorizationType, AuthorizerType};

use crate::Node;
use crate::run::{At, Run, Version};

/// What a security scheme asks for.
#[derive(Clone, Debug)]
pub(crate) enum Scheme {
    /// An API key.
    ApiKey,
    /// A signature.
    Iam,
    /// What an authorizer asks for.
    Authorizer {
        /// The id of the authorizer.
        id: String,
        /// How operations say that they use it.
        kind: AuthorizationType,
    },
    /// Something that the service does not enforce.
    Unenforced,
}

/// The security schemes of a document by name.
pub(crate) type Schemes = IndexMap<String, Scheme>;

/// Who may call an operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Access {
    pub(crate) kind: AuthorizationType,
    pub(crate) authorizer_id: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) api_key: bool,
}

/// The extension that says which kind of token an `apiKey` scheme means.
const AUTH_TYPE: &str = "x-amazon-apigateway-authtype";
/// The extension that describes an authorizer.
pub(crate) const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
/// The extension that makes an operation ask for a signature.
pub(crate) const AUTH: &str = "x-amazon-apigateway-auth";

/// A security scheme in the document, with its parts at hand.
pub(crate) struct SchemeAt<'a> {
    pub(crate) name: &'a str,
    pub(crate) at: At<'a>,
    pub(crate) authorizer: Option<At<'a>>,
    pub(crate) auth_type: Option<String>,
}

impl SchemeAt<'_> {
    /// What a scheme without an authorizer asks for.
    pub(crate) fn plain(&self) -> Scheme {
        if self
            .auth_type
            .as_deref()
            .is_some_and(|word| word.eq_ignore_ascii_case("awsSigv4"))
        {
            return Scheme::Iam;
        }
        let word = |key: &str| {
            self.at
                .node
                .get(key)
                .and_then(Node::as_str)
                .unwrap_or_default()
        };
        let is_key = word("type").eq_ignore_ascii_case("apiKey")
            && word("in").eq_ignore_ascii_case("header")
            && word("name").eq_ignore_ascii_case("x-api-key");
        if is_key {
            Scheme::ApiKey
        } else {
            Scheme::Unenforced
        }
    }
}

impl<'a> Run<'a> {
    /// The security schemes of the document.
    pub(crate) fn scheme_list(&mut self) -> Vec<SchemeAt<'a>> {
        let root = self.root.clone();
        let section = match self.version {
            Version::Swagger2 => self.object(&root, "securityDefinitions"),
            Version::OpenApi3 => {
                let components = self.object(&root, "components");
                components.and_then(|components| self.object(&components, "securitySchemes"))
            }
        };
        let Some(section) = section else {
            return Vec::new();
        };
        let mut schemes = Vec::new();
        for (name, at) in section.members() {
            let Some(at) = self.resolve(at) else { continue };
            self.known_extensions(&at, &[AUTH_TYPE, AUTHORIZER]);
            let authorizer = self.object(&at, AUTHORIZER);
            let auth_type = self.some_text(&at, AUTH_TYPE);
            schemes.push(SchemeAt {
                name,
                at,
                authorizer,
                auth_type,
            });
        }
        schemes
    }

    /// How operations say that they use an authorizer of this kind.
    pub(crate) fn access_kind(kind: AuthorizerType) -> AuthorizationType {
        match kind {
            AuthorizerType::CognitoUserPools => AuthorizationType::CognitoUserPools,
            AuthorizerType::Jwt => AuthorizationType::Jwt,
            _ => AuthorizationType::Custom,
        }
    }

    /// Who may call what has no `security` of its own.
    pub(crate) fn root_access(&mut self, schemes: &Schemes) -> Access {
        let root = self.root.clone();
        self.required(&root, schemes).unwrap_or_default()
    }

    /// Who may call the operation.
    pub(crate) fn access(
        &mut self,
        operation: &At<'a>,
        schemes: &Schemes,
        inherited: &Access,
    ) -> Access {
        let own = self.required(operation, schemes);
        let is_own = own.is_some();
        let root = self.root.pointer.child("security");
        if !is_own && !self.expand(&root, inherited.scopes.len()) {
            return Access::default();
        }
        let mut access = own.unwrap_or_else(|| inherited.clone());
        let Some(auth) = self.object(operation, AUTH) else {
            return access;
        };
        self.known(&auth, &["type"]);
        let Some(kind) = self.word::<AuthorizationType>(&auth, "type", "security/auth") else {
            return access;
        };
        let pointer = auth.pointer.child("type");
        match kind {
            AuthorizationType::None | AuthorizationType::AwsIam => {
                if is_own && access.authorizer_id.is_some() {
                    self.fault(
                        &pointer,
                        "security/one-authorization",
                        "the operation has both an authorizer and an authorization type",
                        "drop one of the two",
                    );
                    return access;
                }
                access = Access {
                    kind,
                    api_key: access.api_key,
                    ..Access::default()
                };
            }
            other => self.fault(
                &pointer,
                "security/auth",
                format!("`{other}` is none of [NONE, AWS_IAM]"),
                "name the authorizer under `security`",
            ),
        }
        access
    }

    /// What the `security` of the document or of an operation asks for; `None` if it has none.
    fn required(&mut self, at: &At<'a>, schemes: &Schemes) -> Option<Access> {
        at.get("security")?;
        let mut access = Access::default();
        let mut authorizers = 0;
        // The service takes all that is listed for asked for, whether under one item or several.
        for item in self.list(at, "security") {
            for (name, scopes) in item.members() {
                match schemes.get(name) {
                    Some(Scheme::ApiKey) if self.options.kind == ApiKind::Http => self.warn(
                        &scopes.pointer,
                        "HTTP APIs know no API keys: none is asked for",
                    ),
                    Some(Scheme::ApiKey) => access.api_key = true,
                    Some(Scheme::Iam) => {
                        authorizers += 1;
                        access.kind = AuthorizationType::AwsIam;
                    }
                    Some(Scheme::Authorizer { id, kind }) => {
                        if access.authorizer_id.as_ref() != Some(id) {
                            authorizers += 1;
                        }
                        access.kind = *kind;
                        access.authorizer_id = Some(id.clone());
                        let scopes: Vec<_> = scopes.items().collect();
                        for scope in scopes {
                            access.scopes.extend(self.text_of(&scope));
                        }
                    }
                    Some(Scheme::Unenforced) => self.warn(
                        &scopes.pointer,
                        format!(
                            "the security scheme '{name}' has no authorizer, so nothing enforces it"
                        ),
                    ),
                    None => self.fault(
                        &scopes.pointer,
                        "security/scheme",
                        format!("the security scheme '{name}' is not defined"),
                        "define it, or take the requirement out",
                    ),
                }
            }
        }
        if authorizers > 1 {
            self.fault(
                &at.pointer.child("security"),
                "security/one-authorization",
                "an operation has at most one authorization besides the API key",
                "name one authorizer",
            );
        }
        Some(access)
    }
}
