//! `$input`.

use std::borrow::Cow;
use std::rc::Rc;

use super::{Failure, Renderer};
use crate::fault::FailureKind;
use crate::json::{self, Tape};
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
        let tape = match self.scope.document {
            Some(document) => document.tape(),
            None => self.read_body()?,
        };
        let document = tape.root().value();
        self.document = Some(document.clone());
        Ok(document)
    }

    fn read_body(&self) -> Result<&'r Tape<'r>, Failure> {
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
        Ok(self.body.get_or_init(|| tape))
    }

    pub(super) fn input_method(
        &mut self,
        name: &str,
        arguments: &[Value<'r>],
        path: Option<&Path>,
    ) -> Result<Option<Value<'r>>, Failure> {
        match (name, arguments) {
            ("path", [Value::Text(text)]) => match path {
                Some(path) => self.path(path),
                None => self.path(&jsonpath(text)?),
            },
            ("json", [Value::Text(text)]) => {
                let parsed = match path {
                    Some(_) => None,
                    None => Some(jsonpath(text)?),
                };
                let mut text = String::new();
                if let Some(path) = path.or(parsed.as_ref()) {
                    self.write_json(path, &mut text)?;
                }
                self.budget.create(text.len())?;
                Ok(Some(Value::text(text)))
            }
            ("params", []) => Ok(Some(Value::Map(self.parameters()))),
            ("params", [Value::Text(name)]) => {
                if self.parameters.is_none() {
                    let scope = self.scope;
                    let groups = [scope.path, scope.querystring, scope.header];
                    let field = groups.into_iter().find_map(|group| group.field(name));
                    return Ok(field.map(|field| field.into_value(false)));
                }
                // The template may have changed what it got before.
                let parameters = self.parameters();
                let groups = ["path", "querystring", "header"];
                let value = groups
                    .iter()
                    .find_map(|group| match parameters.get_text(group) {
                        Some(Value::Map(group)) => group.get_text(name),
                        _ => None,
                    });
                Ok(value)
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
    pub(super) fn write_json(&mut self, path: &Path, out: &mut String) -> Result<(), Failure> {
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
