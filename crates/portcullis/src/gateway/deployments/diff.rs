//! What differs between two deployments.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::definition::Api;

/// What differs between two deployments of an API: routes, and what belongs to the whole API.
///
/// It names fields and not what is in them, so that it can be shown to whoever may know the routes. A line is printed for each route.
///
/// ```
/// use portcullis::{ApiSpec, Gateway};
///
/// let document = |path: &str| format!(r#"{{"openapi": "3.0.1", "info": {{"title": "pets", "version": "1"}}, "paths": {{
///     "{path}": {{"get": {{"x-amazon-apigateway-integration": {{"type": "mock"}}}}}}
/// }}}}"#);
/// let gateway = Gateway::builder().api(ApiSpec::rest(document("/pets")).id("shop").stage_named("prod")).build()?;
/// let handle = gateway.handle();
/// let blue = handle.stage("shop", "prod")?.deployment_id;
/// let green = handle.create_deployment("shop", document("/animals"))?.id;
/// assert_eq!(handle.diff("shop", &blue, &green)?.to_string(), "+ GET /animals\n- GET /pets");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct DeploymentDiff {
    /// The id of the deployment that is compared with.
    pub from: String,
    /// The id of the deployment that is compared.
    pub to: String,
    /// The routes that differ, in the order of their names.
    pub routes: Vec<RouteChange>,
    /// Fields of the API that belong to no single route: authorizers, models, gateway responses, settings.
    pub settings: Vec<FieldChange>,
}

/// A route that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RouteChange {
    /// Verb and path, or the key of the route: `GET /pets/{id}`, `$default`.
    pub route: String,
    /// What became of it.
    pub change: Change,
    /// Of one that is there before and after: what in it differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FieldChange {
    /// Where it stands, as a JSON pointer (RFC 6901) under the names that the service's API gives: `/methodIntegration/uri`. Of a list, items
    /// are not told apart.
    pub pointer: String,
    /// What became of it.
    pub change: Change,
}

/// What became of something from one deployment to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to differ")]
pub enum Change {
    /// It is in the later one alone.
    Added,
    /// It is in the earlier one alone.
    Removed,
    /// It is in both, and differs.
    Changed,
}

impl DeploymentDiff {
    pub(in crate::gateway) fn between(from: (&str, &Api), to: (&str, &Api)) -> Self {
        let (before, after) = (Parts::of(from.1), Parts::of(to.1));
        let mut routes = Vec::new();
        let names = before.routes.keys().chain(after.routes.keys());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let mut fields = Vec::new();
            let change = match (before.routes.get(name), after.routes.get(name)) {
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                (Some(before), Some(after)) => {
                    compare("", before, after, &mut fields);
                    Change::Changed
                }
            };
            if change != Change::Changed || !fields.is_empty() {
                let route = name.clone();
                routes.push(RouteChange {
                    route,
                    change,
                    fields,
                });
            }
        }
        let mut settings = Vec::new();
        compare("", &before.settings, &after.settings, &mut settings);
        Self {
            from: from.0.to_owned(),
            to: to.0.to_owned(),
            routes,
            settings,
        }
    }

    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.settings.is_empty()
    }
}

/// A definition, cut by what is compared with what.
struct Parts {
    routes: BTreeMap<String, Value>,
    settings: Value,
}

impl Parts {
    fn of(api: &Api) -> Self {
        let whole = match api {
            Api::Rest(api) => serde_json::to_value(api),
            Api::Http(api) => serde_json::to_value(api),
        };
        // Definitions are plain data, and their keys are texts.
        let Ok(Value::Object(mut settings)) = whole else {
            return Self {
                routes: BTreeMap::new(),
                settings: Value::Null,
            };
        };
        let routes = match api {
            Api::Rest(_) => rest_routes(settings.remove("resources")),
            Api::Http(_) => http_routes(settings.remove("routes"), settings.remove("integrations")),
        };
        for list in [
            "authorizers",
            "models",
            "requestValidators",
            "gatewayResponses",
        ] {
            if let Some(items) = settings.remove(list) {
                settings.insert(list.to_owned(), by_name(items));
            }
        }
        for told_elsewhere in ["warnings", "importInfo", "createdDate"] {
            settings.remove(told_elsewhere);
        }
        Self {
            routes,
            settings: Value::Object(settings),
        }
    }
}

fn rest_routes(resources: Option<Value>) -> BTreeMap<String, Value> {
    let mut routes = BTreeMap::new();
    for mut resource in items(resources) {
        let path = resource["path"].as_str().unwrap_or_default().to_owned();
        if let Value::Object(methods) = resource["resourceMethods"].take() {
            let named = methods.into_iter();
            routes.extend(named.map(|(verb, method)| (format!("{verb} {path}"), method)));
        }
    }
    routes
}

/// Routes with the integration that each leads to, whose id is not a matter of the definition.
fn http_routes(routes: Option<Value>, integrations: Option<Value>) -> BTreeMap<String, Value> {
    let integrations: BTreeMap<_, _> = items(integrations)
        .into_iter()
        .map(|mut integration| (take_text(&mut integration, "integrationId"), integration))
        .collect();
    let with_integration = |mut route: Value| {
        let target = take_text(&mut route, "target");
        let _ = take_text(&mut route, "routeId");
        let id = target.strip_prefix("integrations/").unwrap_or(&target);
        if let (Some(integration), Some(members)) = (integrations.get(id), route.as_object_mut()) {
            members.insert("integration".to_owned(), integration.clone());
        }
        (take_text(&mut route, "routeKey"), route)
    };
    items(routes).into_iter().map(with_integration).collect()
}

fn items(list: Option<Value>) -> Vec<Value> {
    match list {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    }
}

/// Takes a member out of an object.
fn take_text(object: &mut Value, name: &str) -> String {
    let member = object.as_object_mut().and_then(|own| own.remove(name));
    match member {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

/// A list as a map, by what its items are called.
fn by_name(list: Value) -> Value {
    let Value::Array(items) = list else {
        return list;
    };
    let named = items.into_iter().enumerate().map(|(index, mut item)| {
        for id in ["id", "authorizerId"] {
            let _ = take_text(&mut item, id);
        }
        let name = item.get("name").or_else(|| item.get("responseType"));
        let name = name.and_then(Value::as_str).map(str::to_owned);
        (name.unwrap_or_else(|| index.to_string()), item)
    });
    Value::Object(named.collect::<Map<_, _>>())
}

/// Definitions are bounded in depth by their parser, and so is this.
fn compare(pointer: &str, before: &Value, after: &Value, changes: &mut Vec<FieldChange>) {
    let (Value::Object(old), Value::Object(new)) = (before, after) else {
        if before != after {
            changes.push(FieldChange {
                pointer: pointer.to_owned(),
                change: Change::Changed,
            });
        }
        return;
    };
    let mut names: Vec<_> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        let change = match (old.get(name), new.get(name)) {
            (Some(before), Some(after)) => {
                compare(&pointer, before, after, changes);
                continue;
            }
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
        };
        changes.push(FieldChange { pointer, change });
    }
}

impl Change {
    const fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.change.sign(), self.pointer)
    }
}

impl fmt::Display for RouteChange {
    /// The route, and behind it the fields that differ.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.change.sign(), self.route)?;
        for (index, field) in self.fields.iter().enumerate() {
            write!(f, "{} {field}", if index == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for DeploymentDiff {
    /// A line for each route, then one for each setting.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.iter().map(|route| route as &dyn fmt::Display);
        let settings = self.settings.iter().map(|field| field as &dyn fmt::Display);
        for (index, line) in routes.chain(settings).enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            line.fmt(f)?;
        }
        Ok(())
    }
}
