//! Where an HTTP integration sends its requests.

use std::collections::BTreeMap;

use http::Uri;
use portcullis_client::Client;
use portcullis_core::RequestContext;

use crate::config::{Backends, IntegrationConfig};
use crate::error::{Conduct, ConfigError, Findings};
use crate::failure::Failure;
use crate::uri::{Piece, UriFault, UriTemplate, at_path, pieces, variable};

/// An HTTP endpoint, and the way to it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    way: Way,
    pub(crate) address: Address,
}

#[derive(Clone, Debug)]
enum Way {
    Fixed(Client),
    /// Through the VPC link whose id stage variables say.
    ByStage {
        id: Vec<Piece>,
        clients: BTreeMap<String, Client>,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Address {
    Uri(UriTemplate),
    /// The integration names something inside a VPC by its ARN: requests keep their host and path.
    Inside,
}

impl Target {
    pub(crate) const fn new(client: Client, uri: UriTemplate) -> Self {
        Self {
            way: Way::Fixed(client),
            address: Address::Uri(uri),
        }
    }

    /// The target that a configuration describes.
    pub(crate) fn compile(
        config: &IntegrationConfig,
        backends: &Backends,
        findings: &mut Findings,
    ) -> Result<Self, ConfigError> {
        let client = if config.insecure_skip_verification {
            backends.client.dangerous_without_verification()
        } else {
            backends.client.clone()
        };
        let client = match &config.server_name_to_verify {
            None => client,
            Some(name) => client.with_server_name(name).map_err(|error| {
                ConfigError::new("/tlsConfig/serverNameToVerify", error.to_string())
            })?,
        };
        let uri = config.uri.as_deref().filter(|uri| !uri.trim().is_empty());
        let uri = uri.ok_or_else(|| ConfigError::new("/uri", "is missing"))?;
        let by_arn = config.vpc_link.is_some() && uri.starts_with("arn:");
        let address = if by_arn {
            Address::Inside
        } else {
            let template = UriTemplate::parse(uri)
                .map_err(|fault| ConfigError::new("/uri", fault.to_string()))?;
            Address::Uri(template)
        };
        let way = match &config.vpc_link {
            None => Way::Fixed(client),
            Some(id) => {
                // What is behind a link may have an entry of its own, since one link leads to many.
                let own = by_arn.then_some(uri);
                let arn = config.link_target.as_deref().or(own);
                way(id, arn, &client, backends, findings)
            }
        };
        Ok(Self { way, address })
    }

    /// The client that gets there.
    pub(crate) fn client(&self, context: &RequestContext) -> Result<&Client, Failure> {
        match &self.way {
            Way::Fixed(client) => Ok(client),
            Way::ByStage { id, clients } => {
                let id = expand(id, context)?;
                clients.get(&id).ok_or_else(|| unknown(&id))
            }
        }
    }
}

impl Address {
    /// The template, unless there is none.
    pub(crate) const fn template(&self) -> Option<&UriTemplate> {
        match self {
            Self::Uri(template) => Some(template),
            Self::Inside => None,
        }
    }
}

/// The address of what is inside a VPC: the client's own, with the stage in its path.
pub(crate) fn inside(client: &Uri, context: &RequestContext) -> Result<Uri, UriFault> {
    let host = context.host().unwrap_or("localhost");
    let base = format!("http://{host}/").parse();
    let base = base.unwrap_or_else(|_| Uri::from_static("http://localhost/"));
    at_path(&base, client.path())
}

fn way(
    id: &str,
    arn: Option<&str>,
    client: &Client,
    backends: &Backends,
    findings: &mut Findings,
) -> Way {
    let links = &*backends.vpc_links;
    let known = arn.and_then(|arn| links.get(arn)).or_else(|| links.get(id));
    if let Some(upstream) = known {
        return Way::Fixed(client.through(upstream.clone()));
    }
    let id_pieces = pieces(id);
    let has_variables = |piece: &Piece| matches!(piece, Piece::StageVariable(_));
    if links.is_empty() || !id_pieces.iter().any(has_variables) {
        let what = format!("the VPC link `{id}`, to which `vpcLinks` names no upstream");
        findings.add("/connectionId", what, Conduct::RefuseAll);
    }
    let clients = links.iter();
    Way::ByStage {
        id: id_pieces,
        clients: clients
            .map(|(id, upstream)| (id.clone(), client.through(upstream.clone())))
            .collect(),
    }
}

fn expand(id: &[Piece], context: &RequestContext) -> Result<String, Failure> {
    let variables = context.stage().map(|stage| &stage.variables);
    let mut text = String::new();
    for piece in id {
        match piece {
            Piece::Text(part) | Piece::Parameter(part) => text.push_str(part),
            Piece::StageVariable(name) => text.push_str(variable(variables, name)?),
        }
    }
    Ok(text)
}

fn unknown(id: &str) -> Failure {
    Failure::Configuration(format!(
        "`vpcLinks` names no upstream for the VPC link `{id}`"
    ))
}
