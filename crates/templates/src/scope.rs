//! What a rendering sees: the body, the parameters, `$context`, the stage variables.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use crate::data::Data;
use crate::document::Document;
use crate::value::{List, ListKind, Map, Text, Value};

/// Named values that are asked for one by one, so that nothing is made that no template reads.
///
/// A gateway implements it for its request context and its parameters; [`Data`], maps and slices of pairs have it.
///
/// ```
/// use portcullis_templates::{Field, Fields, Scope, Template};
///
/// struct Stage;
/// impl Fields for Stage {
///     fn field(&self, name: &str) -> Option<Field<'_>> {
///         (name == "stage").then_some(Field::from("prod"))
///     }
///     fn names(&self, visit: &mut dyn FnMut(&str)) {
///         visit("stage");
///     }
/// }
///
/// let template = Template::parse("$context.stage").unwrap();
/// let output = template.render(&Scope::new(b"").context(&Stage)).unwrap();
/// assert_eq!(output.text(), "prod");
/// ```
pub trait Fields {
    /// The value of this name. `None` says that there is no such name; [`Field::Null`] that it has no value.
    fn field(&self, name: &str) -> Option<Field<'_>>;

    /// All names, in the order in which a template that loops over them sees them.
    fn names(&self, visit: &mut dyn FnMut(&str));
}

/// One value of [`Fields`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Field<'a> {
    /// A name without a value.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    Text(Cow<'a, str>),
    /// A value that was built before.
    Data(&'a Data),
    /// Names below this one.
    Fields(&'a dyn Fields),
}

impl std::fmt::Debug for Field<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("Null"),
            Self::Boolean(value) => f.debug_tuple("Boolean").field(value).finish(),
            Self::Integer(number) => f.debug_tuple("Integer").field(number).finish(),
            Self::Float(number) => f.debug_tuple("Float").field(number).finish(),
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Data(data) => f.debug_tuple("Data").field(data).finish(),
            Self::Fields(_) => f.debug_struct("Fields").finish_non_exhaustive(),
        }
    }
}

impl<'a> From<&'a str> for Field<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Field<'_> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Field<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Field<'_> {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl<'a> Field<'a> {
    /// The value, if it holds no other.
    pub(crate) fn into_scalar(self) -> Option<Value<'a>> {
        match self {
            Self::Fields(_) | Self::Data(Data::List(_) | Data::Map(_)) => None,
            scalar => Some(scalar.into_value(false)),
        }
    }

    pub(crate) fn into_value(self, silent: bool) -> Value<'a> {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Integer(number) => Value::Integer(number),
            Self::Float(number) => Value::Float(number),
            Self::Text(Cow::Borrowed(text)) => Value::Text(Text::Borrowed(text)),
            Self::Text(Cow::Owned(text)) => Value::text(text),
            Self::Data(data) => data_value(data, silent),
            Self::Fields(fields) => Value::Map(Rc::new(Map::lazy(fields, silent))),
        }
    }
}

/// A list is copied one level deep, a map not before it is asked.
fn data_value(data: &Data, silent: bool) -> Value<'_> {
    match data {
        Data::Null => Value::Null,
        Data::Boolean(value) => Value::Boolean(*value),
        Data::Integer(number) => Value::Integer(*number),
        Data::Float(number) => Value::Float(*number),
        Data::Text(text) => Value::Text(Text::Borrowed(text)),
        Data::List(items) => Value::List(Rc::new(List::new(
            ListKind::Plain,
            items.iter().map(|item| data_value(item, silent)).collect(),
        ))),
        Data::Map(_) => Value::Map(Rc::new(Map::lazy(data, silent))),
    }
}

impl Fields for Data {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        self.get(name).map(|data| match data {
            Self::Null => Field::Null,
            data => Field::Data(data),
        })
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        if let Self::Map(entries) = self {
            for (name, _) in entries {
                visit(name);
            }
        }
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Fields for [(K, V)] {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        let (_, value) = self.iter().find(|(key, _)| key.as_ref() == name)?;
        Some(Field::from(value.as_ref()))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        for (name, _) in self {
            visit(name.as_ref());
        }
    }
}

impl<K: AsRef<str>, V: AsRef<str>, const N: usize> Fields for [(K, V); N] {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        self.as_slice().field(name)
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        self.as_slice().names(visit);
    }
}

impl<K: AsRef<str>, V: AsRef<str>> Fields for Vec<(K, V)> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        self.as_slice().field(name)
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        self.as_slice().names(visit);
    }
}

impl<V: AsRef<str>> Fields for BTreeMap<String, V> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        self.get(name).map(|value| Field::from(value.as_ref()))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        for name in self.keys() {
            visit(name);
        }
    }
}

impl<V: AsRef<str>, S: std::hash::BuildHasher> Fields for HashMap<String, V, S> {
    fn field(&self, name: &str) -> Option<Field<'_>> {
        self.get(name).map(|value| Field::from(value.as_ref()))
    }

    fn names(&self, visit: &mut dyn FnMut(&str)) {
        for name in self.keys() {
            visit(name);
        }
    }
}

/// What one rendering works on. All but the body is empty until it is set.
#[derive(Clone)]
pub struct Scope<'a> {
    pub(crate) body: Cow<'a, str>,
    pub(crate) document: Option<&'a Document<'a>>,
    pub(crate) input: bool,
    pub(crate) path: &'a dyn Fields,
    pub(crate) querystring: &'a dyn Fields,
    pub(crate) header: &'a dyn Fields,
    pub(crate) context: Option<&'a dyn Fields>,
    pub(crate) stage_variables: Option<&'a dyn Fields>,
    pub(crate) variables: Option<&'a dyn Fields>,
}

impl std::fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scope")
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

const NOTHING: &Data = &Data::Null;

impl<'a> Scope<'a> {
    /// A request or response with this body. Bytes that are no UTF-8 are replaced by U+FFFD.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self {
            body: text_of(body),
            document: None,
            input: true,
            path: NOTHING,
            querystring: NOTHING,
            header: NOTHING,
            context: Some(NOTHING),
            stage_variables: Some(NOTHING),
            variables: None,
        }
    }

    /// A request or response whose body was read before, for the values of parameters or for another template.
    ///
    /// ```
    /// use portcullis_templates::{Document, JsonPath, Scope, Template};
    ///
    /// let document = Document::read(r#"{"id": 7}"#)?;
    /// assert_eq!(document.text(&JsonPath::parse("id")?).as_deref(), Some("7"));
    /// let template = Template::parse("order $input.path('$.id')")?;
    /// assert_eq!(template.render(&Scope::of_document(&document))?.text(), "order 7");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_document(document: &'a Document<'a>) -> Self {
        Self {
            body: Cow::Borrowed(&document.tape().text),
            document: Some(document),
            ..Self::new(b"")
        }
    }

    /// Plain variables only: no `$input`, `$util`, `$context` or `$stageVariables`, as Velocity itself has it.
    #[must_use]
    pub fn of_variables(variables: &'a dyn Fields) -> Self {
        Self {
            input: false,
            context: None,
            stage_variables: None,
            variables: Some(variables),
            ..Self::new(b"")
        }
    }

    /// `$input.params().path`: the variables of the resource's path.
    #[must_use]
    pub fn path(mut self, fields: &'a dyn Fields) -> Self {
        self.path = fields;
        self
    }

    /// `$input.params().querystring`.
    #[must_use]
    pub fn querystring(mut self, fields: &'a dyn Fields) -> Self {
        self.querystring = fields;
        self
    }

    /// `$input.params().header`, by the names as the caller wrote them.
    #[must_use]
    pub fn header(mut self, fields: &'a dyn Fields) -> Self {
        self.header = fields;
        self
    }

    /// `$context`. `requestOverride` and `responseOverride` are made if they are not in it.
    #[must_use]
    pub fn context(mut self, fields: &'a dyn Fields) -> Self {
        self.context = Some(fields);
        self
    }

    /// `$stageVariables`.
    #[must_use]
    pub fn stage_variables(mut self, fields: &'a dyn Fields) -> Self {
        self.stage_variables = Some(fields);
        self
    }

    /// Further variables, by their names without the dollar sign.
    #[must_use]
    pub fn variables(mut self, fields: &'a dyn Fields) -> Self {
        self.variables = Some(fields);
        self
    }
}

/// Nearly every body is UTF-8, and that is checked several times faster than it is repaired.
fn text_of(body: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}
