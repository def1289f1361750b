//! The request side: what a backend is sent instead of the client's request.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use portcullis_core::{Body, RequestContext};
use portcullis_templates::FailureKind;

use super::overrides::Carried;
use super::parameters::{Mapped, Message, RequestParameters};
use super::payload::{BinaryTypes, Conversion, media_type};
use super::scene;
use super::template::{Passthrough, RequestBody, Template, Templates};
use crate::body::read_in_time;
use crate::coding::{decode, is_encoded};
use crate::config::{ContentHandling, Settings};
use crate::failure::Failure;

/// How a request is mapped.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestMapping {
    pub(crate) parameters: RequestParameters,
    pub(crate) templates: Templates,
    pub(crate) passthrough: Passthrough,
    pub(crate) handling: Option<ContentHandling>,
    pub(crate) binary: BinaryTypes,
    /// Whether it goes to an AWS service, which takes fewer headers.
    pub(crate) to_aws: bool,
}

/// What a backend is sent, apart from what each kind of backend adds by itself.
#[derive(Debug)]
pub(crate) struct MappedRequest<'a> {
    /// The integration's parameters, with the overrides in them.
    pub(crate) parameters: Mapped<'a>,
    /// In memory, unless the client's own passes as it is.
    pub(crate) body: Body,
    /// For the response.
    pub(crate) carried: Carried,
}

/// A client's body, as far as it had to be read: without its content codings.
pub(crate) enum ClientBody {
    Whole(Bytes),
    Unread(Body),
}

impl RequestMapping {
    /// Maps a request. The body is read only if the mapping needs it, and within the integration's timeout.
    pub(crate) async fn map<'a>(
        &'a self,
        asked: &Parts,
        body: Body,
        settings: &Settings,
        context: &'a RequestContext,
    ) -> Result<MappedRequest<'a>, Failure> {
        let chosen = self.choose(asked)?;
        let body = if self.needs_body(chosen, asked) {
            let body = read_in_time(body, settings).await?;
            ClientBody::Whole(decode(body, &asked.headers, settings.max_request)?)
        } else {
            ClientBody::Unread(body)
        };
        self.map_read(chosen, asked, body, context)
    }

    /// The template for a request with this head; `None` lets the body pass.
    pub(crate) fn choose(&self, asked: &Parts) -> Result<Option<&Template>, Failure> {
        let content_type = asked.headers.get(CONTENT_TYPE);
        match self.templates.request(content_type, self.passthrough) {
            RequestBody::Replace(template) => Ok(Some(template)),
            RequestBody::Pass => Ok(None),
            RequestBody::Refuse => Err(Failure::MediaType),
        }
    }

    /// Whether the client's body must be in memory to be mapped.
    pub(crate) fn needs_body(&self, chosen: Option<&Template>, asked: &Parts) -> bool {
        self.parameters.read_body()
            || match chosen {
                // A backend is not told of a coding.
                None => self.conversion(asked) != Conversion::None || is_encoded(&asked.headers),
                Some(Template::Rendered(_)) => true,
                Some(Template::Fixed(_) | Template::Broken(_)) => false,
            }
    }

    fn conversion(&self, asked: &Parts) -> Conversion {
        let media_type = media_type(asked.headers.get(CONTENT_TYPE));
        Conversion::of_request(self.binary.matches(media_type), self.handling)
    }

    /// Maps a request of which [`needs_body`](Self::needs_body) has said whether its body had to be read.
    pub(crate) fn map_read<'a>(
        &'a self,
        chosen: Option<&Template>,
        asked: &Parts,
        body: ClientBody,
        context: &'a RequestContext,
    ) -> Result<MappedRequest<'a>, Failure> {
        let _phase = context
            .phase(|| tracing::info_span!("map request"))
            .entered();
        let message = Message::of_request(&asked.headers, &asked.uri);
        let (bytes, stream) = match body {
            ClientBody::Whole(bytes) => {
                let conversion = self.conversion(asked);
                (conversion.apply(bytes)?, None)
            }
            ClientBody::Unread(body) => (Bytes::new(), Some(body)),
        };
        let parameters = if self.parameters.read_body() {
            let text = String::from_utf8_lossy(&bytes);
            self.parameters
                .evaluate(&message.with_body(&text), context)?
        } else {
            self.parameters.evaluate(&message, context)?
        };
        let mut mapped = MappedRequest {
            parameters,
            body: Body::empty(),
            carried: Carried::default(),
        };
        mapped.body = match chosen {
            None => stream.unwrap_or_else(|| bytes.into()),
            Some(Template::Fixed(text)) => text.clone().into(),
            Some(Template::Broken(fault)) => return Err(Failure::broken_template(fault)),
            Some(Template::Rendered(template)) => {
                if std::str::from_utf8(&bytes).is_err() {
                    let cause = "a template cannot be rendered over bytes that are no text";
                    return Err(Failure::Configuration(cause.to_owned()));
                }
                let rendered = scene::render(template, &bytes, asked, &mapped.carried, context);
                let output = rendered.map_err(|error| match error.kind() {
                    FailureKind::Body => Failure::Unprocessable(error.fault().message().to_owned()),
                    _ => Failure::Configuration(format!("the request template failed: {error}")),
                })?;
                let text = mapped.carried.update(output, context)?;
                mapped
                    .carried
                    .apply_to_request(&mut mapped.parameters, self.to_aws)?;
                text.into()
            }
        };
        Ok(mapped)
    }
}
