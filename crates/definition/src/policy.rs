//! Resource policies.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A resource policy: a JSON object, which the service's tools print as text.
///
/// ```
/// use portcullis_definition::Policy;
///
/// let policy: Policy = serde_json::from_str(r#""{\"Version\":\"2012-10-17\"}""#)?;
/// assert_eq!(policy.as_value()["Version"], "2012-10-17");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Policy(Value);

impl Policy {
    /// The policy of this document.
    #[must_use]
    pub fn new(document: Value) -> Self {
        Self(document)
    }

    /// The policy as JSON.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// This policy with each resource `execute-api:/…` written out as `{prefix}/…`, where `prefix`
    /// is the ARN of the API.
    #[must_use]
    pub fn expanded(&self, prefix: &str) -> Self {
        let mut document = self.0.clone();
        let statements = match document.get_mut("Statement") {
            Some(Value::Array(statements)) => statements.as_mut_slice(),
            Some(statement) => std::slice::from_mut(statement),
            None => &mut [],
        };
        for statement in statements {
            for member in ["Resource", "NotResource"] {
                let resources = match statement.get_mut(member) {
                    Some(Value::Array(resources)) => resources.as_mut_slice(),
                    Some(resource) => std::slice::from_mut(resource),
                    None => &mut [],
                };
                for resource in resources {
                    if let Value::String(text) = resource
                        && let Some(path) = text.strip_prefix("execute-api:/")
                    {
                        *text = format!("{prefix}/{path}");
                    }
                }
            }
        }
        Self(document)
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PolicyVisitor;

        impl<'de> Visitor<'de> for PolicyVisitor {
            type Value = Policy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a policy as an object or as its JSON text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Policy, E> {
                // `get-rest-api` escapes the quotes of the policy once more than JSON needs.
                serde_json::from_str(text)
                    .or_else(|error| {
                        serde_json::from_str::<String>(&format!("\"{text}\""))
                            .and_then(|unescaped| serde_json::from_str(&unescaped))
                            .map_err(|_| error)
                    })
                    .map(Policy)
                    .map_err(|error| E::custom(format_args!("the policy is not JSON: {error}")))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Policy, A::Error> {
                Value::deserialize(de::value::MapAccessDeserializer::new(map)).map(Policy)
            }
        }

        deserializer.deserialize_any(PolicyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_policy_reads_as_object_as_text_and_as_text_escaped_twice() {
        let expected = Policy::new(json!({"Version": "2012-10-17"}));
        for text in [
            r#"{"Version":"2012-10-17"}"#,
            r#""{\"Version\":\"2012-10-17\"}""#,
            r#""{\\\"Version\\\":\\\"2012-10-17\\\"}""#,
        ] {
            assert_eq!(
                serde_json::from_str::<Policy>(text).unwrap(),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn short_resources_are_written_out_in_both_shapes() {
        let policy = Policy::new(json!({"Statement": [
            {"Resource": "execute-api:/*"},
            {"NotResource": ["execute-api:/dev/GET/pets", "arn:aws:s3:::x"]},
        ]}));
        assert_eq!(
            policy
                .expanded("arn:aws:execute-api:us-east-1:1:abc")
                .as_value(),
            &json!({"Statement": [
                {"Resource": "arn:aws:execute-api:us-east-1:1:abc/*"},
                {"NotResource": ["arn:aws:execute-api:us-east-1:1:abc/dev/GET/pets", "arn:aws:s3:::x"]},
            ]})
        );
    }
}
