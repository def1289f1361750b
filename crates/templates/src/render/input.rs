//! `$input`.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Failure, Renderer};
use crate::fault::FailureKind;
use crate::json;
use crate::jsonpath::{self, Found, Path};
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
        let text = Cow::Borrowed(self.body_text());
        let tape = json::read(text).map_err(|malformed| {
            Failure::new(
                FailureKind::Body,
                format!(
                    "the body is not valid JSON: {} at byte {}",
                    malformed.message, malformed.at
                ),
            )
        })?;
        let document = self.body.get_or_init(|| tape).root().value();
        self.document = Some(document.clone());
        Ok(document)
    }

    pub(super) fn input_method(
        &mut self,
        name: &str,
        arguments: &[Value<'r>],
    ) -> Result<Option<Value<'r>>, Failure> {
        match (name, arguments) {
            ("path", [Value::Text(path)]) => self.path(&jsonpath(path)?),
            ("json", [Value::Text(path)]) => {
                let mut text = String::new();
                self.write_json(&jsonpath(path)?, &mut text)?;
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

    fn path(&mut self, path: &Path) -> Result<Option<Value<'r>>, Failure> {
        let document = self.document()?;
        jsonpath::evaluate(path, &document, &mut self.budget)
    }

    /// `$input.json`. A path that leads nowhere reads as an empty string, so that the member stays valid JSON.
    fn write_json(&mut self, path: &Path, out: &mut String) -> Result<(), Failure> {
        let document = self.document()?;
        let found = jsonpath::find(path, &document, &mut self.budget)?;
        let mut writer = Writer {
            out,
            budget: &mut self.budget,
        };
        match found {
            None => out.push_str("\"\""),
            Some(Found::Value(value)) => writer.json(&value)?,
            Some(Found::Node(node)) => writer.node(node)?,
        }
        Ok(())
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

fn jsonpath(text: &str) -> Result<Path, Failure> {
    jsonpath::parse(text).map_err(|message| Failure::new(FailureKind::Syntax, message))
}
