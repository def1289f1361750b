//! `$input`.

use std::rc::Rc;

use super::{Failure, Renderer};
use crate::fault::FailureKind;
use crate::json;
use crate::jsonpath;
use crate::value::{Map, Text, Value, Writer};

impl<'r> Renderer<'r> {
    /// `$input.body`. An empty body reads `{}`.
    pub(super) fn body(&self) -> Value<'r> {
        Value::Text(Text::Borrowed(self.body_text()))
    }

    fn body_text(&self) -> &'r str {
        let body: &'r str = &self.scope.body;
        if body.is_empty() { "{}" } else { body }
    }

    fn document(&mut self) -> Result<Value<'r>, Failure> {
        if let Some(document) = &self.document {
            return Ok(document.clone());
        }
        let document = json::read(self.body_text()).map_err(|malformed| {
            Failure::new(
                FailureKind::Body,
                format!(
                    "the body is not valid JSON: {} at byte {}",
                    malformed.message, malformed.at
                ),
            )
        })?;
        self.document = Some(document.clone());
        Ok(document)
    }

    pub(super) fn input_method(
        &mut self,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Option<Value<'r>>, Failure> {
        match (name, arguments) {
            ("path", [Value::Text(path)]) => self.path(path),
            ("json", [Value::Text(path)]) => {
                let found = self.path(path)?;
                let mut text = String::new();
                match found {
                    // A path that leads nowhere reads as an empty string, so that the member stays valid JSON.
                    None => text.push_str("\"\""),
                    Some(value) => Writer {
                        out: &mut text,
                        budget: &mut self.budget,
                    }
                    .json(&value)?,
                }
                self.budget.create(text.len())?;
                Ok(Some(Value::text(text)))
            }
            ("params", []) => Ok(Some(Value::Map(self.parameters()))),
            ("params", [Value::Text(name)]) => {
                for group in ["path", "querystring", "header"] {
                    if let Some(Value::Map(group)) = self.parameters().get_text(group)
                        && let Some(value) = group.get_text(name)
                    {
                        return Ok(Some(value));
                    }
                }
                Ok(None)
            }
            ("getBody", []) => Ok(Some(self.body())),
            _ => Ok(None),
        }
    }

    fn path(&mut self, path: &str) -> Result<Option<Value<'r>>, Failure> {
        let document = self.document()?;
        if path == "$" {
            return Ok(Some(document));
        }
        let path =
            jsonpath::parse(path).map_err(|message| Failure::new(FailureKind::Syntax, message))?;
        jsonpath::evaluate(&path, &document, &mut self.budget)
    }

    fn parameters(&mut self) -> Rc<Map<'r>> {
        if let Some(parameters) = &self.parameters {
            return parameters.clone();
        }
        let scope = self.scope;
        let groups = [
            ("path", scope.path),
            ("querystring", scope.querystring),
            ("header", scope.header),
        ];
        let entries = groups
            .into_iter()
            .map(|(name, fields)| {
                (
                    Value::Text(Text::Borrowed(name)),
                    Value::Map(Rc::new(Map::lazy(fields, false))),
                )
            })
            .collect();
        let parameters = Rc::new(Map::from_pairs(entries));
        self.parameters = Some(parameters.clone());
        parameters
    }
}
