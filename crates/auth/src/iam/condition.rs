//! Condition operators.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::arn::{self, ArnPattern};
use super::keys::{ContextKeyValue, ContextKeys, timestamp};
use super::pattern::{Match, Pattern, Syntax};

/// One operator on one key: `"StringLikeIfExists": {"aws:username": ["t*"]}`.
#[derive(Debug)]
pub(super) struct Condition {
    /// As the document has it.
    pub(super) operator: Box<str>,
    /// As the document has it.
    pub(super) key: Box<str>,
    /// As the document has them.
    pub(super) values: Box<[Box<str>]>,
    key_in_lower_case: Box<str>,
    set: Option<Set>,
    if_exists: bool,
    negated: bool,
    test: Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    ForAllValues,
    ForAnyValue,
}

/// What single values are held against. Each list is an "or".
#[derive(Debug)]
enum Test {
    Text(Box<[Pattern]>),
    TextIgnoringCase(Box<[Pattern]>),
    Number(Comparison, Box<[Decimal]>),
    Date(Comparison, Box<[Timestamp]>),
    Bool(Box<[bool]>),
    Binary(Box<[Box<str>]>),
    Address(Box<[IpNet]>),
    Arn(Box<[ArnPattern]>),
    /// Whether the key is to be absent.
    Null(Box<[bool]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// An operator without its prefix and suffix.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    TextIgnoringCase,
    Like,
    Number(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    Address,
    Arn,
    Null,
}

/// Each operator, its kind, and whether it is the negation.
const OPERATORS: [(&str, Kind, bool); 27] = [
    ("StringEquals", Kind::Text, false),
    ("StringNotEquals", Kind::Text, true),
    ("StringEqualsIgnoreCase", Kind::TextIgnoringCase, false),
    ("StringNotEqualsIgnoreCase", Kind::TextIgnoringCase, true),
    ("StringLike", Kind::Like, false),
    ("StringNotLike", Kind::Like, true),
    ("NumericEquals", Kind::Number(Comparison::Equal), false),
    ("NumericNotEquals", Kind::Number(Comparison::Equal), true),
    ("NumericLessThan", Kind::Number(Comparison::Less), false),
    (
        "NumericLessThanEquals",
        Kind::Number(Comparison::LessOrEqual),
        false,
    ),
    (
        "NumericGreaterThan",
        Kind::Number(Comparison::Greater),
        false,
    ),
    (
        "NumericGreaterThanEquals",
        Kind::Number(Comparison::GreaterOrEqual),
        false,
    ),
    ("DateEquals", Kind::Date(Comparison::Equal), false),
    ("DateNotEquals", Kind::Date(Comparison::Equal), true),
    ("DateLessThan", Kind::Date(Comparison::Less), false),
    (
        "DateLessThanEquals",
        Kind::Date(Comparison::LessOrEqual),
        false,
    ),
    ("DateGreaterThan", Kind::Date(Comparison::Greater), false),
    (
        "DateGreaterThanEquals",
        Kind::Date(Comparison::GreaterOrEqual),
        false,
    ),
    ("Bool", Kind::Bool, false),
    ("BinaryEquals", Kind::Binary, false),
    ("IpAddress", Kind::Address, false),
    ("NotIpAddress", Kind::Address, true),
    ("ArnEquals", Kind::Arn, false),
    ("ArnLike", Kind::Arn, false),
    ("ArnNotEquals", Kind::Arn, true),
    ("ArnNotLike", Kind::Arn, true),
    ("Null", Kind::Null, false),
];

/// An operator's name, taken apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operator {
    set: Option<Set>,
    if_exists: bool,
    negated: bool,
    kind: Kind,
}

impl Operator {
    /// Reads `ForAllValues:StringLikeIfExists` and the like.
    ///
    /// # Errors
    ///
    /// What would be right.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (set, rest) = match text.split_once(':') {
            None => (None, text),
            Some(("ForAllValues", rest)) => (Some(Set::ForAllValues), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::ForAnyValue), rest),
            Some((prefix, _)) => {
                return Err(format!(
                    "`{prefix}:` is no prefix of an operator; there are `ForAllValues:` and `ForAnyValue:`"
                ));
            }
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let Some((_, kind, negated)) = OPERATORS.iter().find(|(own, ..)| *own == name) else {
            let names = OPERATORS.iter().map(|(own, ..)| *own);
            return Err(format!(
                "there is no operator `{text}`{}",
                super::read::hint(name, names)
            ));
        };
        if matches!(kind, Kind::Null) && (if_exists || set.is_some()) {
            return Err(format!(
                "`{text}`: `Null` asks by itself whether the key exists, and stands alone"
            ));
        }
        Ok(Self {
            set,
            if_exists,
            negated: *negated,
            kind: *kind,
        })
    }
}

impl Condition {
    /// Compiles the `values` that a condition names for `key`. A value that could never match is left out and told to
    /// `doubt`, with its index.
    pub(super) fn compile(
        name: &str,
        operator: Operator,
        key: &str,
        values: Vec<String>,
        variables: bool,
        mut doubt: impl FnMut(usize, String),
    ) -> Self {
        let exact = Syntax {
            wildcards: false,
            variables,
        };
        let like = Syntax {
            wildcards: true,
            variables,
        };
        let mut read = Reader {
            values: &values,
            doubt: &mut doubt,
        };
        let test = match operator.kind {
            Kind::Text => Test::Text(read.each(|text| Pattern::compile(text, exact))),
            Kind::TextIgnoringCase => {
                Test::TextIgnoringCase(read.each(|text| Pattern::compile(text, exact)))
            }
            Kind::Like => Test::Text(read.each(|text| Pattern::compile(text, like))),
            Kind::Number(comparison) => Test::Number(
                comparison,
                read.each(|text| {
                    Decimal::parse(text).ok_or_else(|| format!("`{text}` is no number"))
                }),
            ),
            Kind::Date(comparison) => Test::Date(
                comparison,
                read.each(|text| {
                    parse_date(text).ok_or_else(|| {
                        format!(
                            "`{text}` is no date; one reads `2026-01-31T12:00:00Z`, or seconds since 1970"
                        )
                    })
                }),
            ),
            Kind::Bool => Test::Bool(read.each(flag)),
            Kind::Null => Test::Null(read.each(flag)),
            Kind::Binary => Test::Binary(read.each(|text| {
                let bytes = BASE64
                    .decode(text)
                    .map_err(|_| format!("`{text}` is not base64"))?;
                Ok(BASE64.encode(bytes).into())
            })),
            Kind::Address => Test::Address(read.each(|text| {
                parse_network(text).ok_or_else(|| {
                    format!(
                        "`{text}` is no network; one reads `203.0.113.0/24` or `2001:db8::/32`"
                    )
                })
            })),
            Kind::Arn => Test::Arn(read.each(|text| ArnPattern::compile(text, variables))),
        };
        Self {
            operator: name.into(),
            key: key.into(),
            key_in_lower_case: key.to_lowercase().into(),
            set: operator.set,
            if_exists: operator.if_exists,
            negated: operator.negated,
            test,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether the condition holds for a request with these keys.
    pub(super) fn holds(&self, keys: &dyn ContextKeys) -> bool {
        let value = self.value(keys);
        if let Test::Null(absent) = &self.test {
            return absent.contains(&value.is_none());
        }
        let Some(value) = value else {
            return self.if_exists
                || match self.set {
                    Some(Set::ForAllValues) => true,
                    Some(Set::ForAnyValue) => false,
                    None => self.negated,
                };
        };
        let negated = self.negated;
        let matches = |single: &ContextKeyValue<'_>| self.test.matches(single, keys);
        match self.set {
            None => value.any(matches) != negated,
            Some(Set::ForAnyValue) => value.any(|single| matches(single) != negated),
            Some(Set::ForAllValues) => !value.any(|single| matches(single) == negated),
        }
    }

    /// The value that the request has; an empty set counts as none.
    pub(super) fn value<'k>(&self, keys: &'k dyn ContextKeys) -> Option<ContextKeyValue<'k>> {
        let value = keys.value(&self.key_in_lower_case)?;
        let nothing = value.is_null()
            // "A null data set, such as an empty string", says the guide of these two.
            || (self.set.is_some() && !value.any(|single| *single != ContextKeyValue::Text("")));
        (!nothing).then_some(value)
    }
}

struct Reader<'a, F> {
    values: &'a [String],
    doubt: &'a mut F,
}

impl<F: FnMut(usize, String)> Reader<'_, F> {
    fn each<T>(&mut self, read: impl Fn(&str) -> Result<T, String>) -> Box<[T]> {
        let mut all = Vec::with_capacity(self.values.len());
        for (index, text) in self.values.iter().enumerate() {
            match read(text) {
                Ok(value) => all.push(value),
                Err(message) => (self.doubt)(index, message),
            }
        }
        all.into()
    }
}

fn flag(text: &str) -> Result<bool, String> {
    parse_flag(text).ok_or_else(|| format!("`{text}` is neither `true` nor `false`"))
}

fn parse_flag(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

impl Test {
    /// Whether one of the values fits a single value of the request. One that cannot be read fits none.
    fn matches(&self, value: &ContextKeyValue<'_>, keys: &dyn ContextKeys) -> bool {
        use ContextKeyValue as Value;
        let text = || value.text();
        match self {
            Self::Text(patterns) => text().is_some_and(|text| {
                patterns
                    .iter()
                    .any(|pattern| pattern.matches(text.as_str(), keys) == Match::Yes)
            }),
            Self::TextIgnoringCase(patterns) => text().is_some_and(|text| {
                patterns
                    .iter()
                    .any(|pattern| pattern.equals_ignoring_case(text.as_str(), keys))
            }),
            Self::Number(comparison, numbers) => {
                let number = match *value {
                    Value::Number(number) => Some(Decimal::from(number)),
                    Value::Text(text) => Decimal::parse(text),
                    Value::Time(time) => timestamp(time).map(|time| time.as_second().into()),
                    _ => None,
                };
                number
                    .is_some_and(|number| numbers.iter().any(|own| comparison.holds(&number, own)))
            }
            Self::Date(comparison, dates) => {
                let date = match *value {
                    Value::Time(time) => timestamp(time),
                    Value::Text(text) => parse_date(text),
                    Value::Number(seconds) => Timestamp::from_second(seconds).ok(),
                    _ => None,
                };
                date.is_some_and(|date| dates.iter().any(|own| comparison.holds(&date, own)))
            }
            Self::Bool(flags) => {
                let flag = match *value {
                    Value::Flag(flag) => Some(flag),
                    Value::Text(text) => parse_flag(text),
                    _ => None,
                };
                flag.is_some_and(|flag| flags.contains(&flag))
            }
            Self::Binary(encoded) => {
                matches!(value, Value::Text(text) if encoded.iter().any(|own| **own == **text))
            }
            Self::Address(networks) => {
                let address = match *value {
                    Value::Address(address) => Some(address.to_canonical()),
                    Value::Text(text) => text.parse().ok().map(|ip: IpAddr| ip.to_canonical()),
                    _ => None,
                };
                address.is_some_and(|address| {
                    networks.iter().any(|network| network.contains(&address))
                })
            }
            Self::Arn(patterns) => text().is_some_and(|text| {
                let text = text.as_str();
                let parts = arn::parts(text);
                patterns
                    .iter()
                    .any(|pattern| pattern.matches(text, parts.as_ref(), keys) == Match::Yes)
            }),
            // `holds` has answered for it.
            Self::Null(_) => false,
        }
    }
}

/// A decimal number, exact: as many billionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Decimal(i128);

impl Decimal {
    const SCALE: usize = 9;

    /// An integer or a decimal, with up to 20 digits before the point and 9 behind it, and perhaps an exponent.
    fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut number = 0_i128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = byte.is_ascii_digit().then(|| byte - b'0')?;
            number = number.checked_mul(10)?.checked_add(digit.into())?;
        }
        let shift = i64::try_from(Self::SCALE).ok()? + i64::from(exponent)
            - i64::try_from(fraction.len()).ok()?;
        let factor = 10_i128.checked_pow(u32::try_from(shift.unsigned_abs()).ok()?)?;
        let number = if shift >= 0 {
            number.checked_mul(factor)?
        } else if number % factor == 0 {
            number / factor
        } else {
            return None;
        };
        Some(Self(if negative { -number } else { number }))
    }
}

impl From<i64> for Decimal {
    fn from(number: i64) -> Self {
        Self(i128::from(number) * 1_000_000_000)
    }
}

/// A date of the W3C's profile of ISO 8601, from a year alone to fractions of a second, or seconds since 1970.
fn parse_date(text: &str) -> Option<Timestamp> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.len() != 4 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Timestamp::from_second(text.parse().ok()?).ok();
    }
    let day = |text: &str| -> Option<Date> {
        let mut parts = text.splitn(3, '-');
        let mut number = |length: usize| -> Option<i16> {
            match parts.next() {
                None => Some(1),
                Some(part) if part.len() == length => part.parse().ok(),
                Some(_) => None,
            }
        };
        let (year, month, day) = (number(4)?, number(2)?, number(2)?);
        Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()
    };
    let utc = |moment: DateTime| TimeZone::UTC.to_timestamp(moment).ok();
    match text.split_once('T') {
        None => utc(day(text)?.into()),
        Some((date, _)) => {
            day(date)?;
            // A moment without an offset is one of UTC.
            text.parse::<Timestamp>()
                .ok()
                .or_else(|| utc(text.parse::<DateTime>().ok()?))
        }
    }
}

/// A network; an address alone is one of one. Bits of the host do not matter.
fn parse_network(text: &str) -> Option<IpNet> {
    let network = match text.parse::<IpNet>() {
        Ok(network) => network,
        Err(_) => IpNet::from(text.parse::<IpAddr>().ok()?),
    };
    // A network of IPv4 in the clothes of IPv6.
    match network {
        IpNet::V6(v6) if v6.prefix_len() >= 96 => match v6.addr().to_ipv4_mapped() {
            Some(v4) => IpNet::new(v4.into(), v6.prefix_len() - 96).ok(),
            None => Some(network),
        },
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::ContextEntries;
    use super::*;

    #[track_caller]
    fn check(operator: &str, values: &[&str], keys: &ContextEntries, expected: bool) {
        let values = values.iter().map(|&text| text.to_owned()).collect();
        let parsed = Operator::parse(operator).unwrap();
        let condition = Condition::compile(operator, parsed, "Key", values, true, |_, message| {
            panic!("{message}")
        });
        assert_eq!(condition.holds(keys), expected, "{condition:?}");
    }

    fn key(value: &str) -> ContextEntries {
        ContextEntries::new().with("key", value)
    }

    fn keys(values: &[&str]) -> ContextEntries {
        let values: Vec<String> = values.iter().map(|&text| text.to_owned()).collect();
        ContextEntries::new().with("KEY", values)
    }

    #[test]
    fn a_missing_key_satisfies_negations_and_if_exists_only() {
        let none = ContextEntries::new();
        for (operator, expected) in [
            ("StringEquals", false),
            ("StringNotEquals", true),
            ("StringLikeIfExists", true),
            ("StringNotLikeIfExists", true),
            ("NumericLessThan", false),
            ("NotIpAddress", true),
            ("ForAllValues:StringEquals", true),
            ("ForAnyValue:StringEquals", false),
            ("ForAnyValue:StringNotEquals", false),
            ("ForAnyValue:StringEqualsIfExists", true),
        ] {
            let value = match operator {
                "NumericLessThan" => "1",
                "NotIpAddress" => "10.0.0.0/8",
                _ => "a",
            };
            check(operator, &[value], &none, expected);
            check(operator, &[value], &keys(&[]), expected);
        }
        check("Null", &["true"], &none, true);
        check("Null", &["false"], &none, false);
        check("Null", &["true"], &keys(&[]), true);
        check("Null", &["false"], &key(""), true);
    }

    #[test]
    fn no_values_satisfy_negations_only() {
        check("StringEquals", &[], &key("a"), false);
        check("StringNotEquals", &[], &key("a"), true);
        check("Null", &[], &key("a"), false);
    }

    #[test]
    fn sets_ask_for_all_values_or_for_one() {
        check(
            "ForAllValues:StringEquals",
            &["a", "b"],
            &keys(&["a", "b"]),
            true,
        );
        check(
            "ForAllValues:StringEquals",
            &["a", "b"],
            &keys(&["a", "c"]),
            false,
        );
        check("ForAllValues:StringEquals", &["a"], &key(""), true);
        check("ForAnyValue:StringEquals", &["a"], &keys(&["c", "a"]), true);
        check(
            "ForAnyValue:StringNotEquals",
            &["a"],
            &keys(&["a", "c"]),
            true,
        );
        check("ForAnyValue:StringNotEquals", &["a"], &keys(&["a"]), false);
        check(
            "ForAllValues:StringNotLike",
            &["a*"],
            &keys(&["b", "ac"]),
            false,
        );
        check("StringNotEquals", &["a", "b"], &key("b"), false);
    }

    #[test]
    fn text_is_compared_with_and_without_case_and_wildcards() {
        check("StringEquals", &["r*x"], &key("rex"), false);
        check("StringEquals", &["a${*}"], &key("a*"), true);
        check("StringEqualsIgnoreCase", &["ÉA"], &key("éa"), true);
        check("StringEqualsIgnoreCase", &["${key}b"], &key("AB"), false);
        check("StringEqualsIgnoreCase", &["${KEY}"], &key("AB"), true);
        check("StringNotEqualsIgnoreCase", &["AB"], &key("ab"), false);
        check("StringLike", &["r?x", "t*"], &key("tom"), true);
    }

    #[test]
    fn numbers_are_exact() {
        check(
            "NumericEquals",
            &["9007199254740993"],
            &key("9007199254740992"),
            false,
        );
        check("NumericEquals", &["0"], &key("-0"), true);
        check("NumericEquals", &["10"], &key("1e1"), true);
        check("NumericEquals", &["1.50"], &key("1.5"), true);
        check("NumericNotEquals", &["1"], &key("one"), true);
        check("NumericLessThan", &["5", "10"], &key("7"), true);
        check("NumericGreaterThanEquals", &["-2.5"], &key("-2.5"), true);
        for wrong in [
            "",
            "-",
            ".",
            "1.2.3",
            "0x10",
            " 1",
            "1e99999999999",
            "1.0000000001",
            "1e40",
        ] {
            assert!(Decimal::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn dates_read_in_every_length_and_as_seconds() {
        for same in [
            "2024-02-29T12:00:00Z",
            "2024-02-29T12:00Z",
            "2024-02-29T13:00:00+01:00",
            "2024-02-29T12:00:00.000Z",
            "2024-02-29T12:00:00",
            "1709208000",
        ] {
            check("DateEquals", &[same], &key("2024-02-29T12:00:00Z"), true);
        }
        check(
            "DateLessThan",
            &["2024-03"],
            &key("2024-02-29T23:59:59Z"),
            true,
        );
        check(
            "DateGreaterThanEquals",
            &["2024"],
            &key("2024-01-01T00:00:00Z"),
            true,
        );
        for wrong in [
            "yesterday",
            "2024-13",
            "2024-1-1",
            "2023-02-29",
            "",
            "20240229T120000Z",
        ] {
            assert!(parse_date(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn addresses_are_in_networks_whatever_their_clothes() {
        check("IpAddress", &["203.0.113.6/24"], &key("203.0.113.7"), true);
        check(
            "IpAddress",
            &["203.0.113.7"],
            &key("::ffff:203.0.113.7"),
            true,
        );
        check(
            "IpAddress",
            &["::ffff:203.0.113.0/120"],
            &key("203.0.113.7"),
            true,
        );
        check("IpAddress", &["0.0.0.0/0"], &key("2001:db8::1"), false);
        check(
            "NotIpAddress",
            &["10.0.0.0/8", "203.0.113.0/24"],
            &key("203.0.113.7"),
            false,
        );
        check("NotIpAddress", &["10.0.0.0/8"], &key("nowhere"), true);
    }

    #[test]
    fn arns_are_compared_part_by_part() {
        let arn = key("arn:aws:sns:eu-west-1:123456789012:a:b");
        check("ArnEquals", &["arn:aws:sns:*:*:a:*"], &arn, true);
        check("ArnLike", &["arn:aws:*:eu-west-?:*:a:b"], &arn, true);
        check("ArnLike", &["arn:aws:sns:eu-west-1:12345*:b"], &arn, false);
        check("ArnNotLike", &["arn:aws:sns:*:*:a:*"], &arn, false);
        check("ArnEquals", &["${key}"], &arn, true);
        check("ArnLike", &["arn:aws:sns:*:*:*"], &key("topic"), false);
    }

    #[test]
    fn flags_and_bytes() {
        check("Bool", &["true"], &key("True"), true);
        check("BoolIfExists", &["true"], &key("false"), false);
        check(
            "BinaryEquals",
            &["QmluYXJ5VmFsdWU="],
            &key("QmluYXJ5VmFsdWU="),
            true,
        );
    }

    #[test]
    fn an_operator_that_does_not_exist_is_an_error_with_the_nearest_name() {
        let error = Operator::parse("StringEqual").unwrap_err();
        assert!(error.contains("`StringEquals`"), "{error}");
        for wrong in [
            "NullIfExists",
            "ForAnyValue:Null",
            "ForSome:StringLike",
            "stringequals",
            "",
        ] {
            assert!(Operator::parse(wrong).is_err(), "{wrong}");
        }
    }
}
