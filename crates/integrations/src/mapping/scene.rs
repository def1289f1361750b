//! What a template sees of a request: `$input.params()`, `$context` and `$stageVariables`, asked for name by name.

use std::cell::OnceCell;

use http::HeaderName;
use http::header::HeaderMap;
use http::request::Parts;
use portcullis_core::{ContextValue, RequestContext, Variable};
use portcullis_templates::{Data, Field, Fields, Output, RenderError, Scope, Template};

use super::overrides::Carried;
use crate::function::{authorizer, client_cert, spelled};
use crate::headers::is_invisible;
use crate::uri::query_pairs;

/// Renders a template over a body, for a request with this head.
pub(super) fn render(
    template: &Template,
    body: &[u8],
    asked: &Parts,
    carried: &Carried,
    context: &RequestContext,
) -> Result<Output, RenderError> {
    let path = PathParameters(context);
    let query = Query(asked.uri.query());
    let header = Headers(&asked.headers);
    let facts = Facts {
        context,
        carried,
        identity: Identity {
            context,
            client_cert: OnceCell::new(),
        },
        authorizer: OnceCell::new(),
    };
    let mut scope = Scope::new(body)
        .path(&path)
        .querystring(&query)
        .header(&header)
        .context(&facts);
    if let Some(stage) = context.stage() {
        scope = scope.stage_variables(&stage.variables);
    }
    template.render(&scope)
}

/// `$input.params().path`: as the client encoded them.
struct PathParameters<'a>(&'a RequestContext);

impl Fields for PathParameters<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        Some(Field::from(self.0.route()?.parameter(name)?))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        for (name, _) in self.0.route().iter().flat_map(|route| route.parameters()) {
            visit(name);
        }
    }
}

/// `$input.params().querystring`: decoded; of several values the last.
struct Query<'a>(Option<&'a str>);

impl Fields for Query<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let (_, value) = query_pairs(self.0).filter(|(own, _)| own == name).last()?;
        let text = match String::from_utf8(value) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Some(Field::from(text))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        let mut seen = Vec::new();
        for (name, _) in query_pairs(self.0) {
            if !seen.contains(&name) {
                visit(&name);
                seen.push(name);
            }
        }
    }
}

/// `$input.params().header`: of several values the last. Letter case does not matter, since it is lost on the way.
struct Headers<'a>(&'a HeaderMap);

impl Fields for Headers<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let name = HeaderName::try_from(name).ok()?;
        if is_invisible(&name) {
            return None;
        }
        let last = self.0.get_all(name).iter().next_back()?;
        Some(Field::Text(String::from_utf8_lossy(last.as_bytes())))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        for name in self.0.keys().filter(|name| !is_invisible(name)) {
            visit(spelled(name));
        }
    }
}

/// `$context`.
struct Facts<'a> {
    context: &'a RequestContext,
    carried: &'a Carried,
    identity: Identity<'a>,
    authorizer: OnceCell<Option<Data>>,
}

impl Facts<'_> {
    /// `$context.authorizer`, if there was one.
    fn authorizer(&self) -> Option<&Data> {
        let made = self
            .authorizer
            .get_or_init(|| Data::from_serialize(&authorizer(self.context)?).ok());
        made.as_ref()
    }
}

impl Fields for Facts<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let context = self.context;
        match name {
            "identity" => Some(Field::Fields(&self.identity)),
            "authorizer" => self.authorizer().map(Field::Data),
            "requestOverride" => data(&self.carried.request),
            "responseOverride" => data(&self.carried.response),
            // These are borrowed, not looked up and copied.
            "httpMethod" => Some(Field::from(context.method().as_str())),
            "path" => Some(Field::from(context.uri().path())),
            "resourcePath" => Some(Field::from(&*context.route()?.route().template)),
            "domainName" => Some(Field::from(context.host()?)),
            "apiId" => Some(Field::from(&*context.stage()?.api_id)),
            "accountId" => Some(Field::from(&*context.stage()?.account_id)),
            "stage" => Some(Field::from(&*context.stage()?.stage)),
            name => fact(context, name),
        }
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        const ALWAYS: [&str; 18] = [
            "resourceId",
            "resourcePath",
            "httpMethod",
            "extendedRequestId",
            "requestTime",
            "path",
            "accountId",
            "protocol",
            "requestOverride",
            "stage",
            "domainPrefix",
            "requestTimeEpoch",
            "requestId",
            "identity",
            "domainName",
            "deploymentId",
            "responseOverride",
            "apiId",
        ];
        if self.authorizer().is_some() {
            visit("authorizer");
        }
        ALWAYS.into_iter().for_each(visit);
    }
}

fn data(data: &Data) -> Option<Field<'_>> {
    match data {
        Data::Null => None,
        data => Some(Field::Data(data)),
    }
}

/// The fact of this name, copied out of the context.
fn fact(context: &RequestContext, name: &str) -> Option<Field<'static>> {
    context.value(&Variable::parse(name)?, |value| {
        Some(match value? {
            ContextValue::Text(text) => Field::from(text.to_owned()),
            ContextValue::Number(number) => Field::Integer(number),
            ContextValue::Flag(flag) => Field::Boolean(flag),
            other => Field::from(other.to_string()),
        })
    })
}

/// `$context.identity`.
struct Identity<'a> {
    context: &'a RequestContext,
    client_cert: OnceCell<Option<Data>>,
}

/// The facts that are there always, if only as null.
const IDENTITY: [&str; 12] = [
    "cognitoIdentityPoolId",
    "accountId",
    "cognitoIdentityId",
    "caller",
    "sourceIp",
    "principalOrgId",
    "accessKey",
    "cognitoAuthenticationType",
    "cognitoAuthenticationProvider",
    "userArn",
    "userAgent",
    "user",
];

impl Fields for Identity<'_> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        if name == "clientCert" {
            let made = self
                .client_cert
                .get_or_init(|| Data::from_serialize(&client_cert(self.context)?).ok());
            return made.as_ref().map(Field::Data);
        }
        let found = fact(self.context, &format!("identity.{name}"));
        found.or_else(|| IDENTITY.contains(&name).then_some(Field::Null))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        IDENTITY.into_iter().for_each(&mut *visit);
        for name in ["apiKey", "apiKeyId", "clientCert", "vpcId", "vpceId"] {
            if self.field(name).is_some() {
                visit(name);
            }
        }
    }
}
