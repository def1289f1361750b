//! Text or bytes: what becomes of a body by `binaryMediaTypes` and `contentHandling`.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::coding::decode as decode_codings;
use crate::config::ContentHandling;
use crate::failure::Failure;

/// The media types whose bodies are bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct BinaryTypes(Vec<String>);

impl BinaryTypes {
    pub(crate) const fn new(types: Vec<String>) -> Self {
        Self(types)
    }

    pub(crate) fn matches(&self, media_type: Option<&str>) -> bool {
        let media_type = media_type.unwrap_or("application/json");
        self.0.iter().any(|own| {
            if own == "*/*" {
                return true;
            }
            match own.strip_suffix("/*") {
                Some(family) => media_type
                    .split_once('/')
                    .is_some_and(|(own, _)| own.eq_ignore_ascii_case(family)),
                None => own.eq_ignore_ascii_case(media_type),
            }
        })
    }

    /// Whether the first type that a client accepts is one of these.
    pub(crate) fn accepted(&self, accept: Option<&HeaderValue>) -> bool {
        first_type(accept).is_some_and(|first| self.matches(Some(first)))
    }
}

/// What `contentHandling` makes of the bodies that a proxy gets.
#[derive(Clone, Debug)]
pub(crate) struct ProxyHandling {
    pub(crate) binary: BinaryTypes,
    pub(crate) handling: ContentHandling,
}

impl ProxyHandling {
    /// The converted body; `None` if it is to pass as it came, as text does that stays text.
    pub(crate) fn convert(
        &self,
        body: &Bytes,
        headers: &HeaderMap,
        limit: Option<u64>,
    ) -> Result<Option<Bytes>, Failure> {
        let binary = self.binary.matches(media_type(headers.get(CONTENT_TYPE)));
        let conversion = Conversion::of_request(binary, Some(self.handling));
        if !matches!(conversion, Conversion::Decode | Conversion::Encode) {
            return Ok(None);
        }
        let body = decode_codings(body.clone(), headers, limit)?;
        conversion.apply(body).map(Some)
    }
}

/// The media type of a `Content-Type`, without its parameters.
pub(crate) fn media_type(value: Option<&HeaderValue>) -> Option<&str> {
    let text = value?.to_str().ok()?;
    let media_type = text.split(';').next().unwrap_or_default().trim();
    (!media_type.is_empty()).then_some(media_type)
}

/// The first type of an `Accept`.
pub(crate) fn first_type(accept: Option<&HeaderValue>) -> Option<&str> {
    let text = accept?.to_str().ok()?;
    let first = text.split([',', ';']).next().unwrap_or_default().trim();
    (!first.is_empty()).then_some(first)
}

/// What is done to a body on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// Nothing: its bytes pass.
    None,
    /// It is text: bytes that are no UTF-8 become U+FFFD.
    Text,
    /// It is base64, and what it stands for passes.
    Decode,
    /// It is bytes, and base64 passes.
    Encode,
}

impl Conversion {
    /// Of a request's body.
    pub(crate) const fn of_request(binary: bool, handling: Option<ContentHandling>) -> Self {
        match (binary, handling) {
            (false, None | Some(ContentHandling::ToText)) => Self::Text,
            (false, Some(ContentHandling::ToBinary)) => Self::Decode,
            (true, None | Some(ContentHandling::ToBinary)) => Self::None,
            (true, Some(ContentHandling::ToText)) => Self::Encode,
        }
    }

    /// Of a backend's body, for a client that takes bytes or text.
    pub(crate) const fn of_response(
        binary: bool,
        accepts_binary: bool,
        handling: Option<ContentHandling>,
    ) -> Self {
        // Without a word on it a body becomes what the client takes.
        let to_binary = match handling {
            Some(ContentHandling::ToBinary) => true,
            Some(ContentHandling::ToText) => false,
            None => accepts_binary,
        };
        match (binary, to_binary) {
            (false, true) => Self::Decode,
            (false, false) => Self::Text,
            (true, true) => Self::None,
            (true, false) => Self::Encode,
        }
    }

    /// The converted body. What should be base64 and is not is a failure.
    pub(crate) fn apply(self, body: Bytes) -> Result<Bytes, Failure> {
        match self {
            Self::None => Ok(body),
            Self::Text if std::str::from_utf8(&body).is_ok() => Ok(body),
            Self::Text => Ok(String::from_utf8_lossy(&body).into_owned().into()),
            Self::Decode => decode(&body),
            Self::Encode => Ok(BASE64.encode(&body).into()),
        }
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64, which may have line breaks, and stand in quotes as a function gives a text.
fn decode(text: &[u8]) -> Result<Bytes, Failure> {
    let mut text = text.trim_ascii();
    if let [b'"', quoted @ .., b'"'] = text {
        text = quoted;
    }
    let decoded = if text.iter().any(u8::is_ascii_whitespace) {
        let mut joined = text.to_vec();
        joined.retain(|byte| !byte.is_ascii_whitespace());
        BASE64.decode(joined)
    } else {
        BASE64.decode(text)
    };
    decoded
        .map(Bytes::from)
        .map_err(|error| Failure::Configuration(format!("the body is no base64: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_types_match_whole_types_families_and_all() {
        let types = |own: &str| BinaryTypes::new(vec![own.to_owned()]);
        assert!(types("image/png").matches(Some("Image/PNG")));
        assert!(types("image/*").matches(Some("image/png")));
        assert!(types("*/*").matches(None));
        assert!(!types("image/*").matches(Some("imagex/png")));
        assert!(!types("*/png").matches(Some("image/png")));
        let accept = HeaderValue::from_static("image/png;q=1, text/html");
        assert!(types("image/png").accepted(Some(&accept)));
        assert!(!types("text/html").accepted(Some(&accept)));
        assert!(!types("image/png").accepted(None));
    }

    #[test]
    fn a_request_is_converted_as_the_table_says() {
        use ContentHandling::{ToBinary, ToText};
        use Conversion::{Decode, Encode, None as Nothing, Text};
        for (binary, handling, expected) in [
            (false, None, Text),
            (false, Some(ToBinary), Decode),
            (false, Some(ToText), Text),
            (true, None, Nothing),
            (true, Some(ToBinary), Nothing),
            (true, Some(ToText), Encode),
        ] {
            let got = Conversion::of_request(binary, handling);
            assert_eq!(got, expected, "{binary} {handling:?}");
        }
    }

    #[test]
    fn a_response_is_converted_as_the_table_says() {
        use ContentHandling::{ToBinary, ToText};
        use Conversion::{Decode, Encode, None as Nothing, Text};
        for (binary, accepts, expected) in [
            (false, false, [Text, Decode, Text]),
            (false, true, [Decode, Decode, Text]),
            (true, false, [Encode, Nothing, Encode]),
            (true, true, [Nothing, Nothing, Encode]),
        ] {
            let got = [None, Some(ToBinary), Some(ToText)]
                .map(|handling| Conversion::of_response(binary, accepts, handling));
            assert_eq!(got, expected, "{binary} {accepts}");
        }
    }

    #[track_caller]
    fn check(conversion: Conversion, body: &'static [u8], expected: Option<&[u8]>) {
        let got = conversion.apply(Bytes::from_static(body)).ok();
        assert_eq!(got.as_deref(), expected);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        check(Conversion::Text, b"abc", Some(b"abc"));
        check(
            Conversion::Text,
            b"\x1f\x8b\x08a\xf0\x9f",
            Some("\u{1f}\u{fffd}\u{8}a\u{fffd}".as_bytes()),
        );
        check(Conversion::None, b"\x1f\x8b", Some(b"\x1f\x8b"));
    }

    #[test]
    fn base64_is_read_leniently_and_nothing_else_is() {
        for text in ["H4s=", "H4s", " H4s=\n", "\"H4s=\"", "H4\r\ns="] {
            check(Conversion::Decode, text.as_bytes(), Some(b"\x1f\x8b"));
        }
        check(Conversion::Decode, b"", Some(b""));
        check(Conversion::Decode, b"{\"a\": 1}", None);
        check(Conversion::Encode, b"\x1f\x8b", Some(b"H4s="));
    }
}
