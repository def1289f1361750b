//! Texts of parameters as what they stand for.

use serde_json::{Map, Number, Value};

use super::subtype::Shape;

/// What a parameter's text is read as.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Parsed {
    Text(String),
    Number(Number),
    List(Vec<String>),
    /// By name, the members of an attribute.
    Attributes(Vec<(String, Vec<(String, String)>)>),
}

impl Parsed {
    /// # Errors
    ///
    /// What the text is not, in words that go behind its name.
    pub(super) fn read(text: String, shape: Shape) -> Result<Self, &'static str> {
        match shape {
            Shape::Text | Shape::JsonText => Ok(Self::Text(text)),
            Shape::Number => {
                let number = text.trim().parse::<i64>();
                let number = number.map_err(|_| "is not a whole number")?;
                Ok(Self::Number(number.into()))
            }
            Shape::List => list(&text).map(Self::List),
            Shape::Attributes => attributes(&text).map(Self::Attributes),
            Shape::Time => time(text.trim()).map(Self::Number),
        }
    }

    pub(super) fn into_json(self) -> Value {
        match self {
            Self::Text(text) => Value::String(text),
            Self::Number(number) => Value::Number(number),
            Self::List(list) => list.into_iter().map(Value::String).collect(),
            Self::Attributes(attributes) => {
                let object = |members: Vec<(String, String)>| {
                    let members = members.into_iter();
                    Value::Object(
                        members
                            .map(|(name, value)| (name, Value::String(value)))
                            .collect(),
                    )
                };
                let attributes = attributes.into_iter();
                Value::Object(
                    attributes
                        .map(|(name, members)| (name, object(members)))
                        .collect::<Map<_, _>>(),
                )
            }
        }
    }

    /// The fields of a form, in which members of lists are numbered from 1.
    pub(super) fn into_fields(self, name: &str, mut push: impl FnMut(&str, &str)) {
        match self {
            Self::Text(text) => push(name, &text),
            Self::Number(number) => push(name, &number.to_string()),
            Self::List(list) => {
                for (number, item) in (1..).zip(list) {
                    push(&format!("{name}.{number}"), &item);
                }
            }
            Self::Attributes(attributes) => {
                for (number, (attribute, members)) in (1..).zip(attributes) {
                    push(&format!("{name}.{number}.Name"), &attribute);
                    for (member, value) in members {
                        push(&format!("{name}.{number}.Value.{member}"), &value);
                    }
                }
            }
        }
    }
}

fn list(text: &str) -> Result<Vec<String>, &'static str> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map_err(|_| "is not a JSON list of texts");
    }
    let items = text.split(',').map(str::trim);
    Ok(items
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
        .collect())
}

fn attributes(text: &str) -> Result<Vec<(String, Vec<(String, String)>)>, &'static str> {
    const FAULT: &str =
        "is not a JSON object of attributes, each with `DataType` and `StringValue`";
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| FAULT)?;
    let attributes = object.into_iter().map(|(name, attribute)| {
        let Value::Object(attribute) = attribute else {
            return Err(FAULT);
        };
        let members = attribute.into_iter().map(|(member, value)| {
            // They become names of the form's fields.
            if !matches!(&*member, "DataType" | "StringValue" | "BinaryValue") {
                return Err(FAULT);
            }
            match value {
                Value::String(text) => Ok((member, text)),
                Value::Number(number) => Ok((member, number.to_string())),
                _ => Err(FAULT),
            }
        });
        Ok((name, members.collect::<Result<_, _>>()?))
    });
    attributes.collect()
}

fn time(text: &str) -> Result<Number, &'static str> {
    const FAULT: &str = "is neither a time as in RFC 3339 nor seconds since 1970";
    if let Ok(Value::Number(number)) = serde_json::from_str(text) {
        return Ok(number);
    }
    let time: jiff::Timestamp = text.parse().map_err(|_| FAULT)?;
    let millis = time.as_millisecond();
    if millis % 1000 == 0 {
        return Ok((millis / 1000).into());
    }
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of the next centuries fit"
    )]
    Number::from_f64(millis as f64 / 1000.0).ok_or(FAULT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn json(text: &str, shape: Shape) -> Result<Value, &'static str> {
        Parsed::read(text.to_owned(), shape).map(Parsed::into_json)
    }

    fn fields(text: &str, shape: Shape) -> Vec<String> {
        let mut all = Vec::new();
        let parsed = Parsed::read(text.to_owned(), shape).expect(text);
        parsed.into_fields("X", |name, value| all.push(format!("{name}={value}")));
        all
    }

    #[test]
    fn a_text_is_read_as_what_it_stands_for() {
        assert_eq!(json("5 ", Shape::Number), Ok(json!(5)));
        assert_eq!(json("[\"a\",\"b\"]", Shape::List), Ok(json!(["a", "b"])));
        assert_eq!(json("a, b", Shape::List), Ok(json!(["a", "b"])));
        assert_eq!(
            json("2015-08-30T12:36:00Z", Shape::Time),
            Ok(json!(1_440_938_160))
        );
        assert_eq!(
            json("2015-08-30T12:36:00.5Z", Shape::Time),
            Ok(json!(1_440_938_160.5))
        );
        assert_eq!(json("1440938160", Shape::Time), Ok(json!(1_440_938_160)));
        assert_eq!(json("{\"a\": 1}", Shape::JsonText), Ok(json!("{\"a\": 1}")));
    }

    #[test]
    fn a_form_numbers_what_is_in_lists() {
        assert_eq!(fields("All,x", Shape::List), ["X.1=All", "X.2=x"]);
        assert_eq!(
            fields(
                r#"{"Colour": {"DataType": "String", "StringValue": "red"}, "Size": {"DataType": "Number", "StringValue": 7}}"#,
                Shape::Attributes
            ),
            [
                "X.1.Name=Colour",
                "X.1.Value.DataType=String",
                "X.1.Value.StringValue=red",
                "X.2.Name=Size",
                "X.2.Value.DataType=Number",
                "X.2.Value.StringValue=7",
            ]
        );
    }

    #[test]
    fn what_it_is_not_is_said() {
        for (text, shape) in [
            ("5x", Shape::Number),
            ("1.5", Shape::Number),
            ("[1]", Shape::List),
            ("tomorrow", Shape::Time),
            ("[]", Shape::Attributes),
            ("{\"a\": 1}", Shape::Attributes),
            ("{\"a\": {\"x&Action\": \"1\"}}", Shape::Attributes),
            ("{\"a\": {\"DataType\": {}}}", Shape::Attributes),
        ] {
            assert!(json(text, shape).is_err(), "{text}");
        }
    }
}
